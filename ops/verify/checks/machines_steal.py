"""The hypervisor lets machines run when they want to."""

import re
from collections.abc import Iterator

from ops.verify.model import Check, Figure, Finding, Probe, Said, Seen, missing
from ops.verify.programs import program
from ops.verify.reading.document import mapping, node_json, number
from ops.verify.reading.emulation import emulated
from ops.verify.reading.findings import failed, passed, several
from plan import NodePlan, Plan

ID = "machines.steal"
WINDOW_S, LEAST_OF_A_CPU_S, MOST_S = 4.0, 0.3, 30.0
PINNED, SHARED, EMULATED = 0.02, 0.10, 0.60
"""Share of a vCPU's time that may be missing while it has work: with a host CPU of its own, without, and where the CPU itself is a program of the host."""
COUNTER = re.compile(r"^ *vcpu\.(\d+)\.(time|delay)=(\d+)$", re.MULTILINE)
LEAST_OF_WORK_NS = 200_000_000
"""A vCPU that had less to do says nothing of who else wants its CPU."""


def _script(_plan: Plan, node: NodePlan) -> str:
    return program("cpu", {"window_s": min(max(WINDOW_S, LEAST_OF_A_CPU_S * node.vcpus), MOST_S)})


def _words(plan: Plan, hypervisor: str) -> Iterator[str]:
    return map(_stats, plan.nodes_on(hypervisor))


def _stats(node: NodePlan) -> str:
    return f"domstats --vcpu {node.name}"


CPU = Probe(key="cpu-time", script=_script, timeout_s=240, heavy=True)


def limit(plan: Plan, node: NodePlan) -> tuple[float, str]:
    """The share that is accepted, and why."""
    if emulated(plan, node):
        return EMULATED, "emulated"
    return (PINNED, "a host CPU for each vCPU") if node.own_cpus else (SHARED, "host CPUs shared with others")


def judge(seen: Seen) -> Iterator[Finding]:
    """Every node by its worst vCPU."""
    for node in seen.plan.nodes:
        document, why = node_json(seen, node.name, CPU.key)
        waited = _waited(seen, node)
        shares = {cpu: _missing_share(value) for cpu, value in mapping(document).items()}
        found = {cpu: max(share, waited.get(cpu, 0.0)) for cpu, share in shares.items() if share is not None}
        if why or not found:
            yield missing(ID, node.name, why or "its answer names no CPU")
            continue
        most, reason = limit(seen.plan, node)
        declared = f"at most {most:.0%} of a busy vCPU's time missing ({reason})"
        figure = Figure(name="CPU time taken away", value=round(max(found.values()) * 100, 2), unit="%", limit=most * 100)
        slow = [f"vCPU {cpu} lacked {share:.0%}" for cpu, share in sorted(found.items()) if share > most]
        if slow:
            remedy = (
                f"see what else runs on {node.hypervisor} (top, virsh list); give machines CPUs of their own by cpu_policy: {{ kind: dedicated }}"
            )
            yield failed(ID, node.name, declared, several(slow), remedy, figure)
        else:
            yield passed(ID, node.name, declared, f"{max(found.values()):.1%} at the worst of {len(found)}", figure)


def _waited(seen: Seen, node: NodePlan) -> dict[str, float]:
    """Share of the time in which each vCPU had work that its thread stood in the hypervisor's run queue, while the nodes answered."""
    first, last = (_counters(said.get(node.hypervisor, {}).get(_stats(node))) for said in (seen.hypervisors, seen.hypervisors_later))
    shares: dict[str, float] = {}
    for cpu in {cpu for cpu, _ in first}:
        ran, delayed = (last.get((cpu, name), 0) - first.get((cpu, name), 0) for name in ("time", "delay"))
        if ran >= 0 and delayed >= 0 and ran + delayed >= LEAST_OF_WORK_NS:
            shares[cpu] = delayed / (ran + delayed)
    return shares


def _counters(said: Said | None) -> dict[tuple[str, str], int]:
    """Nanoseconds by vCPU and counter (libvirt: virDomainListGetStats, VIR_DOMAIN_STATS_VCPU; the delay is the kernel's schedstat)."""
    return {(cpu, name): int(value) for cpu, name, value in COUNTER.findall(said.output)} if said and not said.error else {}


def _missing_share(value: object) -> float | None:
    """What the kernel counts as stolen, or what a busy loop misses where no hypervisor tells the kernel."""
    stolen, still = number(mapping(value).get("stolen")), number(mapping(value).get("stood_still"))
    return None if stolen is None or still is None else max(stolen, still)


CHECKS: tuple[Check, ...] = (
    Check(id=ID, area="machines", title="Nobody takes the machines' CPU time", severity="error", judge=judge, probes=(CPU,), virsh_twice=_words),
)
