"""The ingress controller in numbers: every value of NGINX with where it comes from, what fits memory, and what a node must carry."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from plan.node import NodePlan, TaintPlan
from settings import Environment
from settings.calico import Manifest
from settings.ingress import Controller, Exposure, Ingress
from settings.ingress_nodes import ingress_nodes
from settings.nginx_capacity import CapacityPlan, ResponsePlan, capacity_of, response_of
from settings.nginx_tuned import Origin, Tuned, Value, tuned

__all__ = ["CapacityPlan", "Controller", "IngressPlan", "Origin", "ResponsePlan", "Tuned", "Value", "ingress_plan"]


@dataclass(frozen=True, kw_only=True)
class IngressPlan:
    """Everything about the controller that is known before it runs."""

    settings: Ingress
    controller: Controller
    version: str
    manifest: Manifest | None
    """None for configmap-only."""
    namespace: str
    config_map: str
    nodes: tuple[str, ...]
    """Names of the nodes that may run it."""
    tolerations: tuple[TaintPlan, ...]
    """Taints of those nodes, which the controller tolerates where its nodes are named by labels."""
    addresses: tuple[IPv4Address, ...]
    """Where clients reach it, as far as it is known: the declared address, or the nodes'."""
    tuned: Mapping[str, Tuned]
    """By the settings' names (settings.nginx.Nginx), all that have a known value."""
    response: ResponsePlan
    capacity: CapacityPlan


def ingress_plan(settings: Environment, nodes: tuple[NodePlan, ...]) -> IngressPlan | None:
    """The plan of the ingress controller on these nodes; None where none is declared."""
    ingress = settings.ingress
    if ingress is None:
        return None
    names = {node.name for node in ingress_nodes(settings)}
    chosen = tuple(node for node in nodes if node.name in names)
    values = tuned(ingress)
    capacity = capacity_of(ingress, values, [node.vcpus for node in chosen])
    namespace, config_map = ingress.place
    return IngressPlan(
        settings=ingress,
        controller=ingress.controller,
        version=ingress.used_version,
        manifest=ingress.used_manifest,
        namespace=namespace,
        config_map=config_map,
        nodes=tuple(node.name for node in chosen),
        tolerations=_tolerations(chosen),
        addresses=_addresses(ingress.exposure, chosen),
        tuned=values,
        response=response_of(values, capacity),
        capacity=capacity,
    )


def _tolerations(nodes: tuple[NodePlan, ...]) -> tuple[TaintPlan, ...]:
    taints = {(taint.key, taint.value, taint.effect): taint for node in nodes for taint in node.taints if taint.effect != "PreferNoSchedule"}
    return tuple(taints[key] for key in sorted(taints))


def _addresses(exposure: Exposure, nodes: tuple[NodePlan, ...]) -> tuple[IPv4Address, ...]:
    if exposure.kind == "load-balancer":
        return (exposure.address,) if exposure.address else ()
    return tuple(node.address for node in nodes)
