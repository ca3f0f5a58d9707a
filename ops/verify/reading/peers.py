"""Which other nodes a node is asked about: all of a small fleet, some of a large one."""

from plan import NodePlan, Plan

ALL_UP_TO = 12
"""Nodes of a fleet in which every pair is looked at."""


def peers(plan: Plan, node: NodePlan) -> tuple[NodePlan, ...]:
    """Others at distances 1, 2, 4, 8 ... around the plan's nodes: every node asks as many as it is asked by."""
    place, count = plan.nodes.index(node), len(plan.nodes)
    if count <= ALL_UP_TO:
        return tuple(other for other in plan.nodes if other != node)
    steps = (1 << power for power in range(count.bit_length()) if 1 << power < count)
    return tuple(plan.nodes[(place + step) % count] for step in steps)


def bounded(plan: Plan) -> str:
    """What to say where not every pair is looked at; empty where it is."""
    others = len(plan.nodes) - 1
    asked = len(peers(plan, plan.nodes[0]))
    return f" (of {others}: distances 1, 2, 4 ... around the fleet, so that each node asks and is asked)" if asked < others else ""
