"""CPUs where no topology is declared, so that the planner counts none: enough for everybody's vCPUs. Declared ones: topology.py."""

from collections.abc import Iterator, Sequence

from ops.doctor.host_xml import Cell, cells
from ops.doctor.machines import Machines, machines
from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen, why_not
from ops.verify.model import Status
from plan import NodePlan

FAILED = Status.FAILED


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about the CPUs of each hypervisor."""
    for host in seen.hosts.values():
        nodes = seen.nodes_on(host)
        if not nodes or host.settings.topology is not None:
            continue
        found = cells(host.virsh.get("capabilities"))
        if not any(cell.cpus for cell in found):
            why = why_not(host.virsh.get("capabilities")) or "libvirt's capabilities name no CPU"
            yield unseen("cpu.enough", host.name, why, "make the hypervisor answer (host.libvirt)")
        else:
            yield _shared(host, nodes, found, machines(host, nodes))


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
