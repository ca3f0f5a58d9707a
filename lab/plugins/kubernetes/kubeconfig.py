"""What a kubeconfig says of one cluster: where its API is, whom to trust and who we are."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from lab.plugins.base import ProviderError

from .objects import block, blocks

_NOT_TAKEN = ("exec", "auth-provider", "impersonate", "as")


@dataclass(frozen=True)
class Access:
    """How to reach one API server. Nothing secret shows in its representation."""

    server: str
    """The URL's scheme, host, port and path, without a slash at the end."""
    namespace: str = ""
    """The context's namespace, empty when it names none."""
    authority: str = field(default="", repr=False)
    """The certificates to trust, as PEM; empty for the system's."""
    verify: bool = True
    server_name: str = ""
    """The name the server's certificate must have, where it is not the URL's host."""
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)

    def headers(self) -> dict[str, str]:
        """The headers that say who we are, where no client certificate does."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.basic:
            return {"Authorization": "Basic " + base64.b64encode(":".join(self.basic).encode()).decode()}
        return {}

    def tls(self) -> ssl.SSLContext:
        """The TLS settings. Raises ProviderError for certificates or keys that cannot be read."""
        try:
            context = ssl.create_default_context(cadata=self.authority or None)
            if not self.verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.certificate:
                _load_identity(context, f"{self.certificate.rstrip()}\n{self.key.strip()}\n")
        except (ssl.SSLError, ValueError):
            raise ProviderError("the kubeconfig's certificates or key cannot be read: are they PEM, and do they belong together?") from None
        return context


def _load_identity(context: ssl.SSLContext, pem: str) -> None:
    """Python's ssl reads certificate and key from a file only: this one is in memory and has no name."""
    descriptor = os.memfd_create("kubeconfig", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def read_kubeconfig(content_or_path: str) -> dict[str, Any]:
    """The kubeconfig, given as its content or its path, or when empty the user's own. Raises ProviderError."""
    text = content_or_path
    base = Path()
    if "\n" not in content_or_path and not content_or_path.lstrip().startswith("{"):
        path = Path(content_or_path or os.environ.get("KUBECONFIG", "").split(":")[0] or "~/.kube/config").expanduser()
        try:
            text = path.read_text()
        except OSError as error:
            raise ProviderError(f"no kubeconfig can be read at {path}: {error.strerror}") from None
        base = path.parent
    import yaml  # a few hundredths of a second that a provider without resources need not spend

    try:
        found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both loaders are safe ones
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        raise ProviderError("the kubeconfig is neither YAML nor JSON with the keys of one")
    return {**cast("dict[str, Any]", found), "": str(base)}


def access(config: dict[str, Any], context: str = "", cluster: str = "") -> Access:
    """The access of the kubeconfig's current context, or of the `context` (and `cluster`) named. Raises ProviderError."""
    base = Path(config.get("", ""))
    current = context or config.get("current-context", "")
    chosen = _named(config, "context", current)
    place = _named(config, "cluster", cluster or chosen.get("cluster", ""))
    person = _named(config, "user", chosen.get("user", "")) if chosen.get("user") else {}
    for name in _NOT_TAKEN:
        if person.get(name):
            raise ProviderError(f"the lab's stand-in for kubernetes does not take the kubeconfig's user setting '{name}'")
    server = str(place.get("server", "")).rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise ProviderError(f"the kubeconfig's cluster for context '{current}' has no server URL")
    token = person.get("token", "")
    if not token and person.get("tokenFile"):
        token = _file(base, person["tokenFile"]).strip()
    return Access(
        server=server,
        namespace=chosen.get("namespace") or "",
        authority=_pem(place, "certificate-authority", base),
        verify=not place.get("insecure-skip-tls-verify", False),
        server_name=place.get("tls-server-name", ""),
        certificate=_pem(person, "client-certificate", base),
        key=_pem(person, "client-key", base),
        token=token,
        basic=(person["username"], person.get("password", "")) if person.get("username") else None,
    )


def active_cluster(config: dict[str, Any], context: str = "", cluster: str = "") -> dict[str, Any]:
    """The cluster's own entry, to see whether another kubeconfig means another cluster; empty where there is none."""
    try:
        return _named(config, "cluster", cluster or _named(config, "context", context or config.get("current-context", "")).get("cluster", ""))
    except ProviderError:
        return {}


def _named(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    for entry in blocks(config, f"{kind}s"):
        if entry.get("name") == name:
            return block(entry, kind)
    raise ProviderError(f"the kubeconfig has no {kind} '{name}'")


def _pem(entry: dict[str, Any], name: str, base: Path) -> str:
    data = entry.get(f"{name}-data")
    if data:
        try:
            return base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ProviderError(f"the kubeconfig's {name}-data is not base64 of PEM") from None
    return _file(base, entry[name]) if entry.get(name) else ""


def _file(base: Path, name: str) -> str:
    path = base / name
    try:
        return path.read_text()
    except OSError as error:
        raise ProviderError(f"the kubeconfig names {path}, which cannot be read: {error.strerror}") from None
