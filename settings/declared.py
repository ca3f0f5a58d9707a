"""The nodes that the settings declare: name, place, labels, and what each is in BGP."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings.bgp import REFLECTOR_LABEL, Bgp, NodeMatch
from settings.machine import NodeSet, count_of

if TYPE_CHECKING:
    from settings.environment import Environment


@dataclass(frozen=True, kw_only=True)
class DeclaredNode:
    """A node as far as the settings alone say what it is."""

    name: str
    """Host name and node name: <environment>-<set>-<number>."""
    node_set: str
    """`cp` or the worker pool's name."""
    index: int
    """From 0 within its set."""
    hypervisor: str
    host: int
    """Host number in the node network."""
    labels: dict[str, str]
    """Labels that underlay keeps on the node."""
    all_labels: dict[str, str]
    """All labels that a match can name: also those that the kubelet and kubeadm set."""
    reflector: str | None
    """Name of the first cluster of reflectors to which the node belongs, where the topology has any."""
    as_number: int


def matches(match: NodeMatch, labels: dict[str, str]) -> bool:
    """Whether a node with these labels has all that the match names; an empty match takes every node."""
    return match.items() <= labels.items()


def declared_nodes(environment: "Environment") -> Iterator[DeclaredNode]:
    """Control planes first, then workers in the order of their pools; placements must name hypervisors that there are."""
    for name, node_set in environment.node_sets().items():
        for index in range(count_of(node_set)):
            yield _declared(environment, name, node_set, index)


def _declared(environment: "Environment", set_name: str, node_set: NodeSet, index: int) -> DeclaredNode:
    bgp, hypervisor = environment.pod_network.bgp, node_set.place(index)
    name = f"{environment.name}-{set_name}-{index + 1}"
    location = environment.hypervisors[hypervisor].location
    labels = {
        "topology.kubernetes.io/region": location.country.lower(),
        "topology.kubernetes.io/zone": location.site,
        "underlay.dev/hypervisor": hypervisor,
        "underlay.dev/pool": set_name,
        **node_set.labels,
    }
    others = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    if set_name == "cp":
        others["node-role.kubernetes.io/control-plane"] = ""
    reflector = next(iter(clusters_of(bgp, {**labels, **others})), None)
    if reflector is not None:
        labels[REFLECTOR_LABEL] = reflector
    all_labels = {**labels, **others}
    rack = next(iter(racks_of(bgp, all_labels)), None)
    return DeclaredNode(
        name=name,
        node_set=set_name,
        index=index,
        hypervisor=hypervisor,
        host=node_set.first_host + index,
        labels=labels,
        all_labels=all_labels,
        reflector=reflector,
        as_number=bgp.racks[rack].as_number if rack is not None else bgp.as_number,
    )


def clusters_of(bgp: Bgp, labels: dict[str, str]) -> list[str]:
    """Names of the clusters of reflectors to which a node with these labels belongs."""
    if bgp.topology != "route-reflectors":
        return []
    return [name for name, cluster in bgp.route_reflectors.items() if matches(cluster.nodes, labels)]


def racks_of(bgp: Bgp, labels: dict[str, str]) -> list[str]:
    """Names of the racks in which a node with these labels stands."""
    return [name for name, rack in bgp.racks.items() if matches(rack.nodes, labels)]
