"""The ingress against networks, nodes and ports: where it can be reached, where it can run, and what its nodes can carry."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.bgp import known_nodes
from settings.checks.ingress_view import View, view
from settings.nginx_tuned import number_of

if TYPE_CHECKING:
    from settings.environment import Environment

RANGES = "pod_network.services.load_balancer"

HOST_PORTS = {
    "ingress-nginx": {
        80: "HTTP",
        443: "HTTPS",
        8181: "its default server",
        8443: "its admission webhook",
        10246: "its own status",
        10247: "its own status",
        10254: "its health",
    },
    "f5-nginx": {80: "HTTP", 443: "HTTPS", 8081: "its readiness", 9113: "its metrics"},
}
"""Ports that a controller on the host's network listens on (ingress-nginx: pkg/flags/flags.go; F5: cmd/nginx-ingress/flags.go)."""


def addresses(environment: "Environment") -> Iterator[Problem]:
    """A load-balancer address comes out of a range that is announced; node ports out of the API server's range."""
    ingress, network = environment.ingress, environment.pod_network
    if ingress is None or ingress.controller == "configmap-only":
        return
    exposure, ranges = ingress.exposure, network.services.load_balancer
    if exposure.kind == "load-balancer" and network.kind == "calico" and not ranges:
        yield Problem(
            "ingress.exposure.kind",
            f"is load-balancer, but {RANGES} names no range to take its address from; name one, or write host-network or node-port",
        )
    elif exposure.address is not None and ranges and not any(exposure.address in inner for inner in ranges):
        listed = ", ".join(str(network) for network in ranges)
        yield Problem(
            "ingress.exposure.address", f"is {exposure.address}, outside {RANGES} {listed}, which is all that is announced; choose one inside"
        )
    first, last = environment.cluster.node_port_range
    for name, port in (("http_node_port", exposure.http_node_port), ("https_node_port", exposure.https_node_port)):
        if port is not None and not first <= port <= last:
            yield Problem(f"ingress.exposure.{name}", f"is {port}, limits {first}-{last} (NodePort Services); choose one inside, or leave it out")


def host_ports(environment: "Environment") -> Iterator[Problem]:
    """A controller on the host's network has its ports to itself."""
    found, path = view(environment), "ingress.exposure.kind"
    if found is None or found.ingress.exposure.kind != "host-network" or not found.is_ours:
        return
    ports, cluster, listen = HOST_PORTS[found.ingress.controller], environment.cluster, environment.pod_network.bgp.listen_port
    first, last = cluster.node_port_range
    if listen in ports:
        yield Problem(
            "pod_network.bgp.listen_port", f"is {listen}, where the ingress controller listens ({ports[listen]}); write 179 or another free port"
        )
    masters = [node for node, _ in found.nodes if node.node_set == "cp"]
    if masters and cluster.endpoint.port in ports:
        port = cluster.endpoint.port
        yield Problem(
            path,
            f"is host-network, whose port {port} ({ports[port]}) is the API server's on {masters[0].name}; keep control planes out by ingress.nodes, "
            "or choose another cluster.endpoint.port",
        )
    taken = next((port for port in sorted(ports) if first <= port <= last), None)
    if taken is not None:
        yield Problem(
            path, f"is host-network, whose port {taken} ({ports[taken]}) is in the range of NodePort Services, {first}-{last}; choose another range"
        )


def placement(environment: "Environment") -> Iterator[Problem]:
    """There are nodes for the controller, as many as it needs and large enough."""
    found = view(environment)
    if found is None or not known_nodes(environment):
        return
    ingress, count = found.ingress, len(found.nodes)
    if not found.nodes and ingress.nodes:
        yield Problem("ingress.nodes", "matches no node; name labels that nodes have, such as topology.kubernetes.io/zone, or remove it")
    elif not found.is_ours:
        return
    elif not found.nodes:
        yield Problem("ingress.nodes", "is empty, and no node takes ordinary pods; name labels of nodes, or add a worker without a taint")
    else:
        if ingress.exposure.kind == "host-network" and ingress.replicas > count:
            yield Problem("ingress.replicas", f"is {ingress.replicas}, limit {count} (host-network: one on each node that may run it); lower it")
        yield from _room(found)


def _room(found: View) -> Iterator[Problem]:
    """The largest node can take a replica's requests."""
    ingress = found.ingress
    millis, memory = (max(limits) for limits in zip(*((shape.vcpus * 1000, shape.memory_mib) for _, shape in found.nodes), strict=True))
    if ingress.cpu_request_millis > millis:
        yield Problem("ingress.cpu_request_millis", f"is {ingress.cpu_request_millis}, limit {millis} (the largest node that may run it); lower it")
    if ingress.memory_request_mib > memory:
        yield Problem("ingress.memory_request_mib", f"is {ingress.memory_request_mib}, limit {memory} (the largest node that may run it); lower it")


def expectations(environment: "Environment") -> Iterator[Problem]:
    """The expected connections find workers, and room in the nodes' connection tables."""
    found = view(environment)
    if found is None or found.ingress.expected_connections is None or not found.nodes:
        return
    ingress, capacity, expected = found.ingress, found.capacity, found.ingress.expected_connections
    path, limit, table = "ingress.expected_connections", found.ingress.replicas * found.capacity.clients, environment.node.conntrack.max_entries
    if expected > limit:
        each = number_of(found.values, "max_worker_connections")
        yield Problem(
            path,
            f"is {expected}, limit {limit} ({ingress.replicas} replicas with {capacity.workers} workers of {each} connections, two for each client); "
            "lower it, or add replicas, workers or max_worker_connections",
        )
        return
    entries = capacity.replicas_on_a_node * 2 * found.clients_of_a_replica
    if entries > table:
        yield Problem(
            path,
            f"is {expected}, which takes {entries} entries of a node's connection table, limit {table} (node.conntrack.max_entries); "
            "raise that, or spread more replicas over more nodes",
        )


def domain(environment: "Environment") -> Iterator[Problem]:
    """Applications get names outside the cluster's own."""
    ingress, inner = environment.ingress, environment.cluster.dns_domain
    if ingress is not None and ingress.domain is not None and f".{ingress.domain}".endswith(f".{inner}"):
        yield Problem(
            "ingress.domain",
            f"is {ingress.domain!r}, inside cluster.dns_domain {inner}, which pods alone can look up; choose a domain of your own DNS",
        )
