"""The block of a hypervisor as YAML that a person pastes into a stack file: what is known, and comments where libvirt does not say."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ops.flow import Quoted, flow, line, printable, scalar
from ops.hypervisor.model import Drive, NumaNode, Tenant, Topology
from ops.hypervisor.pools import Pool
from settings.forms import cpu_ranges

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
"""A tenant's name as the settings let it be."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """Everything that is said of a hypervisor."""

    uri: str
    version: str
    topology: Topology
    reserved: frozenset[int]
    """CPUs proposed for the host."""
    reserved_notes: tuple[str, ...]
    tenants: Sequence[Tenant]
    tenants_unread: Sequence[str]
    drives: Sequence[Drive]
    drives_unread: str
    pools: Sequence[Pool]


def block(found: Described) -> str:
    """The YAML, with a line break after each line."""
    parts = (_head(found), _pools(found), _topology(found), _tenants(found), _drives(found))
    return "".join(f"{printable(each)}\n" for part in parts for each in part)


def cpus(numbers: Sequence[int] | frozenset[int]) -> str:
    """A CPU set."""
    return cpu_ranges(set(numbers))


def _comment(text: str) -> str:
    """One line whatever a host put into a name."""
    return f"# {' '.join(text.split())}"


def _head(found: Described) -> Iterator[str]:
    yield _comment(f"{found.uri}{f' ({found.version})' if found.version else ''}, as its libvirt says; write it below hypervisors.<name>.")
    yield "# libvirt does not know location and network, and not which pool the machines' disks shall lie in: those stay as you declare them."
    yield f"uri: {line(found.uri)}"


def _pools(found: Described) -> Iterator[str]:
    for pool in found.pools:
        media = {"media": "nvme" if pool.nvme else "other"} if pool.nvme is not None else {}
        there = f"pool: {flow({'name': pool.name, 'kind': pool.kind, **media})}, on {', '.join(filter(None, pool.places)) or 'nothing named'}"
        yield _comment(there + ("" if media else "; what it lies on libvirt does not say (media: nvme where it is)"))


def _topology(found: Described) -> Iterator[str]:
    nodes = found.topology.nodes
    if not nodes:
        yield _comment(f"topology is left out: {found.topology.why_not}. Without it machines of cpu_policy emulated alone can stand here.")
        yield from (_comment(note) for note in found.topology.notes)
        return
    yield _comment(_sum(nodes))
    yield from (_comment(note) for note in found.topology.notes)
    yield "topology:"
    yield "  numa:"
    yield from (f"    - {flow(_numa(place, node))}" for place, node in enumerate(nodes))
    yield "# reserved_memory_mib of a node: what the host itself needs there, and some 200 MiB of QEMU's for each machine; libvirt does not know."
    yield "# A proposal: the first core of each NUMA node, so that the host's and QEMU's own threads have one near every machine's memory."
    yield from (_comment(note) for note in found.reserved_notes)
    if found.reserved:
        yield f"reserved_cpus: {line(cpus(found.reserved))}"
    yield "# shared_cpus: whole cores over which machines of cpu_policy shared float; how many is for you to say."


def _sum(nodes: Sequence[NumaNode]) -> str:
    sockets = len({node.socket for node in nodes if node.cores})
    count = sum(len(node.cores) for node in nodes)
    threads = sorted({len(node.threads) for node in nodes if node.threads})
    each = f"{' or '.join(map(str, threads))} thread{'s' if threads != [1] else ''}"
    return f"{_counted(sockets, 'socket')}, {_counted(len(nodes), 'NUMA node')}, {_counted(count, 'core')} of {each} each"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _numa(place: int, node: NumaNode) -> dict[str, object]:
    """The node as the settings write it; its number is its place where nothing else is said."""
    return {
        "id": None if node.number == place else node.number,
        "socket": node.socket,
        "threads": [Quoted(cpus(thread)) for thread in node.threads],
        "memory_mib": node.memory_mib,
        "hugepages": dict(node.hugepages) or None,
    }


def _tenants(found: Described) -> Iterator[str]:
    for why in found.tenants_unread:
        yield _comment(f"a tenant may be missing: {why}")
    if not found.topology.nodes:
        yield "# tenants are left out with the topology."
        return
    given = [each for each in found.tenants if NAME.fullmatch(each.name)]
    if not given:
        yield "tenants: {}" if not found.tenants_unread else "# tenants: none could be read"
    else:
        yield "tenants:"
    for each in found.tenants:
        about: dict[str, object] = {
            "vcpus": each.vcpus,
            "cpus": Quoted(cpus(each.cpus)) if each.cpus else None,
            "memory_mib": each.memory_mib,
            "hugepages": each.hugepages,
            "numa": each.numa,
        }
        why = "" if NAME.fullmatch(each.name) else "; its name cannot be declared: choose one"
        yield f"  {'# ' if why else ''}{scalar(each.name)}: {flow(about)} {_comment(each.note + why)}"


def _drives(found: Described) -> Iterator[str]:
    if found.drives_unread:
        yield _comment(f"drives are left out: {found.drives_unread}")
        return
    given = [drive for drive in found.drives if not _why_not(drive)]
    yield "drives:" if given else "drives: {}"
    for drive in found.drives:
        entry = f"{drive.name}: {flow(_drive(drive, found.topology.numbers))}"
        about = f" {_comment(drive.about)}" if drive.about else ""
        if why := _why_not(drive):
            yield f"  {_comment(f'{drive.name} ({drive.address}) is left out: {why}')}"
            if not drive.taken and drive.size_gib:
                yield f"  # {entry}{about}"
        else:
            yield f"  {entry}{about}"


def _why_not(drive: Drive) -> str:
    if drive.taken:
        return f"taken by {drive.taken}"
    if drive.doubt:
        return f"{drive.doubt}; look on the host, then write:" if drive.size_gib else drive.doubt
    if drive.kind == "block" and not drive.device:
        return "it shares its IOMMU group or has none, and no name of it is stable"
    return "" if drive.size_gib else "its driver keeps it from the kernel, which therefore knows no size; name kind, address, size_gib and numa"


def _drive(drive: Drive, known: frozenset[int]) -> dict[str, object]:
    place = {"address": Quoted(drive.address)} if drive.kind == "nvme" else {"device": drive.device or f"/dev/disk/by-id/... of {drive.address}"}
    return {"kind": drive.kind, **place, "size_gib": drive.size_gib, "numa": drive.numa if drive.numa in known else None}
