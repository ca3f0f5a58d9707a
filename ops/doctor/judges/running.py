"""What else a hypervisor carries: no name and no MAC twice. What others take of it: tenants.py."""

from collections.abc import Iterator, Sequence

from ops.doctor.domain_xml import Machine
from ops.doctor.machines import machines
from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen
from ops.verify.model import Status
from plan import NodePlan

FAILED = Status.FAILED


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about other machines on each hypervisor."""
    planned = {node.name: node for node in seen.plan.nodes}
    for host in seen.hosts.values():
        found = machines(host, seen.nodes_on(host))
        if found.unread:
            yield unseen("running.machines", host.name, found.unread, f"see what says: virsh -c {host.settings.uri} list --all")
            continue
        # a machine of the plan's name and MAC on another hypervisor than planned is one that `up` moves
        foreign = [each for each in found.others if not (each.name in planned and planned[each.name].mac in each.macs)]
        wrong = list(_same(host, foreign, planned))
        yield from wrong
        if not wrong:
            running = sum(each.running for each in foreign)
            words = f"{running} other machines run, {sum(each.running for each in found.own.values())} of the plan's"
            yield passed("running.machines", host.name, words)


def _same(host: HostSeen, foreign: Sequence[Machine], planned: dict[str, NodePlan]) -> Iterator[Finding]:
    macs = {node.mac: node.name for node in planned.values()}
    for each in foreign:
        if each.name in planned and planned[each.name].hypervisor == host.name:
            yield Finding(
                id="running.name",
                where=host.name,
                status=FAILED,
                declared=f"machine {each.name} with MAC {planned[each.name].mac}",
                found=f"a domain of this name with {', '.join(sorted(each.macs)) or 'no NIC'}",
                limit="a name once on a hypervisor",
                remedy=f"rename or remove it (virsh -c {host.settings.uri} domrename), or change the environment's name",
            )
        for mac in sorted(each.macs & macs.keys()):
            if each.name != macs[mac]:
                yield Finding(
                    id="running.mac",
                    where=host.name,
                    status=FAILED,
                    declared=f"{macs[mac]} has MAC {mac}",
                    found=f"domain {each.name} has it",
                    limit="a MAC once on a link",
                    remedy="choose another network.cidr or first_host: a node's MAC holds the last three bytes of its address",
                )
