"""URIs of hypervisors and of image files: neither may hold a password, and no message repeats one."""

from typing import Annotated
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import AfterValidator

from settings.forms import Words

CONNECTIONS = ("qemu", "qemu+ssh", "qemu+sshcmd", "qemu+unix", "qemu+tls", "qemu+tcp", "test")
DOWNLOADS = ("http", "https", "file")


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        _ = parts.port  # urlsplit looks at it when asked only
    except ValueError:
        # `from None`: urlsplit's message repeats the part with the password
        raise ValueError("is (not shown), which cannot be read as a URI; check its host and port") from None
    return parts


def no_secret(uri: str) -> SplitResult:
    """The URI's parts, where it can be read and holds no password."""
    parts = _split(uri)
    if _holds_password(parts):
        raise ValueError("holds a password (not shown), allowed: none; remove it and give it by the environment of `pulumi`")
    return parts


def _holds_password(parts: SplitResult) -> bool:
    return parts.password is not None or any("pass" in key.lower() or "token" in key.lower() for key in parse_qs(parts.query))


def _connection(uri: str) -> str:
    parts = _split(uri)
    if _holds_password(parts):
        raise ValueError("holds a password (not shown), allowed: none; remove it and use an SSH key or TLS certificates")
    if parts.scheme not in CONNECTIONS:
        raise ValueError(
            f"is (not shown), whose scheme is none of libvirt's, allowed: {', '.join(CONNECTIONS)}; write it like qemu+ssh://root@kvm1/system"
        )
    if parts.scheme != "test" and parts.path.rstrip("/") not in ("/system", "/session"):
        raise ValueError(
            "is (not shown), which names no libvirt daemon, allowed at its end: /system, /session; write it like qemu+ssh://root@kvm1/system"
        )
    if "+" in parts.scheme and parts.scheme != "qemu+unix" and not parts.hostname:
        raise ValueError("is (not shown), which names no host; write it like qemu+ssh://root@kvm1/system")
    return uri


def _source(source: str) -> str:
    if not source.strip():
        raise ValueError("is empty; name a path or URL")
    if "://" not in source:
        return source
    parts = _split(source)
    if _holds_password(parts):
        raise ValueError("holds a password (not shown), allowed: none; remove it and serve it inside your network or from a path")
    if parts.scheme not in DOWNLOADS:
        raise ValueError(f"is a URL that cannot be fetched, allowed: {', '.join(DOWNLOADS)}; write a path or one of them")
    return source


ConnectionUri = Annotated[str, AfterValidator(_connection), Words("libvirt URI")]
"""A libvirt connection URI without a password."""
Source = Annotated[str, AfterValidator(_source), Words("path or URL")]
"""A path, or a URL without a password."""
