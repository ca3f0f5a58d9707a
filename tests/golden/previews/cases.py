"""Changes of the lab whose previews are kept as the engine wrote them, and what was declared for each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent

LAB: Final[Mapping[str, Mapping[str, str]]] = {
    "nothing": {},
    "scheduler": {"kube_proxy.ipvs.scheduler": "lc"},
    "mode-nftables": {"kube_proxy.mode": "nftables"},
    "conntrack": {"node.conntrack.max_entries": "262144"},
    "memory-of-a-worker": {"workers.worker.memory_mib": "1792"},
    "memory-of-the-control-plane": {"control_plane.memory_mib": "3328"},
    "link-mtu": {"network.mtu": "1400"},
    "labels-and-taints": {"workers.worker.labels": "{example.com/disk: nvme}"},
    "new-worker": {"workers.worker.count": "2"},
    "removed-worker": {"workers.worker.count": "0"},
    "kubernetes-version": {"cluster.kubernetes_version": "1.36.4"},
    "max-pods": {"cluster.kubelet.maxPods": "60"},
    "ingress-buffer": {"ingress.nginx.proxy_buffer_size_kib": "16"},
    "bgp-peer": {"pod_network.bgp.routers.tor2": "{address: 10.77.0.3, as_number: 64601}"},
    "router-removed": {"pod_network.bgp.routers.tor": "null"},
    "refused": {},
    "protected": {"control_plane.disk.size_gib": "12"},
    "new-environment": {},
}
"""By name: what is put over the lab's stack file. `new-environment` is the lab before its first `up`."""
MISTAKES: Final = {"kube_proxy.ipvs.scheduler": "fastest", "pod_network.cidr": "10.96.0.0/16"}
"""Of the case `refused`: the lab reads settings itself and would stop before the engine, so the engine is told them."""
CALICO: Final = ("calico-upgrade", "calico-new-router", "calico-lost-router", "calico-reflectors", "calico-mesh-again")
"""Of Calico's component on a real API server (record_calico.py)."""


def all_cases() -> list[str]:
    """Every case that has been recorded."""
    return sorted(path.parent.name for path in FOLDER.glob("*/preview.json"))
