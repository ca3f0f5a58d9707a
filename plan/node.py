"""One node: its name, address, MAC, place and CPUs, computed and never leased."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from settings.machine import Cpu, Disk, Nic

Role = Literal["control-plane", "worker"]


@dataclass(frozen=True, kw_only=True)
class TaintPlan:
    """A taint as kubectl writes it: key=value:effect."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, kw_only=True)
class NodePlan:
    """A machine and the Kubernetes node on it."""

    name: str
    """Host name, domain name and node name: <environment>-<set>-<number>."""
    role: Role
    node_set: str
    """`cp` or the worker pool's name."""
    number: int
    """From 1 within its set."""
    hypervisor: str
    """Key of the hypervisor that carries it."""
    address: IPv4Address
    prefix: int
    """Prefix length of the node network."""
    mac: str
    """52:54:00 (QEMU's) and the address's last three bytes: unique on the link."""
    vcpus: int
    memory_mib: int
    cpu: Cpu
    disk: Disk
    nic: Nic
    cpu_pins: tuple[int, ...]
    """Host CPU of each vCPU; empty where the hypervisor names no machine_cpus."""
    labels: tuple[tuple[str, str], ...]
    """All labels that underlay keeps on the node, sorted."""
    annotations: tuple[tuple[str, str], ...]
    """Annotations that underlay keeps on the node, sorted: what Calico is told of its BGP."""
    taints: tuple[TaintPlan, ...]

    @property
    def root_volume(self) -> str:
        """Name of the volume that its root disk is, in its hypervisor's pool."""
        return f"{self.name}-root"

    @property
    def is_control_plane(self) -> bool:
        """Whether the node carries etcd and the API server."""
        return self.role == "control-plane"


def mac_of(address: IPv4Address) -> str:
    """The MAC that belongs to an address: 10.77.0.11 gives 52:54:00:4d:00:0b."""
    return ":".join(f"{byte:02x}" for byte in (0x52, 0x54, 0x00, *address.packed[1:]))
