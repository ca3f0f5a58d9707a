"""Where a URL or the name of an image leads."""

from typing import Final
from urllib.parse import parse_qs, urlsplit

_HOSTS: Final = frozenset({"http", "https"})


def host_of(url: str) -> str:
    """Host that is asked when this is fetched or stored, as residency.places names it; empty for a path of this machine.

    A bucket without an endpoint stands for itself, with its scheme.
    """
    if "://" not in url:
        return ""
    try:
        parts = urlsplit(url)
        if parts.scheme == "file":
            return ""
        if parts.scheme in _HOSTS:
            return parts.hostname or ""
        endpoint = parse_qs(parts.query).get("endpoint", [""])[0]
        named = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").hostname
    except ValueError:
        return url
    return named or f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


def registry_of(image: str) -> str:
    """Registry that an image is pulled from, as containerd reads its name."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first.partition(":")[0]
    return "docker.io"
