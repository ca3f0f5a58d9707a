"""Memory: there for all machines that are still to be made, in huge pages where they are declared."""

from collections.abc import Iterator, Sequence

from ops.doctor.host_xml import cells, free_pages, sizes
from ops.doctor.machines import Machines, machines, unmade
from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen, why_not
from ops.verify.model import Status
from plan import NodePlan
from render.domain import PAGE_KIB
from settings.topology import PageSize

FAILED = Status.FAILED
PAGE_SIZES: tuple[PageSize, ...] = ("2M", "1G")


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about the memory of each hypervisor."""
    for host in seen.hosts.values():
        nodes = seen.nodes_on(host)
        there = machines(host, nodes)
        needed = unmade(nodes, there)
        plain = [node for node in nodes if node.hugepages is None]
        if plain:
            yield _plain(host, plain, [node for node in needed if node.hugepages is None], there)
        for pages in PAGE_SIZES:
            if any(node.hugepages == pages for node in nodes):
                yield from _huge(host, pages, [node for node in needed if node.hugepages == pages], there.unread)


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


def _huge(host: HostSeen, pages: PageSize, needed: Sequence[NodePlan], unread: str) -> Iterator[Finding]:
    size = PAGE_KIB[pages]
    said = host.virsh.get("pages")
    free = {cell: counts[size] for cell, counts in free_pages(said).items() if size in counts}
    if not free:
        why = why_not(said) or f"the host knows no pages of {size} KiB"
        remedy = f"reserve them at boot: kernel arguments hugepagesz={pages} hugepages=N"
        if said is None or said.error:
            yield unseen("memory.hugepages", host.name, why, "make the hypervisor answer (host.libvirt)")
        else:
            yield Finding(id="memory.hugepages", where=host.name, status=FAILED, declared=f"hugepages {pages}", found=why, remedy=remedy)
        return
    wanted = sum(-(-node.memory_mib * 1024 // size) for node in needed)
    if unread and wanted > sum(free.values()):
        why = f"{sum(free.values())} free, {wanted} needed by all; which machines run already could not be seen: {unread}"
        yield unseen("memory.hugepages", host.name, why, f"see what says: virsh -c {host.settings.uri} list --all")
        return
    yield _pages(host, pages, wanted, sum(free.values()))
    if wanted <= sum(free.values()):
        yield from _cell_pages(host, pages, needed, free)


def _pages(host: HostSeen, pages: PageSize, wanted: int, free: int) -> Finding:
    size = PAGE_KIB[pages]
    declared = f"{wanted} pages of {pages} for machines that do not run yet"
    if wanted <= free:
        return passed("memory.hugepages", host.name, f"{free} free", declared=declared)
    remedy = f"reserve {wanted - free} more at the host's boot (hugepagesz={pages} hugepages=N)"
    if size < 1024 * 1024:
        remedy += f", or now: virsh -c {host.settings.uri} allocpages {size}KiB {wanted - free} --add"
    return Finding(
        id="memory.hugepages", where=host.name, status=FAILED, declared=declared, found=f"{free} free", limit=f"{free} pages", remedy=remedy
    )


def _cell_pages(host: HostSeen, pages: PageSize, needed: Sequence[NodePlan], free: dict[int, int]) -> Iterator[Finding]:
    """Where machines are bound to one NUMA node, pages of that one are needed."""
    size = PAGE_KIB[pages]
    for cell in cells(host.virsh.get("capabilities")):
        here = [node for node in needed if node.numa_node == cell.id]
        wanted = sum(-(-node.memory_mib * 1024 // size) for node in here)
        if wanted > free.get(cell.id, 0) and len(free) > 1:
            yield Finding(
                id="memory.numa",
                where=host.name,
                status=FAILED,
                declared=f"{wanted} pages of {pages} for {len(here)} machines on NUMA node {cell.id}",
                found=f"{free.get(cell.id, 0)} free there, {sum(free.values())} in all",
                limit=f"{free.get(cell.id, 0)} pages",
                remedy=f"reserve {wanted - free.get(cell.id, 0)} more on node {cell.id} (hugepagesz={pages} hugepages={cell.id}:N), and declare what is there",
            )
