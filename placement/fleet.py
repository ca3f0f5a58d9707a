"""What the planner is given: hypervisors as they are, sets of machines as they are wanted, seats as they are recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Policy = Literal["dedicated", "shared", "emulated"]
PageSize = Literal["2M", "1G"]
Level = Literal["hypervisor", "rack", "site"]
DriveKind = Literal["nvme", "pci", "block"]

PAGE_MIB: dict[PageSize, int] = {"2M": 2, "1G": 1024}
Cores = tuple[tuple[int, ...], ...]
"""Cores, each as the host CPUs that are its threads."""


@dataclass(frozen=True, kw_only=True)
class NumaCell:
    """One NUMA node of a hypervisor."""

    id: int
    socket: int
    cores: Cores
    memory_mib: int
    """Memory for machines without huge pages: what is left beside the host's share and the pages."""
    pages: Mapping[PageSize, int] = field(default_factory=dict[PageSize, int])
    """Huge pages reserved at boot, by size."""


@dataclass(frozen=True, kw_only=True)
class HostTenant:
    """A machine of others on a hypervisor."""

    name: str
    vcpus: int
    cpus: frozenset[int] | None
    """Host CPUs that it is held to; None: it floats over all of them."""
    memory_mib: int
    pages: PageSize | None = None
    numa: int | None = None
    """NUMA node that its memory is bound to."""


@dataclass(frozen=True, kw_only=True)
class HostDrive:
    """A whole drive that one machine may have."""

    name: str
    kind: DriveKind
    size_gib: int
    numa: int | None = None


@dataclass(frozen=True, kw_only=True)
class Host:
    """A hypervisor. Without NUMA nodes its CPUs and memory are unknown: only emulated machines stand there, uncounted."""

    name: str
    site: str
    """Country and site: where two hosts say the same, they stand together."""
    rack: str | None
    numa: tuple[NumaCell, ...] = ()
    reserved: frozenset[int] = frozenset()
    """Host CPUs of the host itself, of QEMU's emulator and I/O threads."""
    shared: frozenset[int] = frozenset()
    """Host CPUs over which machines of policy shared float."""
    tenants: tuple[HostTenant, ...] = ()
    drives: tuple[HostDrive, ...] = ()

    def place(self, level: Level) -> str:
        """What it must not have in common with another: its name, its rack, its site. Hosts of a site without a named rack count as one rack."""
        if level == "hypervisor":
            return self.name
        return self.site if level == "site" else f"{self.site}/{self.rack or ''}"


@dataclass(frozen=True, kw_only=True)
class DriveNeed:
    """A whole drive that each machine of a set gets."""

    purpose: str
    kind: DriveKind
    min_size_gib: int


@dataclass(frozen=True, kw_only=True)
class MachineSet:
    """Machines of one shape."""

    name: str
    machines: tuple[str, ...]
    """Names of its machines, in order."""
    control_plane: bool
    vcpus: int
    memory_mib: int
    pages: PageSize | None
    policy: Policy
    overcommit: float = 1.0
    """Of policy shared: vCPUs for each shared CPU, at most."""
    alone: bool = False
    """Of policy dedicated: a core for each vCPU, its other threads left idle."""
    hosts: tuple[str, ...]
    """Hypervisors that may carry its machines, in the declared order."""
    apart: Level | None = None
    """What no two of its machines may have in common."""
    drives: tuple[DriveNeed, ...] = ()

    def cores(self, threads: int) -> int:
        """Whole cores that each of its dedicated machines needs where a core has this many threads."""
        return self.vcpus if self.alone else -(-self.vcpus // threads)


@dataclass(frozen=True, kw_only=True)
class RecordedSeat:
    """Where a machine stands already, or is wanted by hand; what is unset is chosen."""

    host: str
    cpus: frozenset[int] | None = None
    drives: Mapping[str, str] = field(default_factory=dict[str, str])
    """Name of the drive, by its purpose."""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Everything that a placement depends on."""

    hosts: tuple[Host, ...]
    sets: tuple[MachineSet, ...]
    """The control plane first, then the pools in order."""
    recorded: Mapping[str, RecordedSeat] = field(default_factory=dict[str, RecordedSeat])
    """By machine; names that no set has are passed over."""
