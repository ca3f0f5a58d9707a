"""The nodes that the settings declare: name, place, labels, and what each is in BGP."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from placement import Seat
from settings.bgp import REFLECTOR_LABEL, Bgp, NodeMatch
from settings.machine import NodeSet

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
    seat: Seat
    """Where the planner put it."""
    host: int
    """Host number in the node network."""
    labels: dict[str, str]
    """Labels that underlay keeps on the node."""
    all_labels: dict[str, str]
    """All labels that a match can name: also those that the kubelet and kubeadm set."""
    reflector: str | None
    """Name of the first cluster of reflectors to which the node belongs, where the topology has any."""
    as_number: int

    @property
    def hypervisor(self) -> str:
        """Key of the hypervisor that carries it."""
        return self.seat.host


def matches(match: NodeMatch, labels: dict[str, str]) -> bool:
    """Whether a node with these labels has all that the match names; an empty match takes every node."""
    return match.items() <= labels.items()


def declared_nodes(environment: "Environment") -> Iterator[DeclaredNode]:
    """Control planes first, then workers in the order of their pools: all that the planner found a seat for."""
    node_sets = environment.node_sets()
    for seat in environment.placement.seats:
        yield _declared(environment, node_sets[seat.set_name], seat)


def _declared(environment: "Environment", node_set: NodeSet, seat: Seat) -> DeclaredNode:
    bgp, name, set_name = environment.pod_network.bgp, seat.machine, seat.set_name
    location = environment.hypervisors[seat.host].location
    labels = {
        "topology.kubernetes.io/region": location.country.lower(),
        "topology.kubernetes.io/zone": location.site,
        **({"underlay.dev/rack": location.rack} if location.rack else {}),
        "underlay.dev/hypervisor": seat.host,
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
        index=seat.index,
        seat=seat,
        host=node_set.first_host + seat.index,
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
