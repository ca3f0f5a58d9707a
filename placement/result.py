"""What the planner answers: seats, what is missing where, and whose each core is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from placement.fleet import Cores, Host, HostDrive, PageSize

Owner = Literal["host", "shared", "tenant", "machine", "free"]
LackKind = Literal["topology", "cores", "memory", "pages", "together", "shared", "overcommit", "drive", "apart"]


@dataclass(frozen=True, kw_only=True)
class Seat:
    """Where a machine stands."""

    machine: str
    set_name: str
    index: int
    """From 0 within its set."""
    host: str
    numa: int | None
    """NUMA node of a dedicated machine."""
    cores: Cores
    """Whole cores that a dedicated machine has to itself."""
    vcpu_cpus: tuple[tuple[int, ...], ...]
    """Host CPUs of each vCPU: one where it is dedicated, all shared ones where it floats over those, none of an emulated machine."""
    threads: int
    """Threads of each core that the guest sees."""
    drives: Mapping[str, str]
    """Name of the drive, by its purpose."""
    recorded: bool

    @property
    def cpus(self) -> tuple[int, ...]:
        """All host CPUs of its own cores, in order."""
        return tuple(sorted(cpu for core in self.cores for cpu in core))


@dataclass(frozen=True, kw_only=True)
class Lack:
    """One thing that keeps a machine from a hypervisor."""

    host: str
    kind: LackKind
    needed: int = 0
    available: int = 0
    """The most that is there in one place."""
    about: str = ""
    """Page size, kind and purpose of a drive, what stands there already."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """The largest machine that would still fit somewhere."""

    host: str
    vcpus: int
    memory_mib: int


@dataclass(frozen=True, kw_only=True)
class Shortfall:
    """Machines of a set that found no place, all for the same reasons."""

    set_name: str
    machines: tuple[str, ...]
    seated: int
    """How many of the set did find one."""
    lacks: tuple[Lack, ...]
    """For each hypervisor that may carry them, what is missing there."""
    room: Room | None
    """What would fit; None where nothing would."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A recorded seat that cannot be had: value, limit and remedy, as the operator reads them."""

    machine: str
    part: Literal["", "hypervisor", "cpus", "drives"]
    message: str


@dataclass(frozen=True, kw_only=True)
class CoreView:
    """One core, and whose it is."""

    cpus: tuple[int, ...]
    owner: Owner
    names: tuple[str, ...] = ()
    """The machine, or the tenants; none of other owners."""
    used: tuple[int, ...] = ()
    """CPUs on which a vCPU of that machine runs; the others are left idle."""


@dataclass(frozen=True, kw_only=True)
class PageView:
    """Huge pages of one size."""

    size: PageSize
    total: int
    used: int


@dataclass(frozen=True, kw_only=True)
class NumaView:
    """One NUMA node as it is filled; memory and pages of machines that are bound to it."""

    id: int
    socket: int
    cores: tuple[CoreView, ...]
    memory_mib: int
    memory_used_mib: int
    pages: tuple[PageView, ...]

    @property
    def free_cores(self) -> int:
        """Cores that nobody has."""
        return sum(core.owner == "free" for core in self.cores)


@dataclass(frozen=True, kw_only=True)
class DriveView:
    """A drive, and which machine has it for what."""

    drive: HostDrive
    machine: str = ""
    purpose: str = ""


@dataclass(frozen=True, kw_only=True)
class HostView:
    """One hypervisor as it is filled."""

    host: Host
    machines: tuple[str, ...]
    """Machines that stand there, in the fleet's order."""
    numa: tuple[NumaView, ...]
    """Empty where its topology is unknown."""
    floating_memory_mib: int
    """Memory of machines and tenants that is bound to no NUMA node."""
    floating_pages: tuple[PageView, ...]
    """Their huge pages; `total` is the whole host's."""
    shared_vcpus: int
    """vCPUs of machines and tenants on the shared CPUs."""
    shared_limit: int
    """The most there may be, by the smallest overcommit of the sets there."""
    drives: tuple[DriveView, ...]
