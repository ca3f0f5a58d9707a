"""Memory: there for all machines that are still to be made, in huge pages where they are declared."""

from collections.abc import Iterator, Sequence

from ops.doctor.host_xml import cells, free_pages, sizes
from ops.doctor.machines import Machines, machines, unmade
from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen, why_not
from ops.verify.model import Status
from plan import NodePlan
from render.domain import PAGE_KIB

FAILED = Status.FAILED


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about the memory of each hypervisor."""
    for host in seen.hosts.values():
        nodes = seen.nodes_on(host)
        there = machines(host, nodes)
        needed = unmade(nodes, there)
        if nodes and host.settings.hugepages is None:
            yield _plain(host, nodes, needed, there)
        elif nodes:
            yield from _huge(host, needed, there.unread)


def _plain(host: HostSeen, nodes: Sequence[NodePlan], needed: Sequence[NodePlan], there: Machines) -> Finding:
    said = host.virsh.get("memory")
    known = sizes(said)
    if "total" not in known:
        why = why_not(said) or "libvirt names no memory"
        return unseen("memory.enough", host.name, why, "make the hypervisor answer (host.libvirt)")
    others = sum(each.memory_kib for each in there.others if each.running and not each.huge) // 1024
    total = known["total"] // 1024
    # page cache makes room when it is asked to
    now = sum(known.get(name, 0) for name in ("free", "buffers", "cached")) // 1024
    wanted, missing = sum(node.memory_mib for node in nodes), sum(node.memory_mib for node in needed)
    declared = f"{wanted} MiB for {len(nodes)} machines" + (f", {missing} MiB of it still to be given" if missing < wanted else "")
    found = f"{total} MiB in all, {now} MiB to be had now" + (f", others' machines may take {others} MiB" if others else "")
    if there.unread and wanted + others <= total:
        why = f"{found}; what runs there already could not be seen: {there.unread}"
        return unseen("memory.enough", host.name, why, f"see what says: virsh -c {host.settings.uri} list --all")
    if wanted + others > total:
        remedy = "place machines elsewhere, lower memory_mib, or stop what else runs there"
        limit = f"{total - others} MiB"
    elif missing > now:
        remedy = "free memory on the hypervisor before `up`, or place machines elsewhere"
        limit = f"{now} MiB"
    else:
        return passed("memory.enough", host.name, found, declared=declared)
    return Finding(id="memory.enough", where=host.name, status=FAILED, declared=declared, found=found, limit=limit, remedy=remedy)


def _huge(host: HostSeen, needed: Sequence[NodePlan], unread: str) -> Iterator[Finding]:
    size = PAGE_KIB[host.settings.hugepages or "2M"]
    said = host.virsh.get("pages")
    free = {cell: pages[size] for cell, pages in free_pages(said).items() if size in pages}
    if not free:
        why = why_not(said) or f"the host knows no pages of {size} KiB"
        remedy = f"reserve them at boot: kernel arguments hugepagesz={host.settings.hugepages} hugepages=N"
        if said is None or said.error:
            yield unseen("memory.hugepages", host.name, why, "make the hypervisor answer (host.libvirt)")
        else:
            yield Finding(
                id="memory.hugepages", where=host.name, status=FAILED, declared=f"hugepages {host.settings.hugepages}", found=why, remedy=remedy
            )
        return
    wanted = sum(-(-node.memory_mib * 1024 // size) for node in needed)
    if unread and wanted > sum(free.values()):
        why = f"{sum(free.values())} free, {wanted} needed by all; which machines run already could not be seen: {unread}"
        yield unseen("memory.hugepages", host.name, why, f"see what says: virsh -c {host.settings.uri} list --all")
        return
    yield _pages(host, wanted, sum(free.values()), size)
    if wanted <= sum(free.values()):
        yield from _cell_pages(host, needed, free, size)


def _pages(host: HostSeen, wanted: int, free: int, size: int) -> Finding:
    declared = f"{wanted} pages of {host.settings.hugepages} for machines that do not run yet"
    if wanted <= free:
        return passed("memory.hugepages", host.name, f"{free} free", declared=declared)
    remedy = f"reserve {wanted - free} more at the host's boot (hugepagesz={host.settings.hugepages} hugepages=N)"
    if size < 1024 * 1024:
        remedy += f", or now: virsh -c {host.settings.uri} allocpages {size}KiB {wanted - free} --add"
    return Finding(
        id="memory.hugepages", where=host.name, status=FAILED, declared=declared, found=f"{free} free", limit=f"{free} pages", remedy=remedy
    )


def _cell_pages(host: HostSeen, needed: Sequence[NodePlan], free: dict[int, int], size: int) -> Iterator[Finding]:
    """Where machines are pinned to one NUMA node, pages of that one are near."""
    for cell in cells(host.virsh.get("capabilities")):
        here = [node for node in needed if node.cpu_pins and set(node.cpu_pins) <= cell.cpus]
        wanted = sum(-(-node.memory_mib * 1024 // size) for node in here)
        if wanted > free.get(cell.id, 0) and len(free) > 1:
            yield Finding(
                id="memory.numa",
                where=host.name,
                status=FAILED,
                severity="warning",
                declared=f"{wanted} pages of {host.settings.hugepages} for {len(here)} machines on NUMA node {cell.id}",
                found=f"{free.get(cell.id, 0)} free there, {sum(free.values())} in all",
                limit=f"{free.get(cell.id, 0)} pages",
                remedy=f"reserve {wanted - free.get(cell.id, 0)} more on node {cell.id}, or spread the sets' cpus over the nodes",
            )
