"""How much slower a machine may be whose CPU is itself a program of its hypervisor."""

from typing import Final

from plan import NodePlan, Plan

SLOWER: Final = 10.0
"""What programs take longer under TCG, rounded up from what was measured (docs/lab.md); `up` warns of the same number."""


def emulated(plan: Plan, node: NodePlan) -> bool:
    """Whether its hypervisor emulates it."""
    return plan.settings.hypervisors[node.hypervisor].domain_type == "qemu"


def allowance(plan: Plan, node: NodePlan) -> float:
    """What a limit on time is multiplied by."""
    return SLOWER if emulated(plan, node) else 1.0
