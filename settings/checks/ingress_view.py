"""What checks of the ingress look at: its settings with their values, and the nodes that may run it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings.checks.bgp import known_nodes
from settings.declared import DeclaredNode
from settings.ingress import Ingress
from settings.ingress_nodes import ingress_nodes
from settings.ingress_versions import Release, release_of
from settings.machine import NodeSet
from settings.nginx_capacity import CapacityPlan, ResponsePlan, capacity_of, response_of
from settings.nginx_tuned import Values, tuned

if TYPE_CHECKING:
    from settings.environment import Environment


@dataclass(frozen=True, kw_only=True)
class View:
    """The ingress as far as the settings alone say what it is."""

    ingress: Ingress
    release: Release
    values: Values
    nodes: tuple[tuple[DeclaredNode, NodeSet], ...]
    """Those that may run it, with their shapes; none where they are not known."""
    capacity: CapacityPlan
    response: ResponsePlan

    @property
    def is_ours(self) -> bool:
        """Whether underlay installs the controller."""
        return self.ingress.controller != "configmap-only"

    @property
    def clients_of_a_replica(self) -> int:
        """Clients that a replica is to carry: its share of expected_connections, or as many as it can."""
        expected = self.ingress.expected_connections
        share = self.capacity.clients if expected is None else -(-expected // self.ingress.replicas)
        return min(share, self.capacity.clients)


def view(environment: "Environment") -> View | None:
    """The ingress of the environment; None where none is declared."""
    ingress = environment.ingress
    if ingress is None:
        return None
    sets = environment.node_sets()
    nodes = tuple((node, sets[node.node_set]) for node in (ingress_nodes(environment) if known_nodes(environment) else ()))
    values = tuned(ingress)
    capacity = capacity_of(ingress, values, [node_set.vcpus for _, node_set in nodes])
    return View(
        ingress=ingress,
        release=release_of(ingress.controller),
        values=values,
        nodes=nodes,
        capacity=capacity,
        response=response_of(values, capacity),
    )
