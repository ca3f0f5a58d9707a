"""The pods' network: what costs something, does nothing, or fails with the first loss."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.bgp import Bgp
from settings.checks.bgp import PATH, islands, known_nodes, some
from settings.checks.calico import untested_pairs
from settings.declared import matches
from settings.pod_network import OVERHEAD, WIREGUARD_OVERHEAD

if TYPE_CHECKING:
    from settings.environment import Environment

MOST_IN_A_MESH = 100
"""Nodes that Calico's own documentation gives a mesh."""


def pod_risks(environment: "Environment") -> Iterator[Problem]:
    """All warnings of the pods' network."""
    for check in (_ignored, _bytes, _services, _mesh, _lonely, _own_paths, _sessions, _unused, untested_pairs):
        yield from check(environment)


def _ignored(environment: "Environment") -> Iterator[Problem]:
    pods = environment.pod_network
    if pods.kind == "external":
        for name in ("calico", "encapsulation", "wireguard"):
            if name in pods.model_fields_set:
                yield Problem(f"pod_network.{name}", "is ignored: kind is external; remove it, or write kind: calico")
        if "node_address" in pods.bgp.model_fields_set:
            yield Problem(f"{PATH}.node_address", "is ignored: kind is external; remove it, or write kind: calico")
    if pods.bgp.topology != "route-reflectors" and pods.bgp.route_reflectors:
        yield Problem(f"{PATH}.route_reflectors", f"is ignored: topology is {pods.bgp.topology}; remove it, or write topology: route-reflectors")


def _bytes(environment: "Environment") -> Iterator[Problem]:
    pods, link = environment.pod_network, environment.network.mtu
    left = link - pods.overhead
    protocol, when = pods.encapsulation.protocol, pods.encapsulation.when
    if pods.kind == "calico" and protocol != "none":
        idle = ": all nodes are in network.cidr, so that no packet gets them, yet pods lose the bytes" if when == "cross-subnet" else ""
        yield Problem(
            "pod_network.encapsulation",
            f"is {protocol} {when}, {OVERHEAD[protocol]} bytes a packet{idle}; pods get an MTU of {pods.mtu or left} on a link of {link}; "
            "write protocol: none where the network carries plain packets",
        )
    if pods.kind == "calico" and pods.wireguard:
        yield Problem(
            "pod_network.wireguard",
            f"costs {WIREGUARD_OVERHEAD} bytes a packet and CPU; pods get an MTU of {pods.mtu or left} on a link of {link}; "
            "leave it out where the wire is trusted",
        )
    if pods.mtu is not None and pods.mtu < left:
        yield Problem("pod_network.mtu", f"is {pods.mtu}, less than the {left} that fit the link: more packets for the same bytes; leave it out")


def _services(environment: "Environment") -> Iterator[Problem]:
    pods = environment.pod_network
    services, routers = pods.services, pods.bgp.routers
    if "assign" in services.model_fields_set and not services.load_balancer:
        yield Problem("pod_network.services.assign", "is ignored: load_balancer names no range; name one, or remove assign")
    for name in ("cluster", "external", "load_balancer"):
        if getattr(services, name) and not routers:
            yield Problem(f"pod_network.services.{name}", f"is announced to no router: there is none in {PATH}.routers; name one, or remove it")
    for index, pool in enumerate(pods.pools):
        if not pool.nat_outgoing and not routers:
            path = f"pod_network.pools[{index}].nat_outgoing"
            yield Problem(path, f"is false, and no router learns the way back: there is none in {PATH}.routers; name one, or write true")


def _mesh(environment: "Environment") -> Iterator[Problem]:
    count = len(known_nodes(environment))
    if environment.pod_network.bgp.topology == "mesh" and count > MOST_IN_A_MESH:
        yield Problem(
            f"{PATH}.topology",
            f"is mesh with {count} nodes, {count - 1} sessions on each, limit about {MOST_IN_A_MESH} nodes; write topology: route-reflectors",
        )


def _lonely(environment: "Environment") -> Iterator[Problem]:
    bgp, nodes = environment.pod_network.bgp, known_nodes(environment)
    if bgp.topology == "route-reflectors":
        for name in bgp.route_reflectors:
            members = [node for node in nodes if node.reflector == name]
            if len(members) == 1 < len(nodes):
                path = f"{PATH}.route_reflectors.{name}.nodes"
                yield Problem(path, f"matches {members[0].name} alone: losing it loses its clients' routes; choose labels of two nodes")
    if bgp.topology == "routers":
        alone = [node for node in nodes if sum(matches(router.nodes, node.all_labels) for router in bgp.routers.values()) == 1]
        if alone and len(nodes) > 1:
            yield Problem(f"{PATH}.routers", f"gives {some(alone)} one router each: losing it loses all routes; name two for each node")


def _own_paths(environment: "Environment") -> Iterator[Problem]:
    """Nodes of one AS that hear of each other by eBGP only drop each other's routes: their own AS is in the path."""
    bgp, nodes = environment.pod_network.bgp, known_nodes(environment)
    there = islands(environment, nodes, through_routers=False)
    for number in sorted({node.as_number for node in nodes}):
        apart = {island for node, island in zip(nodes, there, strict=True) if node.as_number == number}
        deaf = [node for node in nodes if node.as_number == number and not _hears_its_own(bgp, node.all_labels, number)]
        if len(apart) > 1 and deaf:
            yield Problem(
                f"{PATH}.topology",
                f"is {bgp.topology}: {some(deaf)} of AS {number} hear of other nodes of AS {number} by routers of other systems only, and drop routes "
                "with their own AS in the path: load what router-config prints, which replaces it, or write allow_own_as: 1",
            )


def _hears_its_own(bgp: Bgp, labels: dict[str, str], number: int) -> bool:
    return any((router.as_number == number or router.allow_own_as) and matches(router.nodes, labels) for router in bgp.routers.values())


def _sessions(environment: "Environment") -> Iterator[Problem]:
    pods, nodes = environment.pod_network, known_nodes(environment)
    needed = pods.prefixes_of_a_node(environment.cluster.max_pods)
    for name, router in pods.bgp.routers.items():
        path = f"{PATH}.routers.{name}"
        peers = [node for node in nodes if matches(router.nodes, node.all_labels)]
        internal = bool(peers) and all(node.as_number == router.as_number for node in peers)
        if router.bfd and pods.kind == "calico":
            yield Problem(
                f"{path}.bfd", "has no effect on Calico's side, whose BIRD is not configured for it; remove it, or rely on hold and restart times"
            )
        if router.next_hop == "keep" and internal:
            yield Problem(f"{path}.next_hop", "is keep, which Calico uses on eBGP sessions only, and iBGP keeps it by itself; remove it")
        if router.allow_own_as is not None and internal:
            yield Problem(f"{path}.allow_own_as", "is ignored on iBGP sessions; remove it")
        if router.max_prefixes is not None and router.max_prefixes < needed:
            yield Problem(
                f"{path}.max_prefixes", f"is {router.max_prefixes}, less than the {needed} that a node may announce; raise it, or leave it out"
            )


def _unused(environment: "Environment") -> Iterator[Problem]:
    bgp = environment.pod_network.bgp
    used = {name for router in bgp.routers.values() for name in router.filters}
    for name in bgp.filters:
        if name not in used:
            yield Problem(f"{PATH}.filters.{name}", "is used by no router; name it in a router's filters, or remove it")
    named = {community for advertisement in bgp.advertisements for community in advertisement.communities}
    for name in bgp.communities:
        if name not in named:
            yield Problem(f"{PATH}.communities.{name}", "is used by no advertisement; name it there, or remove it")
