"""Checks across the areas of an environment: each gives all its findings, none stops at the first."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from settings.base import Problem
from settings.checks import bgp, calico, cluster, dependencies, ingress, machines, networks, pods, residency, risks, seating
from settings.checks.sets import path_of
from settings.machine import count_of

if TYPE_CHECKING:
    from settings.environment import Environment

__all__ = ["MISTAKES", "Check", "count_of", "mistakes", "path_of", "warnings"]


class Check(Protocol):
    """A check across areas; it reads those that `MISTAKES` names beside it."""

    __name__: str

    def __call__(self, environment: "Environment", /) -> Iterable[Problem]:
        """All findings."""
        ...


SEATS = frozenset({"name", "hypervisors", "control_plane", "workers", "placements"})
"""Areas that say which machines there are and where they stand."""
NODES = SEATS | {"pod_network"}
"""Those, and what each node is in BGP."""

MISTAKES: tuple[tuple[Check, frozenset[str]], ...] = (
    (seating.known_hypervisors, frozenset({"hypervisors", "control_plane", "workers"})),
    (seating.racks, frozenset({"hypervisors", "control_plane", "workers"})),
    (seating.own_tenants, frozenset({"name", "hypervisors", "control_plane", "workers"})),
    (seating.seats, SEATS),
    (machines.names, frozenset({"name", "control_plane", "workers", "cluster"})),
    (machines.cpu_modes, SEATS),
    (machines.raw_image, frozenset({"hypervisors", "image"})),
    (residency.hypervisors, frozenset({"residency", "hypervisors"})),
    (residency.image, frozenset({"residency", "image"})),
    (residency.calico, frozenset({"residency", "pod_network"})),
    (residency.ingress, frozenset({"residency", "ingress"})),
    (residency.state_backend, frozenset({"residency", "state_backend"})),
    (residency.report, frozenset({"residency", "applications"})),
    (networks.overlaps, frozenset({"network", "pod_network", "cluster"})),
    (networks.infrastructure, frozenset({"network", "pod_network", "cluster"})),
    (networks.time_servers, frozenset({"network", "pod_network", "cluster", "node"})),
    (networks.node_addresses, frozenset({"network", "cluster", "control_plane", "workers"})),
    (networks.pod_blocks, frozenset({"pod_network", "control_plane", "workers"})),
    (networks.pod_addresses, frozenset({"pod_network", "cluster"})),
    (pods.mtu, frozenset({"network", "pod_network"})),
    (pods.pools, NODES),
    (pods.router_addresses, frozenset({"network", "pod_network", "cluster", "control_plane", "workers"})),
    (pods.router_networks, frozenset({"network", "pod_network", "cluster"})),
    (pods.announced, frozenset({"pod_network", "cluster"})),
    (pods.listen_port, frozenset({"pod_network", "cluster"})),
    (bgp.matched, NODES),
    (bgp.belonging, NODES),
    (bgp.autonomous_systems, NODES),
    (bgp.reachability, NODES),
    (calico.as_numbers, frozenset({"pod_network"})),
    (calico.unknown_manifests, frozenset({"pod_network"})),
    (calico.impossible_pairs, frozenset({"pod_network", "kube_proxy"})),
    (cluster.labels_and_taints, frozenset({"control_plane", "workers"})),
    (cluster.leaders, frozenset({"control_plane", "cluster"})),
    (cluster.etcd_times, frozenset({"cluster"})),
    (cluster.conntrack_memory, frozenset({"control_plane", "workers", "node"})),
    (cluster.proxy_requests, frozenset({"control_plane", "workers", "kube_proxy"})),
    (cluster.proxy_mode, frozenset({"cluster", "kube_proxy"})),
    (ingress.addresses, frozenset({"ingress", "pod_network", "cluster"})),
    (ingress.host_ports, NODES | {"ingress", "cluster"}),
    (ingress.placement, NODES | {"ingress"}),
    (ingress.expectations, NODES | {"ingress", "node"}),
    (ingress.domain, frozenset({"ingress", "cluster"})),
    (residency.dependencies, frozenset({"residency", "dependencies"})),
    (dependencies.addresses, frozenset({"network", "pod_network", "cluster", "dependencies"})),
)
"""Each check with the areas that it reads: it runs when those are right in themselves, whatever the others are."""


def mistakes(environment: "Environment", sound: frozenset[str]) -> list[Problem]:
    """Everything in which the areas disagree, as far as the areas in `sound` show it."""
    return [problem for check, areas in MISTAKES if areas <= sound for problem in check(environment)]


def warnings(environment: "Environment") -> list[Problem]:
    """Legal choices that cost something."""
    return [*environment.kube_proxy.warnings(environment.cluster.minor), *risks.risks(environment)]
