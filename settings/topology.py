"""What a hypervisor is made of: NUMA nodes, cores and memory, machines of others, drives that machines may have whole."""

from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Literal

from pydantic import Field

from settings.base import Problem, Settings
from settings.forms import CpuSet, Device, Whole, Words, cpu_ranges, parse_cpu_set, text

PageSize = Literal["2M", "1G"]
PAGE_MIB: dict[PageSize, int] = {"2M": 2, "1G": 1024}
PciAddress = Annotated[
    str,
    text(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", "expected a PCI address: domain:bus:slot.function in hexadecimal digits", '"0000:41:00.0"'),
    Words("PCI address"),
]


class NumaNode(Settings):
    """One NUMA node: its cores and its memory."""

    id: Whole | None = Field(default=None, ge=0, le=1023)
    """Its number on the host; unset: its place in the list, from 0."""
    socket: Whole = Field(default=0, ge=0, le=1023)
    """Socket that it belongs to."""
    threads: tuple[CpuSet, ...] = Field(min_length=1, max_length=8)
    """One CPU set for each hardware thread of a core, equally long: the k-th CPU of each set are the threads of the node's core k.
    One set: cores without SMT."""
    memory_mib: Whole = Field(ge=1024, le=64 * 1024 * 1024)
    """Memory of the node, MiB."""
    reserved_memory_mib: Whole = Field(default=0, ge=0, le=64 * 1024 * 1024)
    """Memory of it that machines do not get, MiB: the host's own, and some 200 MiB of QEMU's for each machine."""
    hugepages: dict[PageSize, Whole] = {}
    """Huge pages reserved on it at the host's boot: their number by size."""

    @property
    def cores(self) -> tuple[tuple[int, ...], ...]:
        """Each core as the host CPUs that are its threads."""
        return tuple(zip(*(parse_cpu_set(cpus) for cpus in self.threads), strict=True))

    @property
    def pages_mib(self) -> int:
        """Memory in huge pages."""
        return sum(PAGE_MIB[size] * number for size, number in self.hugepages.items())

    @property
    def plain_mib(self) -> int:
        """Memory for machines without huge pages."""
        return self.memory_mib - self.reserved_memory_mib - self.pages_mib

    def disagreements(self) -> Iterator[Problem]:
        """Threads match, no CPU is there twice, and memory is given away once."""
        sets = [parse_cpu_set(cpus) for cpus in self.threads]
        if len({len(cpus) for cpus in sets}) > 1:
            lengths = " and ".join(str(len(cpus)) for cpus in sets)
            yield Problem("threads", f"has CPU sets of {lengths} CPUs, limit: equally long; name one thread of every core in each")
        twice = _twice(chain(*sets))
        if twice:
            yield Problem("threads", f"has CPU {cpu_ranges(twice)} twice, limit once; give it to one core")
        for size, number in self.hugepages.items():
            if number < 0:
                yield Problem(f"hugepages.{size}", f"is {number}, limit: at least 0; raise it")
        if self.plain_mib < 0:
            parts = f"{self.reserved_memory_mib} reserved and {self.pages_mib} in huge pages"
            yield Problem("memory_mib", f"is {self.memory_mib}, less than {parts}; lower one of them")


class Topology(Settings):
    """CPUs and memory as they are built in, as `python -m ops hypervisor describe` writes them."""

    numa: tuple[NumaNode, ...] = Field(min_length=1, max_length=64)
    """NUMA nodes of the host."""

    @property
    def nodes(self) -> dict[int, NumaNode]:
        """NUMA nodes by number."""
        return {place if node.id is None else node.id: node for place, node in enumerate(self.numa)}

    @property
    def cores(self) -> tuple[tuple[int, ...], ...]:
        """All cores of the host."""
        return tuple(core for node in self.numa for core in node.cores)

    @property
    def cpus(self) -> frozenset[int]:
        """All CPUs of the host."""
        return frozenset(chain(*self.cores))

    def disagreements(self) -> Iterator[Problem]:
        """No CPU and no number is on two nodes."""
        if len(self.nodes) < len(self.numa):
            yield Problem("numa", "has two nodes of one number, limit once; number them as the host does (id)")
        twice = _twice(chain(*(set(parse_cpu_set(cpus)) for node in self.numa for cpus in node.threads)))
        if twice and not any(_twice(chain(*map(parse_cpu_set, node.threads))) for node in self.numa):
            yield Problem("numa", f"has CPU {cpu_ranges(twice)} on two nodes, limit one; give it to one of them")


class Tenant(Settings):
    """A machine of others on the hypervisor, as `python -m ops hypervisor describe` writes it: planned around, never touched."""

    vcpus: Whole = Field(ge=1, le=4096)
    """Its virtual CPUs."""
    cpus: CpuSet | None = None
    """Host CPUs that it is held to: their cores are no machine's. Unset: it floats over all of them."""
    memory_mib: Whole = Field(ge=1, le=64 * 1024 * 1024)
    """Its memory, MiB."""
    hugepages: PageSize | None = None
    """Size of the huge pages that its memory is made of."""
    numa: Whole | None = Field(default=None, ge=0, le=1023)
    """NUMA node that its memory is bound to."""


class Drive(Settings):
    """A drive that one machine may have whole; the planner hands it out."""

    kind: Literal["nvme", "pci", "block"]
    """`nvme`: QEMU drives it itself (fast; no live migration, no snapshots); `pci`: the guest gets the device itself (fastest; no live
    migration, no snapshots, the host sees nothing of it); `block`: a device of the host through virtio."""
    address: PciAddress | None = None
    """PCI address of an nvme or pci drive."""
    device: Device | None = None
    """Device of a block drive by a name that lasts, such as /dev/disk/by-id/nvme-..."""
    size_gib: Whole = Field(ge=1, le=1024 * 1024)
    """Its size, GiB."""
    numa: Whole | None = Field(default=None, ge=0, le=1023)
    """NUMA node that it is attached to: machines that get it stand there where they can."""

    @property
    def place(self) -> str:
        """Its PCI address or its device."""
        return self.address or self.device or ""

    def disagreements(self) -> Iterator[Problem]:
        """A drive has the place of its kind, and only that."""
        wanted, other = ("device", "address") if self.kind == "block" else ("address", "device")
        if getattr(self, wanted) is None:
            yield Problem(wanted, f"is missing, needed by a drive of kind {self.kind}; name it")
        if getattr(self, other) is not None:
            yield Problem(other, f"is named, which a drive of kind {self.kind} does not have; remove it")


def _twice(cpus: Iterator[int]) -> set[int]:
    seen, twice = set[int](), set[int]()
    for cpu in cpus:
        (twice if cpu in seen else seen).add(cpu)
    return twice
