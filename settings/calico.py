"""Calico: its version, manifests, images and knobs."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from settings import felix
from settings.base import Problem, Settings
from settings.calico_versions import API_SERVER_MANIFEST, FELIX_KNOWN, MANIFEST, PUBLISHED, SUMS, TESTED, minor_of
from settings.flags import FieldName
from settings.forms import DnsLabel, Flag, Whole, Words, text, wrong_form
from settings.uris import Source
from settings.versions import is_three_numbers

Sha256 = Annotated[str, text(r"[0-9a-f]{64}", "expected a SHA-256 of 64 hexadecimal digits", "the output of sha256sum"), Words("SHA-256")]


def _calico_version(version: str) -> str:
    if not is_three_numbers(version.removeprefix("v")):
        raise wrong_form("expected a Calico version", "write it like 3.32.1")
    if version.startswith("v"):
        raise wrong_form("expected a version without the v", f"write {version[1:]}")
    return version


CalicoVersion = Annotated[str, AfterValidator(_calico_version), Words("Calico version")]
ImageDigest = Annotated[str, text(r"sha256:[0-9a-f]{64}", "expected an image digest", "sha256: and 64 hexadecimal digits"), Words("image digest")]
Registry = Annotated[
    str,
    text(r"[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9._-]+)*", "expected a registry, with a path if wanted", "registry.example/mirror", 200),
    Words("registry"),
]


class Manifest(Settings):
    """A manifest as its project publishes it, pinned by its sum: another content stops `up` before anything changes."""

    source: Source
    """URL, or path seen from where `pulumi up` runs."""
    sha256: Sha256
    """SHA-256 of its bytes."""


class Calico(Settings):
    """Calico, installed from its published manifests. A change rolls what it concerns, node by node."""

    version: CalicoVersion = "3.32.1"
    """Calico version. Upgrade one minor version at a time."""
    manifest: Manifest | None = None
    """manifests/calico.yaml of the version; unset takes the published one, where underlay knows its sum."""
    api_server_manifest: Manifest | None = None
    """manifests/apiserver.yaml of the version, which serves projectcalico.org/v3; unset takes the published one, where underlay knows its sum."""
    registry: Registry | None = None
    """Registry that mirrors quay.io's calico images, such as registry.example/calico."""
    digests: dict[DnsLabel, ImageDigest] = {}
    """Digests by image name (node, cni, kube-controllers, apiserver), so that a tag that moves changes nothing."""
    node_cpu_request_millis: Whole = Field(default=250, ge=1, le=64000)
    """CPU request of calico-node, thousandths of a CPU (upstream's 250)."""
    node_memory_request_mib: Whole = Field(default=128, ge=16, le=65536)
    """Memory request of calico-node, MiB (measured: 90, peak 130)."""
    controllers_cpu_request_millis: Whole = Field(default=50, ge=1, le=64000)
    """CPU request of calico-kube-controllers and of Calico's API server; without one a busy node starves them."""
    controllers_memory_request_mib: Whole = Field(default=64, ge=16, le=65536)
    """Memory request of calico-kube-controllers and of Calico's API server, MiB."""
    probe_timeout_s: Whole = Field(default=10, ge=1, le=300)
    """Timeout of the probes of calico-node and calico-kube-controllers, s."""
    max_unavailable: Whole = Field(default=1, ge=1, le=100)
    """Nodes whose calico-node restarts at the same time."""
    ready_s: Whole = Field(default=600, ge=30, le=7200)
    """How long `up` waits for calico-node and its controllers, s."""
    xdp: Flag = False
    """XDP acceleration of deny rules (Felix's own default is on; without such rules it only costs start-up time)."""
    felix: dict[FieldName, Any] = {}
    """Further fields of FelixConfiguration's spec (projectcalico.org/v3)."""

    @property
    def used_manifest(self) -> Manifest | None:
        """The declared calico.yaml, or the published one; None where its sum is not known."""
        return self.manifest or _published(self.version, MANIFEST)

    @property
    def used_api_server_manifest(self) -> Manifest | None:
        """The declared apiserver.yaml, or the published one; None where its sum is not known."""
        return self.api_server_manifest or _published(self.version, API_SERVER_MANIFEST)

    def disagreements(self) -> Iterator[Problem]:
        """Digests are of images that Calico has; Felix' fields are not underlay's own."""
        images = ("apiserver", "cni", "kube-controllers", "node")
        for name in self.digests:
            if name not in images:
                yield Problem(f"digests.{name}", f"is no image of Calico's manifests, allowed: {', '.join(images)}; correct it")
        for name in sorted(self.felix.keys() & OWNED_FELIX_FIELDS.keys()):
            setting = OWNED_FELIX_FIELDS[name]
            yield Problem(f"felix.{name}", f"is underlay's own to set; remove it{f' and use {setting}' if setting else ''}")
        further = {name: value for name, value in self.felix.items() if name not in OWNED_FELIX_FIELDS}
        for problem in felix.mistakes(further, names_are_known=minor_of(self.version) in TESTED and minor_of(self.version) <= FELIX_KNOWN):
            yield Problem(f"felix.{problem.path}", problem.message)


def _published(version: str, file: str) -> Manifest | None:
    known = SUMS.get((version, file))
    return Manifest(source=PUBLISHED.format(version=version, file=file), sha256=known) if known else None


OWNED_FELIX_FIELDS = {
    "wireguardEnabled": "pod_network.wireguard",
    "wireguardMTU": "pod_network.mtu",
    "ipipEnabled": "pod_network.encapsulation",
    "vxlanEnabled": "pod_network.encapsulation",
    "ipipMTU": "pod_network.mtu",
    "vxlanMTU": "pod_network.mtu",
    "kubeNodePortRanges": "cluster.api_server.args.service-node-port-range",
    "nftablesMode": "kube_proxy.mode",
    "iptablesMarkMask": "cluster.kubelet.maxPods",
    "programClusterRoutes": "",  # BIRD programs the routes: both would
    "xdpEnabled": "pod_network.calico.xdp",
}
"""Fields of FelixConfiguration that follow from other settings, and from which."""
