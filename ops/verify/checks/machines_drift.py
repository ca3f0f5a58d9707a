"""Machines run as their plan defines them. The provider's refresh sees nothing of what is rendered into XSLT, so nothing else would."""

from collections.abc import Iterator

from ops.verify.model import Check, Finding, Seen, missing
from ops.verify.reading.domains import definitions, machine
from ops.verify.reading.drift import differences
from ops.verify.reading.findings import counted, failed, passed, several
from plan import NodePlan
from settings.forms import cpu_ranges

ID = "machines.drift"
MOST = 6
"""Differences that are named before they are counted."""


def judge(seen: Seen) -> Iterator[Finding]:
    """Every machine's definition as it runs."""
    for node in seen.plan.nodes:
        found, why = machine(seen, node)
        if why:
            yield missing(ID, node.name, why)
            continue
        problems = list(differences(seen.plan, node, found))
        if problems:
            by_hand = f"what was changed by hand: on {node.hypervisor} virsh vcpupin, emulatorpin or iothreadpin {node.name} ... --live, else virsh edit and a restart"
            remedy = f"`pulumi up` does not see this: replace the machine (pulumi up --target-replace with the URN of its Domain); {by_hand}"
            yield failed(ID, node.name, _declared(node), several(problems, MOST), remedy)
        else:
            yield passed(ID, node.name, _declared(node), "as declared")


def _declared(node: NodePlan) -> str:
    disk = node.disk
    place = {
        "dedicated": f"CPUs {cpu_ranges(set(node.own_cpus))} of NUMA node {node.numa_node}",
        "shared": f"shared CPUs {cpu_ranges({cpu for cpus in node.vcpu_pins for cpu in cpus})}",
        "emulated": "no pins",
    }[node.cpu_policy]
    pages = f", pages of {node.hugepages}" if node.hugepages else ""
    beside = "".join(f", a disk for {each.purpose}" for each in node.disks)
    return (
        f"{counted(node.vcpus, 'vCPU')} ({place}), {node.memory_mib} MiB{pages}, CPU {node.cpu.mode}, root disk {disk.cache}/{disk.io}/{disk.discard} "
        f"with {counted(disk.queues, 'queue')}{beside}"
    )


CHECKS: tuple[Check, ...] = (
    Check(id=ID, area="machines", title="Machines run as the stack defines them", severity="error", judge=judge, virsh=definitions),
)
