"""Which of its addresses a node has where, from `ip -4 -o address show`."""

from ops.verify.reading.services import ipv4

DUMMY = "kube-ipvs0"
"""The device on which kube-proxy in IPVS mode keeps the Services' addresses."""


def _addresses(text: str) -> list[tuple[str, str]]:
    """Device and address."""
    lines = [line.split() for line in text.splitlines()]
    found = [(words[1], ipv4(words[3].partition("/")[0])) for words in lines if len(words) > 3 and words[2] == "inet"]
    return [(device, address) for device, address in found if address]


def on_dummy(text: str) -> list[str]:
    """Addresses of kube-proxy's device."""
    return [address for device, address in _addresses(text) if device == DUMMY]


def others(text: str) -> list[str]:
    """Addresses of all other devices but those of loopback, where kube-proxy answers for no Service."""
    return [address for device, address in _addresses(text) if device != DUMMY and not address.startswith("127.")]


def has_dummy(text: str) -> bool:
    """Whether kube-proxy's device has an address."""
    return bool(on_dummy(text))
