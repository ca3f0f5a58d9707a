"""Which machines a hypervisor has: the plan's own, as far as they are there, and everybody else's."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.doctor.domain_xml import Machine, machine
from ops.doctor.model import HostSeen, why_not
from ops.doctor.questions import lines
from plan import NodePlan


@dataclass(frozen=True, kw_only=True)
class Machines:
    """What runs or is defined on a hypervisor."""

    own: dict[str, Machine]
    """Machines of the plan: its name and its MAC."""
    others: tuple[Machine, ...]
    unread: str
    """Why nothing, or not all, is known; empty where all is."""


def machines(host: HostSeen, nodes: Sequence[NodePlan]) -> Machines:
    """All domains of a host, parted."""
    why = why_not(host.virsh.get("domains")) or why_not(host.virsh.get("running"))
    running = set(lines(host.virsh.get("running")))
    planned = {node.name: node for node in nodes}
    own: dict[str, Machine] = {}
    others: list[Machine] = []
    for name in lines(host.virsh.get("domains")):
        found = machine(name, host.virsh.get(f"domain {name}"), running=name in running)
        if found is None:
            why = why or f"domain {name}: {why_not(host.virsh.get(f'domain {name}')) or 'its definition cannot be read'}"
        elif name in planned and planned[name].mac in found.macs:
            own[name] = found
        else:
            others.append(found)
    return Machines(own=own, others=tuple(others), unread=why)


def unmade(nodes: Sequence[NodePlan], found: Machines) -> list[NodePlan]:
    """The plan's machines that do not run yet, so that they still need what they are declared to have."""
    return [node for node in nodes if not (node.name in found.own and found.own[node.name].running)]
