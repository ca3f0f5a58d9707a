"""The nodes on which an ingress controller may run."""

from typing import TYPE_CHECKING

from settings.declared import DeclaredNode, declared_nodes, matches
from settings.machine import ControlPlane, NodeSet

if TYPE_CHECKING:
    from settings.environment import Environment


def is_closed(node_set: NodeSet) -> bool:
    """Whether a taint keeps ordinary pods away."""
    reserved = isinstance(node_set, ControlPlane) and not node_set.workloads
    return reserved or any(taint.effect != "PreferNoSchedule" for taint in node_set.taints)


def ingress_nodes(environment: "Environment") -> tuple[DeclaredNode, ...]:
    """Nodes with the labels that are asked for, whose taints the controller then tolerates; without labels those that take ordinary pods."""
    ingress, sets = environment.ingress, environment.node_sets()
    if ingress is None:
        return ()
    nodes = declared_nodes(environment)
    if ingress.nodes:
        return tuple(node for node in nodes if matches(ingress.nodes, node.all_labels))
    return tuple(node for node in nodes if not is_closed(sets[node.node_set]))
