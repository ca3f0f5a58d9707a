"""The provider `tls` and its resource types."""

from __future__ import annotations

from lab.plugins.base import Provider

from .certificates import LocallySignedCert, SelfSignedCert
from .keys import PrivateKey
from .requests import CertRequest


class TlsProvider(Provider):
    """Needs no settings; a `proxy` is taken and not used, as nothing here goes over the network."""

    def __init__(self) -> None:
        super().__init__("tls", [PrivateKey(), CertRequest(), SelfSignedCert(), LocallySignedCert()], frozenset({"proxy"}))
