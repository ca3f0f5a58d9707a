"""BGP: every speaker and every session, computed before anything runs."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from plan.node import NodePlan
from settings.bgp import Bgp, NodeMatch, ReflectorCluster, Router
from settings.pod_network import Pool

REFLECTOR_LABEL = "underlay.dev/route-reflector"
"""Node label that names the cluster of reflectors to which the node belongs."""
PREFIXES_FOR_LOCAL_SERVICES = 1024
"""Room for addresses of Services with externalTrafficPolicy Local, each a route of its own."""
BLOCKS_BEYOND_NEED = 4
"""A node's blocks may be this many times those that its pods need: pods come and go before blocks are given back."""


@dataclass(frozen=True, kw_only=True)
class SpeakerPlan:
    """A node as a BGP speaker."""

    node: str
    address: IPv4Address
    as_number: int
    reflector: str | None
    """Name of the cluster of reflectors to which the node belongs; None: it reflects nothing."""
    cluster_id: IPv4Address | None
    """Cluster ID of a reflecting node."""
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Session:
    """One BGP session as a node sees it."""

    peer: str
    """Name of the node or of the router at the other end."""
    peer_address: IPv4Address
    peer_as: int
    kind: Literal["node", "client", "reflector", "router"]
    """What the peer is to the node: an equal, a client that it serves, a reflector that serves it, or a router outside."""
    router: Router | None = None
    """Settings of a router's session."""


@dataclass(frozen=True, kw_only=True)
class ReflectorPlan:
    """A cluster of reflectors with the nodes that it serves."""

    name: str
    settings: ReflectorCluster
    members: tuple[SpeakerPlan, ...]
    clients: tuple[SpeakerPlan, ...]


@dataclass(frozen=True, kw_only=True)
class RouterPlan:
    """A router outside with the nodes that peer with it."""

    name: str
    settings: Router
    speakers: tuple[SpeakerPlan, ...]
    max_prefixes: int
    """Most routes that the router should take from one node."""


@dataclass(frozen=True, kw_only=True)
class BgpPlan:
    """Speakers, reflectors and routers of one environment, and what they announce."""

    settings: Bgp
    speakers: tuple[SpeakerPlan, ...]
    reflectors: tuple[ReflectorPlan, ...]
    routers: tuple[RouterPlan, ...]
    pools: tuple[Pool, ...]
    """Pools whose blocks nodes announce."""
    service_ranges: tuple[IPv4Network, ...]
    """Ranges of Service addresses that nodes announce, whole or address by address."""

    @property
    def mesh(self) -> bool:
        """Whether every node has a session with every other."""
        return self.settings.topology == "mesh"

    def speaker(self, node: str) -> SpeakerPlan:
        """The speaker of a node; KeyError where there is no such node."""
        found = next((speaker for speaker in self.speakers if speaker.node == node), None)
        if found is None:
            raise KeyError(node)
        return found

    def sessions(self, node: str) -> tuple[Session, ...]:
        """All sessions of a node: other nodes first, then routers, each in the order of the plan."""
        own = self.speaker(node)
        peers = [_session(own, other, self.reflectors, mesh=self.mesh) for other in self.speakers if other.node != node]
        routers = [
            Session(peer=router.name, peer_address=router.settings.address, peer_as=router.settings.as_number, kind="router", router=router.settings)
            for router in self.routers
            if own in router.speakers
        ]
        return tuple(session for session in (*peers, *routers) if session)


def matching(nodes: tuple[NodePlan, ...], match: NodeMatch) -> tuple[NodePlan, ...]:
    """Nodes that have all labels of the match; an empty match means all nodes."""
    return tuple(node for node in nodes if match.items() <= dict(node.labels).items())


def _session(own: SpeakerPlan, other: SpeakerPlan, reflectors: tuple[ReflectorPlan, ...], *, mesh: bool) -> Session | None:
    kind: Literal["node", "client", "reflector"] | None = "node" if mesh else None
    for cluster in reflectors if not mesh else ():
        if other in cluster.members and own in cluster.clients and own not in cluster.members:
            kind = kind or "reflector"
        if own in cluster.members and other in cluster.clients and other not in cluster.members:
            kind = kind or "client"
    if own.reflector and other.reflector and not mesh:
        kind = "node"
    if kind is None:
        return None
    return Session(peer=other.node, peer_address=other.address, peer_as=other.as_number, kind=kind)
