"""The stylesheet that gives a volume a size of its own."""

from render.text import fill


def capacity_xslt(size_bytes: int) -> str:
    """XSLT 1.0 over a volume's definition that sets its capacity, bytes: the provider takes no size beside a source."""
    return fill("volume.xslt.j2", size=size_bytes)
