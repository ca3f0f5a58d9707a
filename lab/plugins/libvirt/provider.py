"""The provider: one libvirt URI and the resource types on it."""

from __future__ import annotations

import os

from lab.plugins.base import Properties, Provider

from .domain import Domain
from .network import Network
from .pool import Pool
from .seed import CloudInitDisk
from .virsh import Virsh
from .volume import Volume


class LibvirtProvider(Provider):
    """A libvirt host. Its `uri` is what virsh understands, or LIBVIRT_DEFAULT_URI; in a preview it may be unknown."""

    def __init__(self) -> None:
        self._virsh = Virsh()
        types = (Pool, Volume, CloudInitDisk, Network, Domain)
        super().__init__("libvirt", [kind(self._virsh) for kind in types], frozenset({"uri"}))

    def configure(self, inputs: Properties) -> None:
        """Takes the URI; connects to nothing."""
        super().configure(inputs)
        uri = inputs["uri"] if "uri" in inputs else os.environ.get("LIBVIRT_DEFAULT_URI", "")
        self._virsh.uri = uri if isinstance(uri, str) else ""
