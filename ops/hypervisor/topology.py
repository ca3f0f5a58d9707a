"""NUMA nodes, sockets, cores, threads and huge pages from libvirt's capabilities."""

from collections.abc import Iterator, Sequence
from typing import Final

from ops.doctor.host_xml import Cell, cells
from ops.doctor.model import why_not
from ops.hypervisor.model import NumaNode, Tenant, Topology
from ops.verify.model import Said
from settings.forms import cpu_ranges

PAGES: Final = {2048: "2M", 1048576: "1G"}
"""Sizes of huge pages that the settings know, by KiB."""
LEAST_KIB: Final = 1024 * 1024
"""Memory of a NUMA node with less than which no machine can be bound to it."""


def topology(said: Said | None) -> Topology:
    """The topology of a host, or why it cannot be declared."""
    found = sorted(cells(said), key=lambda cell: cell.id)
    if not any(cell.cpus for cell in found):
        return Topology(nodes=(), why_not=why_not(said) or "its capabilities name no CPU")
    for cell in found:
        if cell.cpus and (reason := _irregular(cell)):
            return Topology(nodes=(), why_not=f"NUMA node {cell.id}: {reason}", notes=tuple(_notes(found)))
    nodes = tuple(_node(cell) for cell in found if cell.cpus and cell.memory_kib >= LEAST_KIB)
    return Topology(nodes=nodes, why_not="" if nodes else "no NUMA node has both CPUs and memory", notes=tuple(_notes(found)))


def _irregular(cell: Cell) -> str:
    """Why its cores cannot be written as one CPU set for each hardware thread; empty where they can."""
    counts = sorted({len(core) for core in cell.siblings})
    if len(counts) > 1:
        few = set[int]().union(*(core for core in cell.siblings if len(core) == counts[0]))
        return (
            f"cores of {' and '.join(map(str, counts))} threads ({counts[0]}: CPUs {cpu_ranges(few)}); switch all threads on, or all second ones off"
        )
    for thread in _threads(cell):
        if list(thread) != sorted(thread):
            return f"its cores number their threads in several orders, such as {', '.join(map(str, thread[:4]))}"
    return ""


def _threads(cell: Cell) -> tuple[tuple[int, ...], ...]:
    """For each hardware thread of a core the CPUs of all cores, in the order of the cores' lowest CPU."""
    return tuple(zip(*(sorted(core) for core in cell.siblings), strict=True))


def _node(cell: Cell) -> NumaNode:
    pages = {PAGES[size]: count for size, count in cell.pages.items() if size in PAGES}
    return NumaNode(number=cell.id, socket=min(cell.sockets, default=0), threads=_threads(cell), memory_mib=cell.memory_kib // 1024, hugepages=pages)


def _notes(found: Sequence[Cell]) -> Iterator[str]:
    for cell in found:
        if len(cell.sockets) > 1:
            yield f"NUMA node {cell.id} spans sockets {cpu_ranges(set(cell.sockets))}"
        if cell.offline:
            yield f"CPUs {cpu_ranges(set(cell.offline))} of NUMA node {cell.id} are switched off and left out"
        if not cell.cpus:
            yield f"NUMA node {cell.id} is left out: it has {cell.memory_kib // 1024} MiB and no CPU"
        elif cell.memory_kib < LEAST_KIB:
            yield f"NUMA node {cell.id} is left out: it has CPUs {cpu_ranges(set(cell.cpus))} and {cell.memory_kib // 1024} MiB"
        for size, count in cell.pages.items():
            if size not in PAGES:
                yield f"NUMA node {cell.id} reserves {count} pages of {size} KiB, which machines cannot be declared to use"


def first_cores(found: Topology, tenants: Sequence[Tenant]) -> tuple[frozenset[int], tuple[str, ...]]:
    """A core of each NUMA node for the host, the first that no tenant is held to, and what is to be said about that.

    One on each node: QEMU's own threads stay near the memory of the machine that they serve.
    """
    held = frozenset[int]().union(*(tenant.cpus for tenant in tenants))
    chosen: set[int] = set()
    notes: list[str] = []
    for node in found.nodes:
        free = [core for core in node.cores if not held & set(core)]
        chosen |= set(free[0]) if free else set()
        if not free:
            notes.append(f"on NUMA node {node.number} a tenant is held to every core: move one, and reserve its core")
        elif free[0] != node.cores[0]:
            notes.append(f"on NUMA node {node.number} tenants are held to the cores before CPU {free[0][0]}")
    return frozenset(chosen), tuple(notes)
