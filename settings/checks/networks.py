"""Networks and addresses: apart from each other, inside where they must be, used once."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.sets import path_of
from settings.machine import NodeSet, count_of

if TYPE_CHECKING:
    from settings.environment import Environment


RANGES = ("external", "load_balancer")


def overlaps(environment: "Environment") -> Iterator[Problem]:
    """Nodes, pods, Services and what else the cluster announces have networks of their own."""
    networks = {"network.cidr": environment.network.cidr, **cluster_networks(environment)}
    for (left, one), (right, other) in combinations(networks.items(), 2):
        if one.overlaps(other):
            yield Problem(right, f"is {other}, which overlaps {left} {one}; choose networks apart from each other")


def cluster_networks(environment: "Environment") -> dict[str, IPv4Network]:
    """Networks that are the cluster's own, by their place in the stack file."""
    services = environment.pod_network.services
    ranges = {f"pod_network.services.{name}[{index}]": network for name in RANGES for index, network in enumerate(getattr(services, name))}
    return {"pod_network.cidr": environment.pod_network.cidr, "cluster.service_network": environment.cluster.service_network, **ranges}


def announced_networks(environment: "Environment") -> tuple[IPv4Network, ...]:
    """Networks of which nodes announce routes."""
    pods = environment.pod_network
    services = (environment.cluster.service_network,) if pods.services.cluster else ()
    return (*(pool.cidr for pool in pods.all_pools), *services, *pods.services.external, *pods.services.load_balancer)


def _inside(path: str, address: IPv4Address, network: IPv4Network) -> Iterator[Problem]:
    if address not in network:
        yield Problem(path, f"is {address}, outside network.cidr {network}; name an address inside")
    elif address in (network.network_address, network.broadcast_address):
        kind = "network" if address == network.network_address else "broadcast"
        yield Problem(path, f"is {address}, the {kind} address of network.cidr {network}; name another address inside")


def infrastructure(environment: "Environment") -> Iterator[Problem]:
    """Gateway, API endpoint and name servers are where nodes can reach them."""
    network, endpoint = environment.network, environment.cluster.endpoint
    yield from _inside("network.gateway", network.gateway, network.cidr)
    if endpoint.held_by == "keepalived" or endpoint.address in network.cidr:
        yield from _inside("cluster.endpoint.address", endpoint.address, network.cidr)
    if endpoint.address == network.gateway:
        yield Problem("cluster.endpoint.address", f"is {endpoint.address}, the same as network.gateway; choose a free address")
    servers = {f"network.dns[{index}]": address for index, address in enumerate(network.dns)}
    for path, address in servers.items():
        if address in network.cidr:
            yield from _inside(path, address, network.cidr)
        if address == endpoint.address != network.gateway and endpoint.held_by == "keepalived":
            yield Problem(path, f"is {address}, the same as cluster.endpoint.address; name a name server")
    external = {"cluster.endpoint.address": endpoint.address} if endpoint.held_by == "external" else {}
    yield from outside_cluster(environment, {**servers, **external})


def time_servers(environment: "Environment") -> Iterator[Problem]:
    """Time servers named by address are where nodes can reach them before there is a cluster."""
    numbers = {
        f"node.time.servers[{index}]": IPv4Address(server)
        for index, server in enumerate(environment.node.time.servers)
        if server.replace(".", "").isdigit()
    }
    yield from outside_cluster(environment, numbers)


def outside_cluster(environment: "Environment", addresses: dict[str, IPv4Address]) -> Iterator[Problem]:
    """Addresses, by their place in the stack file, that are none of the cluster's own."""
    for path, address in addresses.items():
        for name, inner in cluster_networks(environment).items():
            if address in inner and address not in environment.network.cidr:
                yield Problem(path, f"is {address}, inside {name} {inner}, which nodes reach in the cluster only; choose an address outside")


def node_addresses(environment: "Environment") -> Iterator[Problem]:
    """Every machine has an address of its own inside the node network."""
    network = environment.network.cidr
    taken = {address: f"network.dns[{index}]" for index, address in enumerate(environment.network.dns)}
    taken |= {environment.network.gateway: "network.gateway", environment.cluster.endpoint.address: "cluster.endpoint.address"}
    for name, node_set in environment.node_sets().items():
        yield from _set_addresses(name, node_set, network, taken)


def _set_addresses(name: str, node_set: NodeSet, network: IPv4Network, taken: dict[IPv4Address, str]) -> Iterator[Problem]:
    path, count = f"{path_of(name)}.first_host", count_of(node_set)
    last, limit = node_set.first_host + count - 1, network.num_addresses - 2
    if count and last > limit:
        machines = "1 machine" if count == 1 else f"{count} machines, so the last has {last}"
        yield Problem(path, f"is {node_set.first_host} for {machines}, limit {limit} in {network}; lower it or widen the network")
        return
    for host in range(node_set.first_host, last + 1):
        address = network[host]
        if address in taken:
            yield Problem(path, f"gives {address} to a machine, an address that {taken[address]} has; move one of them")
            return
        taken[address] = path


def pod_blocks(environment: "Environment") -> Iterator[Problem]:
    """Every node gets a block of the pod network."""
    pods = environment.pod_network
    blocks = 2 ** (pods.node_prefix - pods.cidr.prefixlen)
    nodes = sum(count_of(node_set) for node_set in environment.node_sets().values())
    if nodes > blocks:
        yield Problem("pod_network.cidr", f"is {pods.cidr} with /{pods.node_prefix} a node, room for {blocks} nodes, needed {nodes}; widen it")


def pod_addresses(environment: "Environment") -> Iterator[Problem]:
    """Where the controller manager hands out a node's block, it has addresses for the pods that the kubelet takes."""
    pods, cluster = environment.pod_network, environment.cluster
    room = pods.pods_per_node
    if pods.kind == "external" and cluster.max_pods > room:
        yield Problem(
            "pod_network.node_prefix",
            f"is {pods.node_prefix}, addresses for {room} pods a node, but cluster.kubelet.maxPods is {cluster.max_pods}; "
            f"write maxPods: {room} or a lower node_prefix",
        )
