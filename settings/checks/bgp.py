"""BGP against the nodes: labels match somebody, reflection stays inside an AS, every node learns the others' blocks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.bgp import NodeMatch
from settings.declared import DeclaredNode, clusters_of, declared_nodes, matches, racks_of

if TYPE_CHECKING:
    from settings.environment import Environment

PATH = "pod_network.bgp"


def known_nodes(environment: "Environment") -> tuple[DeclaredNode, ...]:
    """The declared nodes, as far as they have a seat; what has none has a line of its own."""
    return tuple(declared_nodes(environment))


def some(nodes: list[DeclaredNode]) -> str:
    """The first node by name, and how many more there are."""
    return nodes[0].name if len(nodes) == 1 else f"{nodes[0].name} and {len(nodes) - 1} more"


def matched(environment: "Environment") -> Iterator[Problem]:
    """Whoever is chosen by labels is there."""
    nodes, network = known_nodes(environment), environment.pod_network
    reflecting = network.bgp.route_reflectors if network.bgp.topology == "route-reflectors" else {}
    choices: dict[str, NodeMatch] = {f"pod_network.pools[{index}].nodes": pool.nodes for index, pool in enumerate(network.pools)}
    choices |= {f"{PATH}.racks.{name}.nodes": rack.nodes for name, rack in network.bgp.racks.items()}
    choices |= {f"{PATH}.routers.{name}.nodes": router.nodes for name, router in network.bgp.routers.items()}
    choices |= {f"{PATH}.route_reflectors.{name}.nodes": cluster.nodes for name, cluster in reflecting.items()}
    choices |= {f"{PATH}.route_reflectors.{name}.clients": cluster.clients for name, cluster in reflecting.items()}
    for path, match in choices.items():
        if nodes and environment.placement.complete and not any(matches(match, node.all_labels) for node in nodes):
            yield Problem(path, "matches no node; name labels that nodes have, such as topology.kubernetes.io/zone, or remove the entry")


def belonging(environment: "Environment") -> Iterator[Problem]:
    """A node reflects in one cluster and stands in one rack."""
    bgp = environment.pod_network.bgp
    for group, found in (("route_reflectors", clusters_of), ("racks", racks_of)):
        seen: set[tuple[str, ...]] = set()
        for node in known_nodes(environment):
            names = tuple(found(bgp, node.all_labels))
            if len(names) > 1 and names not in seen:
                seen.add(names)
                yield Problem(
                    f"{PATH}.{group}.{names[1]}.nodes",
                    f"matches {node.name}, which {names[0]} has too, limit: one of {group} a node; narrow one of them",
                )


def autonomous_systems(environment: "Environment") -> Iterator[Problem]:
    """Sessions between nodes are iBGP: over eBGP a node passes on the others' blocks with itself as next hop."""
    nodes, bgp = known_nodes(environment), environment.pod_network.bgp
    numbers = sorted({node.as_number for node in nodes})
    if bgp.topology == "mesh" and len(numbers) > 1:
        yield Problem(
            f"{PATH}.topology",
            f"is 'mesh' with nodes of AS {numbers[0]} and {numbers[1]}, limit one AS: between two the nodes pass on each other's blocks and traffic "
            "takes wrong nodes; write topology: routers, or route-reflectors with a cluster for each AS",
        )
    if bgp.topology != "route-reflectors":
        return
    for name, cluster in bgp.route_reflectors.items():
        path = f"{PATH}.route_reflectors.{name}"
        members = [node for node in nodes if node.reflector == name]
        strangers = [node for node in members if node.as_number != members[0].as_number]
        if strangers:
            yield Problem(
                f"{path}.nodes",
                f"matches nodes of AS {members[0].as_number} and {strangers[0].as_number}, limit one AS (reflection is iBGP); write a cluster for each",
            )
            continue
        clients = [node for node in nodes if members and node.reflector is None and matches(cluster.clients, node.all_labels)]
        strangers = [node for node in clients if node.as_number != members[0].as_number]
        if strangers:
            yield Problem(
                f"{path}.clients",
                f"matches {some(strangers)} of AS {strangers[0].as_number}, limit: AS {members[0].as_number} of its reflectors (reflection is iBGP); "
                "narrow it to their rack",
            )


def reachability(environment: "Environment") -> Iterator[Problem]:
    """By sessions between nodes and with routers, every node learns every other's blocks."""
    bgp, nodes = environment.pod_network.bgp, known_nodes(environment)
    reflecting = {node.reflector for node in nodes}
    silent = bgp.topology == "route-reflectors" and not reflecting.issuperset(bgp.route_reflectors)
    if not nodes or bgp.topology == "mesh" or silent or (bgp.topology == "routers" and not bgp.routers):
        return  # a cluster without a node, or no router, has a line of its own
    there = islands(environment, nodes, through_routers=True)
    largest = max(there, key=len)
    cut_off = [node for node, island in zip(nodes, there, strict=True) if island != largest]
    if cut_off:
        remedy = "name a router for them" if bgp.topology == "routers" else "name them in a cluster's clients, or name a router for them"
        yield Problem(
            f"{PATH}.topology", f"is '{bgp.topology}', by which {some(cut_off)} would not learn the other nodes' blocks, needed for all; {remedy}"
        )


def islands(environment: "Environment", nodes: tuple[DeclaredNode, ...], *, through_routers: bool) -> list[frozenset[str]]:
    """For each node the set of those that hear of each other by sessions between nodes, and by routers if these count."""
    bgp = environment.pod_network.bgp
    circles: list[set[str]] = [
        {node.name for node in nodes if node.reflector and node.as_number == number} for number in {n.as_number for n in nodes}
    ]
    for name, cluster in bgp.route_reflectors.items() if bgp.topology == "route-reflectors" else ():
        members = {node.name for node in nodes if node.reflector == name}
        circles.append(members | {node.name for node in nodes if members and node.reflector is None and matches(cluster.clients, node.all_labels)})
    if bgp.topology == "mesh":
        circles.append({node.name for node in nodes})
    if through_routers:  # routers pass on to each other what they hear
        circles.append({node.name for node in nodes if any(matches(router.nodes, node.all_labels) for router in bgp.routers.values())})
    return _joined([node.name for node in nodes], circles)


def _joined(names: list[str], circles: list[set[str]]) -> list[frozenset[str]]:
    """For each name the union of all circles that it is in, directly or through others."""
    island = {name: {name} for name in names}
    for circle in circles:
        whole = {member for name in circle for member in island[name]}
        for name in whole:
            island[name] = whole
    frozen = {id(members): frozenset(members) for members in island.values()}
    return [frozen[id(island[name])] for name in names]
