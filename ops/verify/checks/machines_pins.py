"""Each vCPU runs on the host CPU that the plan gives it, and no two share one."""

from collections.abc import Iterable, Iterator

from ops.verify.model import Check, Figure, Finding, Seen, missing
from ops.verify.reading.document import output_of
from ops.verify.reading.domains import HOST, VCPUS, affinity, definitions, host_cpus, machine, pins, running
from ops.verify.reading.findings import counted, failed, passed, several, skipped
from plan import NodePlan, Plan
from settings.forms import cpu_ranges, parse_cpu_set

PINS_ID, OVERCOMMIT_ID = "machines.pins", "machines.overcommit"


def judge_pins(seen: Seen) -> Iterator[Finding]:
    """Every pinned machine by what its hypervisor's kernel allows."""
    for node in seen.plan.nodes:
        if not node.cpu_pins:
            yield skipped(PINS_ID, node.name, f"hypervisor {node.hypervisor} names no machine_cpus")
            continue
        said, why = output_of(seen.hypervisors.get(node.hypervisor), affinity(node.name))
        found = pins(said)
        definition, unknown = machine(seen, node)
        if why or unknown or not found:
            yield missing(PINS_ID, node.name, why or unknown or "virsh's answer names no vCPU")
            continue
        problems = [*_unlike(node, found), *_emulator(seen.plan, node, definition.emulator)]
        declared = f"vCPUs 0-{node.vcpus - 1} on host CPUs {', '.join(map(str, node.cpu_pins))}"
        if problems:
            remedy = f"virsh vcpupin {node.name} VCPU CPU --live --config on {node.hypervisor}; or let `pulumi up` replace the machine"
            yield failed(PINS_ID, node.name, declared, several(problems), remedy)
        else:
            yield passed(PINS_ID, node.name, declared, "as declared")


def _unlike(node: NodePlan, found: dict[int, frozenset[int]]) -> Iterator[str]:
    for vcpu, cpu in enumerate(node.cpu_pins):
        allowed = found.get(vcpu)
        if allowed is None or set(allowed) != {cpu}:
            yield f"vCPU {vcpu} {'is not there' if allowed is None else f'may run on {cpu_ranges(set(allowed)) or None}'}, declared {cpu}"


def _emulator(plan: Plan, node: NodePlan, found: str) -> Iterator[str]:
    wanted = plan.settings.hypervisors[node.hypervisor].emulator_cpus
    if wanted and _cpus(found) != set(parse_cpu_set(wanted)):
        yield f"QEMU's own threads are {f'on {found}' if found else 'not pinned'}, declared {wanted}"


def _cpus(text: str) -> set[int]:
    try:
        return set(parse_cpu_set(text))
    except ValueError:
        return set()


def judge_overcommit(seen: Seen) -> Iterator[Finding]:
    """Every hypervisor that promises each vCPU a CPU, with what else runs there."""
    for name, hypervisor in seen.plan.settings.hypervisors.items():
        if not hypervisor.machine_cpus:
            yield skipped(OVERCOMMIT_ID, name, "it names no machine_cpus: nothing is promised")
            continue
        said, why = output_of(seen.hypervisors.get(name), VCPUS)
        about, silent = output_of(seen.hypervisors.get(name), HOST)
        cpus = host_cpus(about)
        if why or silent or cpus is None:
            yield missing(OVERCOMMIT_ID, name, why or silent or "nodeinfo names no number of CPUs")
            continue
        yield _overcommit(seen.plan, name, running(said), cpus)


def _overcommit(plan: Plan, hypervisor: str, found: dict[str, int], cpus: int) -> Finding:
    declared = parse_cpu_set(plan.settings.hypervisors[hypervisor].machine_cpus or "0")
    own = {node.name: node.vcpus for node in plan.nodes_on(hypervisor)}
    strangers = {name: vcpus for name, vcpus in found.items() if name not in own}
    room, total = cpus - len(declared), sum(found.values())
    problems = [f"{name} has {found[name]} vCPUs, declared {vcpus}" for name, vcpus in own.items() if name in found and found[name] != vcpus]
    problems += [f"machine_cpus names CPU {max(declared)}, and the host has {cpus}"] if max(declared) >= cpus else []
    if sum(strangers.values()) > room:
        names = several(f"{name} ({counted(vcpus, 'vCPU')})" for name, vcpus in sorted(strangers.items()))
        problems.append(f"machines that the stack does not have: {names}; beside machine_cpus there are {counted(max(room, 0), 'CPU')}")
    figure = Figure(name="vCPUs", value=total, unit="vCPUs", limit=cpus)
    words = f"{counted(sum(own.values()), 'vCPU')} on {counted(len(declared), 'CPU')} kept for machines, one each"
    if problems:
        return failed(
            OVERCOMMIT_ID, hypervisor, words, several(problems), "move the other machines, or give this hypervisor fewer by placement", figure
        )
    return passed(OVERCOMMIT_ID, hypervisor, words, f"{counted(total, 'vCPU')} of {counted(len(found), 'machine')} run on {cpus} CPUs", figure)


def _pin_questions(plan: Plan, hypervisor: str) -> Iterable[str]:
    nodes = [node for node in plan.nodes_on(hypervisor) if node.cpu_pins]
    return [*(affinity(node.name) for node in nodes), *(definitions(plan, hypervisor) if nodes else ())]


def _promising(plan: Plan) -> bool:
    return any(hypervisor.machine_cpus for hypervisor in plan.settings.hypervisors.values())


CHECKS: tuple[Check, ...] = (
    Check(
        id=PINS_ID,
        area="machines",
        title="Every vCPU runs on its own host CPU",
        severity="error",
        judge=judge_pins,
        virsh=_pin_questions,
        applies=_promising,
    ),
    Check(
        id=OVERCOMMIT_ID,
        area="machines",
        title="No more vCPUs than CPUs",
        severity="error",
        judge=judge_overcommit,
        virsh=lambda plan, name: (VCPUS, HOST) if plan.settings.hypervisors[name].machine_cpus else (),
        applies=_promising,
    ),
)
