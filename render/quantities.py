"""Quantities of Kubernetes as its API server gives them back: another spelling would differ for ever."""


def cpu(millis: int) -> str:
    """CPUs: 4000m is 4 there."""
    return f"{millis}m" if millis % 1000 else str(millis // 1000)


def memory(mib: int) -> str:
    """Memory: 2048Mi is 2Gi there."""
    return f"{mib}Mi" if mib % 1024 else f"{mib // 1024}Gi"
