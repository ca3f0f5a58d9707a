"""Each vCPU runs on the host CPUs that the plan gives it, and nobody is there whom the plan does not know."""

import shlex
from collections.abc import Iterable, Iterator

from ops.verify.model import Check, Figure, Finding, Seen, missing
from ops.verify.reading.document import output_of
from ops.verify.reading.domains import HOST, VCPUS, affinity, host_cpus, pins, running
from ops.verify.reading.findings import counted, failed, passed, several, skipped
from plan import NodePlan, Plan
from settings.forms import cpu_ranges

PINS_ID, OVERCOMMIT_ID = "machines.pins", "machines.overcommit"


def judge_pins(seen: Seen) -> Iterator[Finding]:
    """Every pinned machine by what its hypervisor's kernel allows."""
    for node in seen.plan.nodes:
        if not node.vcpu_pins:
            yield skipped(PINS_ID, node.name, "its cpu_policy is emulated: nothing is pinned")
            continue
        said, why = output_of(seen.hypervisors.get(node.hypervisor), affinity(node.name))
        found = pins(said)
        if why or not found:
            yield missing(PINS_ID, node.name, why or "virsh's answer names no vCPU")
            continue
        problems = list(_unlike(node, found))
        if problems:
            remedy = f"virsh vcpupin {node.name} VCPU CPUS --live --config on {node.hypervisor}"
            yield failed(PINS_ID, node.name, _declared(node), several(problems), remedy)
        else:
            yield passed(PINS_ID, node.name, _declared(node), "as declared")


def _declared(node: NodePlan) -> str:
    own = "vCPU 0" if node.vcpus == 1 else f"vCPUs 0-{node.vcpus - 1}"
    if node.cpu_policy == "shared":
        return f"{own} on shared CPUs {cpu_ranges(set(node.vcpu_pins[0]))}"
    return f"{own} on host CPU{'s' if node.vcpus > 1 else ''} {', '.join(map(str, node.own_cpus))}"


def _unlike(node: NodePlan, found: dict[int, frozenset[int]]) -> Iterator[str]:
    for vcpu, cpus in enumerate(node.vcpu_pins):
        allowed = found.get(vcpu)
        if allowed is None or set(allowed) != set(cpus):
            where = "is not there" if allowed is None else f"may run on {cpu_ranges(set(allowed)) or None}"
            yield f"vCPU {vcpu} {where}, declared {cpu_ranges(set(cpus))}"


def judge_overcommit(seen: Seen) -> Iterator[Finding]:
    """Every hypervisor whose CPUs are given out one by one, with what else runs there."""
    for name, hypervisor in seen.plan.settings.hypervisors.items():
        if hypervisor.topology is None:
            yield skipped(OVERCOMMIT_ID, name, "it declares no topology: nothing is promised")
            continue
        said, why = output_of(seen.hypervisors.get(name), VCPUS)
        about, silent = output_of(seen.hypervisors.get(name), HOST)
        cpus = host_cpus(about)
        if why or silent or cpus is None:
            yield missing(OVERCOMMIT_ID, name, why or silent or "nodeinfo names no number of CPUs")
            continue
        yield _overcommit(seen.plan, name, running(said), cpus)


def _overcommit(plan: Plan, name: str, found: dict[str, int], cpus: int) -> Finding:
    hypervisor = plan.settings.hypervisors[name]
    there = hypervisor.topology.cpus if hypervisor.topology is not None else frozenset[int]()
    own = {node.name: node.vcpus for node in plan.nodes_on(name)}
    known = {**{tenant: about.vcpus for tenant, about in hypervisor.tenants.items()}, **own}
    strangers = {machine: vcpus for machine, vcpus in found.items() if machine not in known}
    problems = [
        f"{machine} has {found[machine]} vCPUs, declared {vcpus}" for machine, vcpus in known.items() if machine in found and found[machine] != vcpus
    ]
    problems += [f"topology names CPU {max(there)}, and the host has {counted(cpus, 'CPU')}"] if max(there) >= cpus else []
    if strangers:
        names = several(f"{machine} ({counted(vcpus, 'vCPU')})" for machine, vcpus in sorted(strangers.items()))
        problems.append(f"machines that are not declared: {names}")
    tenants = f" and {counted(len(hypervisor.tenants), 'tenant')}" if hypervisor.tenants else ""
    declared = f"{counted(len(own), 'machine')} of the stack{tenants}, {counted(sum(known.values()), 'vCPU')} in all, and nobody else"
    figure = Figure(name="vCPUs", value=sum(found.values()), unit="vCPUs", limit=sum(known.values()))
    if problems:
        remedy = f"declare what belongs there (python -m ops hypervisor describe {shlex.quote(hypervisor.uri)}) and see what the plan makes of it; move the rest"
        return failed(OVERCOMMIT_ID, name, declared, several(problems), remedy, figure)
    running_now = f"{counted(sum(found.values()), 'vCPU')} of {counted(len(found), 'machine')} on {counted(cpus, 'CPU')}"
    return passed(OVERCOMMIT_ID, name, declared, running_now, figure)


def _pin_questions(plan: Plan, hypervisor: str) -> Iterable[str]:
    return [affinity(node.name) for node in plan.nodes_on(hypervisor) if node.vcpu_pins]


def _promising(plan: Plan) -> bool:
    return any(hypervisor.topology is not None for hypervisor in plan.settings.hypervisors.values())


CHECKS: tuple[Check, ...] = (
    Check(
        id=PINS_ID,
        area="machines",
        title="Every vCPU runs on the host CPUs that are its own",
        severity="error",
        judge=judge_pins,
        virsh=_pin_questions,
        applies=lambda plan: any(node.vcpu_pins for node in plan.nodes),
    ),
    Check(
        id=OVERCOMMIT_ID,
        area="machines",
        title="Nobody runs where the plan does not know of it",
        severity="error",
        judge=judge_overcommit,
        virsh=lambda plan, name: (VCPUS, HOST) if plan.settings.hypervisors[name].topology is not None else (),
        applies=_promising,
    ),
)
