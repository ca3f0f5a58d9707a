"""What a hypervisor is declared to be made of: NUMA nodes, cores, memory and huge pages as its libvirt says them."""

import shlex
from collections.abc import Iterator

from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen
from ops.hypervisor.model import NumaNode
from ops.hypervisor.topology import topology
from ops.verify.model import Status
from settings.forms import cpu_ranges
from settings.topology import NumaNode as Declared
from settings.topology import Topology

FAILED = Status.FAILED
LEAST_SHARE = 0.99
"""Of its declared memory a node has at least so much: a kernel keeps a little more or less of it from boot to boot."""


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about each hypervisor whose topology is declared."""
    for host in seen.hosts.values():
        if host.settings.topology is None:
            continue
        found = topology(host.virsh.get("capabilities"))
        if not found.nodes:
            yield unseen("host.topology", host.name, found.why_not, "make the hypervisor answer (host.libvirt)")
            continue
        nodes = {node.number: node for node in found.nodes}
        wrong = [*_cores(host, host.settings.topology, nodes), *_memory(host, host.settings.topology, nodes)]
        yield from wrong
        if not wrong:
            cores = sum(len(node.cores) for node in found.nodes)
            yield passed("host.topology", host.name, f"{cores} cores on {len(nodes)} NUMA node{'s' if len(nodes) > 1 else ''}, as declared")
        yield from _pages(host, host.settings.topology, nodes)


def _cores(host: HostSeen, declared: Topology, found: dict[int, NumaNode]) -> Iterator[Finding]:
    for number in sorted(declared.nodes.keys() | found.keys()):
        wanted, there = declared.nodes.get(number), found.get(number)
        if wanted is None or there is None or set(wanted.cores) != set(there.cores):
            yield Finding(
                id="host.topology",
                where=host.name,
                status=FAILED,
                declared=f"NUMA node {number}: {_words(wanted.cores if wanted else ())}",
                found=f"NUMA node {number}: {_words(there.cores if there else ())}",
                remedy=f"{_anew(host)}: machines would be pinned to other cores than the plan means",
            )


def _words(cores: tuple[tuple[int, ...], ...]) -> str:
    """Cores by their threads: the k-th CPUs of the sets belong together."""
    if not cores:
        return "not there"
    if len({len(core) for core in cores}) > 1:
        return f"cores of several sizes on CPUs {cpu_ranges({cpu for core in cores for cpu in core})}"
    return f"{len(cores)} cores, threads {' and '.join(cpu_ranges(set(thread)) for thread in zip(*cores, strict=True))}"


def _memory(host: HostSeen, declared: Topology, found: dict[int, NumaNode]) -> Iterator[Finding]:
    for number, wanted in declared.nodes.items():
        there = found.get(number)
        if there is not None and there.memory_mib < wanted.memory_mib * LEAST_SHARE:
            yield Finding(
                id="host.topology",
                where=host.name,
                status=FAILED,
                declared=f"NUMA node {number}: memory_mib {wanted.memory_mib}",
                found=f"{there.memory_mib} MiB",
                limit=f"{there.memory_mib} MiB",
                remedy=_anew(host),
            )


def _pages(host: HostSeen, declared: Topology, found: dict[int, NumaNode]) -> Iterator[Finding]:
    problems = [
        finding for number, wanted in declared.nodes.items() if number in found for finding in _node_pages(host, number, wanted, found[number])
    ]
    yield from problems
    if not problems and any(node.hugepages for node in declared.numa):
        yield passed("host.pages", host.name, "huge pages are reserved as declared")


def _node_pages(host: HostSeen, number: int, wanted: Declared, found: NumaNode) -> Iterator[Finding]:
    for size in sorted({*wanted.hugepages, *found.hugepages}):
        pages, there = wanted.hugepages.get(size, 0) if size in ("2M", "1G") else 0, found.hugepages.get(size, 0)
        if pages == there:
            continue
        few = there < pages
        reserve = f"reserve them at the host's boot (kernel arguments hugepagesz={size} hugepages={number}:{pages}), or declare what is there"
        yield Finding(
            id="host.pages",
            where=host.name,
            status=FAILED,
            severity="error" if few else "warning",
            declared=f"NUMA node {number}: {pages} pages of {size}",
            found=f"{there} reserved there",
            limit=f"{there} pages" if few else "",
            remedy=reserve if few else f"{_anew(host)}: the plan takes that memory for ordinary memory, which it is not",
        )


def _anew(host: HostSeen) -> str:
    return f"declare the host as it is (python -m ops hypervisor describe {shlex.quote(host.settings.uri)})"
