"""BGP: every speaker and every session, computed before anything runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from typing import Literal, TypeVar

from settings.bgp import REFLECTOR_LABEL, Bgp, ReflectorCluster, Router
from settings.pod_network import Pool

__all__ = ["REFLECTOR_LABEL", "BgpPlan", "ReflectorPlan", "RouterPlan", "Session", "SpeakerPlan"]

Entry = TypeVar("Entry")
PeerKind = Literal["node", "client", "reflector", "router"]


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
    kind: PeerKind
    """What the peer is to the node: an equal, a client that it serves, a reflector that serves it, or a router outside."""
    router: Router | None = None
    """Settings of a router's session."""


@dataclass(frozen=True, kw_only=True)
class ReflectorPlan:
    """A cluster of reflectors with the nodes that it serves."""

    name: str
    settings: ReflectorCluster
    members: tuple[SpeakerPlan, ...]
    """Nodes that reflect."""
    clients: tuple[SpeakerPlan, ...]
    """Nodes that they serve; none of them reflects."""


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

    @cached_property
    def password_users(self) -> dict[str, list[str]]:
        """Names of the passwords that routers use, and the routers that use each."""
        return _gathered((password, router.name) for router in self.routers if (password := router.settings.password) is not None)

    @cached_property
    def reflector_groups(self) -> tuple[tuple[str, ...], ...]:
        """Clusters of reflectors by autonomous system: the reflectors of one group have sessions with each other, those of two groups have not."""
        groups: dict[int, list[str]] = {}
        for cluster in self.reflectors:
            for as_number in dict.fromkeys(member.as_number for member in cluster.members):
                groups.setdefault(as_number, []).append(cluster.name)
        return tuple(tuple(names) for names in groups.values())

    def speaker(self, node: str) -> SpeakerPlan:
        """The speaker of a node; KeyError where there is no such node."""
        return self._by_name[node]

    def sessions(self, node: str) -> tuple[Session, ...]:
        """All sessions of a node: other nodes first, then routers, each in the order of the plan."""
        own = self.speaker(node)
        peers = self._node_peers(own)
        nodes = [_node_session(other, peers[other.node]) for other in self.speakers if other.node in peers]
        return (*nodes, *self._router_sessions.get(node, ()))

    def _node_peers(self, own: SpeakerPlan) -> dict[str, PeerKind]:
        """Names of the nodes that it has sessions with, and what each is to it."""
        peers: dict[str, PeerKind] = {}
        if self.mesh:
            peers = dict.fromkeys(self._by_name, "node")
        elif own.reflector is not None:
            cluster = next(cluster for cluster in self.reflectors if cluster.name == own.reflector)
            peers = {client.node: "client" for client in cluster.clients}
            equals = (member for other in self.reflectors for member in other.members if member.as_number == own.as_number)
            peers |= {member.node: "node" for member in equals}
        else:
            for cluster in self._serving.get(own.node, ()):
                peers |= {member.node: "reflector" for member in cluster.members}
        peers.pop(own.node, None)
        return peers

    @cached_property
    def _by_name(self) -> dict[str, SpeakerPlan]:
        return {speaker.node: speaker for speaker in self.speakers}

    @cached_property
    def _serving(self) -> dict[str, list[ReflectorPlan]]:
        """The clusters that serve each node."""
        return _gathered((client.node, cluster) for cluster in self.reflectors for client in cluster.clients)

    @cached_property
    def _router_sessions(self) -> dict[str, list[Session]]:
        return _gathered((speaker.node, _router_session(router)) for router in self.routers for speaker in router.speakers)


def _gathered(pairs: Iterator[tuple[str, Entry]]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _node_session(peer: SpeakerPlan, kind: PeerKind) -> Session:
    return Session(peer=peer.node, peer_address=peer.address, peer_as=peer.as_number, kind=kind)


def _router_session(router: RouterPlan) -> Session:
    settings = router.settings
    return Session(peer=router.name, peer_address=settings.address, peer_as=settings.as_number, kind="router", router=settings)
