"""CPUs: those that are named are there, each machine's share a NUMA node, and there is one for each vCPU."""

from collections.abc import Iterator, Sequence

from ops.doctor.host_xml import Cell, cells
from ops.doctor.machines import Machines, machines
from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen, why_not
from ops.verify.model import Status
from plan import NodePlan
from settings.forms import cpu_ranges, parse_cpu_set

FAILED = Status.FAILED


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about the CPUs of each hypervisor."""
    for host in seen.hosts.values():
        nodes = seen.nodes_on(host)
        if not nodes:
            continue
        found = cells(host.virsh.get("capabilities"))
        if not any(cell.cpus for cell in found):
            why = why_not(host.virsh.get("capabilities")) or "libvirt's capabilities name no CPU"
            yield unseen("cpu.enough", host.name, why, "make the hypervisor answer (host.libvirt)")
        elif host.settings.machine_cpus is not None:
            yield from _pinned(host, nodes, found)
        else:
            yield _shared(host, nodes, found, machines(host, nodes))


def _pinned(host: HostSeen, nodes: Sequence[NodePlan], found: Sequence[Cell]) -> Iterator[Finding]:
    there = set[int]().union(*(cell.cpus for cell in found))
    settings = host.settings
    declared = {"machine_cpus": settings.machine_cpus, "emulator_cpus": settings.emulator_cpus}
    for name, text in declared.items():
        missing = set(parse_cpu_set(text)) - there if text else set[int]()
        if missing:
            yield Finding(
                id="cpu.enough",
                where=host.name,
                status=FAILED,
                declared=f"hypervisors.{host.name}.{name} {text}",
                found=f"CPUs {cpu_ranges(there)}",
                limit=f"no CPU {cpu_ranges(missing)}",
                remedy=f"take {cpu_ranges(missing)} out of {name}, and place machines elsewhere or give them fewer vCPUs",
            )
        elif text and name == "machine_cpus":
            used = sum(len(node.cpu_pins) for node in nodes)
            yield passed("cpu.enough", host.name, f"CPUs {cpu_ranges(there)}; {used} vCPUs have one each", declared=f"machine_cpus {text}")
    yield from _numa(host, nodes, found)
    yield from _cores(host, nodes, found)


def _numa(host: HostSeen, nodes: Sequence[NodePlan], found: Sequence[Cell]) -> Iterator[Finding]:
    across = [node for node in nodes if sum(bool(cell.cpus & set(node.cpu_pins)) for cell in found) > 1]
    if across:
        node = across[0]
        map_of = ", ".join(f"{cell.id}: {cpu_ranges(set(cell.cpus))}" for cell in found)
        yield Finding(
            id="cpu.numa",
            where=host.name,
            status=FAILED,
            severity="warning",
            declared=f"{node.name} on CPUs {cpu_ranges(set(node.cpu_pins))}{f' (and {len(across) - 1} more)' if len(across) > 1 else ''}",
            found=f"NUMA nodes {map_of}",
            limit="one NUMA node for a machine",
            remedy="name cpus for each set so that a machine's CPUs lie in one NUMA node",
        )
    elif len(found) > 1:
        yield passed("cpu.numa", host.name, f"each machine keeps to one of {len(found)} NUMA nodes")


def _cores(host: HostSeen, nodes: Sequence[NodePlan], found: Sequence[Cell]) -> Iterator[Finding]:
    """Two machines on the threads of one core slow each other."""
    owner = {cpu: node.name for node in nodes for cpu in node.cpu_pins}
    shared = [core for cell in found for core in cell.siblings if len({owner[cpu] for cpu in core if cpu in owner}) > 1]
    if shared:
        names = " and ".join(sorted({owner[cpu] for cpu in shared[0] if cpu in owner}))
        yield Finding(
            id="cpu.core",
            where=host.name,
            status=FAILED,
            severity="warning",
            found=f"CPUs {cpu_ranges(set(shared[0]))} are threads of one core, and {names} share it ({len(shared)} such cores)",
            limit="a core for one machine",
            remedy="name cpus so that both threads of a core go to one machine (on the host: lscpu -e)",
        )


def _shared(host: HostSeen, nodes: Sequence[NodePlan], found: Sequence[Cell], there: Machines) -> Finding:
    """Without pins everybody's vCPUs share all CPUs."""
    count = len(set[int]().union(*(cell.cpus for cell in found)))
    own, foreign = sum(node.vcpus for node in nodes), sum(each.vcpus for each in there.others if each.running)
    declared = f"{own} vCPUs in {len(nodes)} machine{'s' if len(nodes) > 1 else ''}"
    limit = f"{count} CPUs{f', {foreign} vCPUs of others run there' if foreign else ''}"
    if own + foreign <= count and there.unread:
        why = f"{count} CPUs; what else runs there could not be seen: {there.unread}"
        return unseen("cpu.enough", host.name, why, f"see what says: virsh -c {host.settings.uri} list --all")
    if own + foreign <= count:
        return passed("cpu.enough", host.name, limit, declared=declared)
    return Finding(
        id="cpu.enough",
        where=host.name,
        status=FAILED,
        # emulation is declared slow
        severity="error" if host.settings.domain_type == "kvm" else "warning",
        declared=declared,
        found=f"{own + foreign} vCPUs on {count} CPUs",
        limit=limit,
        remedy="place machines on another hypervisor, lower vcpus, or move what else runs there",
    )
