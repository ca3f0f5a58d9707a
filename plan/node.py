"""One node: its name, address, MAC, place and CPUs, computed and never leased."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from plan.disks import DiskPlan
from settings.disks import Disk
from settings.machine import Cpu, Nic
from settings.topology import PageSize

Role = Literal["control-plane", "worker"]


@dataclass(frozen=True, kw_only=True)
class TaintPlan:
    """A taint as kubectl writes it: key=value:effect."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, kw_only=True)
class GuestTopology:
    """Sockets, cores of a socket and threads of a core, as the guest sees them."""

    sockets: int
    cores: int
    threads: int


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
    cpu_policy: Literal["dedicated", "shared", "emulated"]
    vcpu_pins: tuple[tuple[int, ...], ...]
    """Host CPUs of each vCPU: one of its own where it is dedicated, all shared ones where it floats over those; empty where it is emulated."""
    emulator_cpus: tuple[int, ...]
    """Host CPUs of QEMU's emulator and I/O threads: the reserved ones of its NUMA node, else all reserved ones; empty: not pinned."""
    numa_node: int | None
    """NUMA node that a dedicated machine's vCPUs and memory are bound to."""
    guest_topology: GuestTopology | None
    """What the guest sees of its cores where it is dedicated; None leaves it to QEMU."""
    hugepages: PageSize | None
    """Size of the huge pages that its memory is made of."""
    lock_memory: bool
    disks: tuple[DiskPlan, ...]
    """Disks beside the root disk."""
    labels: tuple[tuple[str, str], ...]
    """All labels that underlay keeps on the node, sorted."""
    annotations: tuple[tuple[str, str], ...]
    """Annotations that underlay keeps on the node, sorted: what Calico is told of its BGP."""
    taints: tuple[TaintPlan, ...]

    @property
    def own_cpus(self) -> tuple[int, ...]:
        """Host CPU of each vCPU of a dedicated machine; empty of others."""
        return tuple(cpu for cpus in self.vcpu_pins for cpu in cpus) if self.cpu_policy == "dedicated" else ()

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
