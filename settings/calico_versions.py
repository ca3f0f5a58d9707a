"""What is known of Calico's versions: the Kubernetes that each is tested with, what cannot work, the sums of published manifests."""

from collections.abc import Callable
from dataclasses import dataclass

from settings.versions import Minor

PUBLISHED = "https://raw.githubusercontent.com/projectcalico/calico/v{version}/manifests/{file}"
MANIFEST, API_SERVER_MANIFEST = "calico.yaml", "apiserver.yaml"

SUMS = {
    ("3.31.7", MANIFEST): "d6d8a489a4ed8e5b8efd8b339047b496ca657b55ee2e3618e791507b0a853e8d",
    ("3.32.1", MANIFEST): "a1df919d9721cf667accdc3e72848911b0cb25cfab7d2478ad0c996302c95744",
    ("3.32.1", API_SERVER_MANIFEST): "3b164b382cccfeae8785e070fbc71ae53d615ad3e03667e2d90f99df8dac3c77",
}
"""SHA-256 of manifests as published."""

TESTED: dict[Minor, tuple[Minor, Minor]] = {
    (3, 31): ((1, 32), (1, 35)),
    (3, 32): ((1, 34), (1, 36)),
}
"""First and last Kubernetes that a Calico is tested with (docs.tigera.io/calico/<version>/getting-started/kubernetes/requirements)."""

FELIX_KNOWN: Minor = (3, 32)
"""Newest Calico whose fields of FelixConfiguration are in settings/felix.py."""


@dataclass(frozen=True, kw_only=True)
class Impossible:
    """A pair that cannot work: Calico older than `before`, where kube-proxy has a mode that matters."""

    before: Minor
    applies: Callable[[str], bool]
    """Whether kube-proxy's mode makes it impossible."""
    reason: str


IMPOSSIBLE = (
    Impossible(before=(3, 29), applies=lambda mode: mode == "nftables", reason="which has no nftables data plane for kube_proxy.mode nftables"),
    Impossible(
        before=(3, 30),
        applies=lambda _: True,
        reason="which lacks what underlay writes (next hops of BGPPeers, address pools for load balancers)",
    ),
)


BROKEN = {"3.32.0": "which refuses the server-side apply of BGPConfiguration's lists (projectcalico/calico issue 12702); name 3.32.1"}
"""Single releases that cannot work, and why."""


def minor_of(version: str) -> Minor:
    """Major and minor version as numbers: 3.32.1 gives (3, 32)."""
    major, minor, _ = (int(part) for part in version.split("."))
    return major, minor
