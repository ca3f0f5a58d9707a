"""The pods' network against links, nodes and ports: MTU, pools, routers, the port of BGP."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.bgp import PATH, known_nodes, some
from settings.checks.networks import announced_networks, cluster_networks
from settings.checks.sets import path_of
from settings.cluster import OCCUPIED_PORTS
from settings.declared import matches
from settings.machine import count_of

if TYPE_CHECKING:
    from settings.environment import Environment

CALICO_PORTS = {9098: "Typha", 9099: "calico-node's health", 5473: "Typha", 5443: "Calico's API server"}
"""Ports of Calico's own programs on a node."""


def mtu(environment: "Environment") -> Iterator[Problem]:
    """Pods' packets, with what is put around them, fit the link."""
    pods, link = environment.pod_network, environment.network.mtu
    limit = link - pods.overhead
    if pods.mtu is not None and pods.mtu > limit:
        less = f" less {pods.overhead} for {pods.overhead_of}" if pods.overhead else ""
        yield Problem("pod_network.mtu", f"is {pods.mtu}, limit {limit} (network.mtu {link}{less}); lower it, or leave it out")


def pools(environment: "Environment") -> Iterator[Problem]:
    """Every node finds a block in a pool that is for it."""
    pods, nodes = environment.pod_network, known_nodes(environment)
    if pods.kind != "calico":
        return
    without = [node for node in nodes if not any(matches(pool.nodes, node.all_labels) for pool in pods.all_pools)]
    if without:
        yield Problem("pod_network.pools", f"has none for {some(without)}, needed for all nodes; add one, or widen the nodes of another")
    blocks = sum(pool.blocks for pool in pods.all_pools)
    if len(nodes) > blocks:
        yield Problem("pod_network.pools", f"has room for {blocks} blocks, needed {len(nodes)} (one a node); widen a pool, or raise its block_prefix")


def router_addresses(environment: "Environment") -> Iterator[Problem]:
    """A router has an address of its own, outside all that the cluster announces."""
    network = environment.network
    taken = {environment.cluster.endpoint.address: "cluster.endpoint"}
    taken |= dict(_machines(environment))
    for name, router in environment.pod_network.bgp.routers.items():
        path, address = f"{PATH}.routers.{name}.address", router.address
        for other, inner in cluster_networks(environment).items():
            if address in inner:
                yield Problem(path, f"is {address}, inside {other} {inner}, which the nodes announce; name the router's own address outside")
        if address in (network.cidr.network_address, network.cidr.broadcast_address):
            yield Problem(path, f"is {address}, the network or broadcast address of network.cidr {network.cidr}; name the router's own address")
        elif address in taken:
            yield Problem(path, f"is {address}, the address of {taken[address]}; name the router's own address")
        if router.ttl_security_hops == 1 and address not in network.cidr:
            yield Problem(
                f"{PATH}.routers.{name}.ttl_security_hops",
                f"is 1, limit: at least 2 for a router outside network.cidr {network.cidr}; count the hops to it",
            )


def _machines(environment: "Environment") -> Iterator[tuple[IPv4Address, str]]:
    network = environment.network.cidr
    for name, node_set in environment.node_sets().items():
        for host in range(node_set.first_host, node_set.first_host + count_of(node_set)):
            if host < network.num_addresses:
                yield network[host], f"a machine of {path_of(name)}"


def announced(environment: "Environment") -> Iterator[Problem]:
    """Communities are put on routes that there are."""
    ranges = announced_networks(environment)
    for index, advertisement in enumerate(environment.pod_network.bgp.advertisements):
        if not any(advertisement.cidr.subnet_of(network) or network.subnet_of(advertisement.cidr) for network in ranges):
            listed = ", ".join(str(network) for network in ranges)
            yield Problem(
                f"{PATH}.advertisements[{index}].cidr",
                f"is {advertisement.cidr}, of which nothing is announced, announced: {listed}; name one of them",
            )


def listen_port(environment: "Environment") -> Iterator[Problem]:
    """The port of BGP is free on every node."""
    port, cluster, path = environment.pod_network.bgp.listen_port, environment.cluster, f"{PATH}.listen_port"
    others = {**CALICO_PORTS, **OCCUPIED_PORTS, cluster.endpoint.port: "the API server"}
    first, last = cluster.node_port_range
    if port in others:
        yield Problem(path, f"is {port}, where {others[port]} listens; write 179 or another free port")
    if first <= port <= last:
        yield Problem(path, f"is {port}, limits: outside {first}-{last} (NodePort Services); write 179 or another free port")


def router_networks(environment: "Environment") -> Iterator[Problem]:
    """What a router announces is neither the nodes' network nor anything that the nodes announce."""
    own: dict[str, IPv4Network] = {"network.cidr": environment.network.cidr, **cluster_networks(environment)}
    for name, router in environment.pod_network.bgp.routers.items():
        for index, network in enumerate(router.networks):
            for other, inner in own.items():
                if network.overlaps(inner):
                    path = f"{PATH}.routers.{name}.networks[{index}]"
                    yield Problem(path, f"is {network}, which overlaps {other} {inner}; choose networks apart from each other")
