"""A hypervisor as its libvirt describes it, in the words of the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class NumaNode:
    """A NUMA node: its cores by their threads, its memory, the huge pages that are reserved on it."""

    number: int
    socket: int
    threads: tuple[tuple[int, ...], ...]
    """CPUs for each hardware thread of a core: the k-th of each belong to one core."""
    memory_mib: int
    hugepages: Mapping[str, int]
    """Pages by their size, 2M or 1G."""

    @property
    def cores(self) -> tuple[tuple[int, ...], ...]:
        """The CPUs of each core, in the cores' order."""
        return tuple(zip(*self.threads, strict=True))


@dataclass(frozen=True, kw_only=True)
class Topology:
    """All NUMA nodes of a host."""

    nodes: tuple[NumaNode, ...]
    """In the order of their numbers, without those that no machine can be on; none where it cannot be declared."""
    why_not: str = ""
    """Why it cannot be declared, or is not known."""
    notes: tuple[str, ...] = ()
    """What libvirt says and the settings have no word for."""

    @property
    def numbers(self) -> frozenset[int]:
        """The nodes' numbers."""
        return frozenset(node.number for node in self.nodes)

    @property
    def cpus(self) -> frozenset[int]:
        """All CPUs of these nodes."""
        return frozenset(cpu for node in self.nodes for thread in node.threads for cpu in thread)


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A machine of others."""

    name: str
    vcpus: int
    cpus: frozenset[int]
    """Host CPUs that its vCPUs are held to; empty: it floats."""
    memory_mib: int
    hugepages: str | None
    numa: int | None
    """NUMA node that its memory is bound to."""
    note: str
    """What it is beside that: whether it runs, whose it is."""


@dataclass(frozen=True, kw_only=True)
class Drive:
    """An NVMe drive in the host's PCI slots."""

    name: str
    kind: Literal["nvme", "block"]
    """How a machine can have it: with an IOMMU group of its own as a PCI device, else as a block device."""
    address: str
    """PCI address."""
    device: str
    """Its stable block device below /dev/disk/by-id, where the host's kernel drives it."""
    names: frozenset[str]
    """All its device files."""
    size_gib: int | None
    numa: int | None
    about: str
    """Model and serial, for people."""
    taken: str
    """Who has it; empty: nobody that libvirt knows."""
    doubt: str
    """Why it is not known whether the host itself uses it; empty where it is known."""
