"""The routers' half of the BGP sessions: what to load into BIRD 2 or FRR, from the declaration that gives the nodes their half."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network

from plan import Plan
from plan.bgp import BgpPlan, RouterPlan, SpeakerPlan
from render.text import fill

MOST_NEXT_HOPS = 64
"""Nodes over which a router spreads one Service address."""
HOLD_S = 30
"""Silence after which a session ends, s; both sides take the lower of theirs. Calico has no BFD, and BIRD's own 240 s is long for a dead node."""
WAIT_S, LONGEST_WAIT_S = 5, 60
"""BIRD's pause after a session's error, doubled up to the longest, s; its own 60 and 300 would keep a node waiting that is well again."""
RETRY_MIN = 5
"""Minutes after which FRR tries a session again that had too many routes."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Prefixes within a network, of one length."""

    network: IPv4Network
    length: int

    @property
    def whole(self) -> bool:
        """Whether the network itself is meant."""
        return self.length == self.network.prefixlen


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Nodes of one autonomous system."""

    as_number: int
    internal: bool
    """Whether it is the router's own."""
    speakers: tuple[SpeakerPlan, ...]


def bird(plan: Plan, router: str) -> str:
    """What BIRD 2 on this router loads; KeyError where there is no such router."""
    return fill("router.bird.j2", **_values(plan, router))


def frr(plan: Plan, router: str) -> str:
    """What FRR on this router loads; KeyError where there is no such router."""
    return fill("router.frr.j2", **_values(plan, router))


def placeholder(secret: str) -> str:
    """What stands for a password in the text, until somebody who may know it puts it in."""
    return f"<bgp_passwords.{secret}>"


def _values(plan: Plan, name: str) -> dict[str, object]:
    bgp = plan.pod_network.bgp
    found = next((router for router in bgp.routers if router.name == name), None)
    if found is None:
        raise KeyError(name)
    router = found.settings
    pods = _distinct(_pod_spans(plan))
    return {
        "environment": plan.settings.name,
        "name": name,
        "router": router,
        "on_link": router.address in plan.settings.network.cidr,
        "password": placeholder(router.password) if router.password else None,
        "neighbours": _neighbours(found),
        "max_prefixes": found.max_prefixes,
        "pods": pods,
        "services": _distinct(_service_spans(bgp.service_ranges)),
        "passes_pods_on": _join_nodes(bgp),
        "overrides_as": router.allow_own_as is None,
        "node_network": plan.settings.network.cidr,
        "next_hops": MOST_NEXT_HOPS,
        "hold_s": HOLD_S,
        "wait_s": WAIT_S,
        "longest_wait_s": LONGEST_WAIT_S,
        "retry_min": RETRY_MIN,
    }


def _join_nodes(bgp: BgpPlan) -> bool:
    """Whether routers have to pass blocks on, because sessions between nodes do not bring them to all."""
    peers = {speaker.node: [session.peer for session in bgp.sessions(speaker.node) if session.kind != "router"] for speaker in bgp.speakers}
    reached, ahead = set[str](), [bgp.speakers[0].node]
    while ahead:
        node = ahead.pop()
        ahead += [peer for peer in peers[node] if peer not in reached]
        reached |= {node, *peers[node]}
    return len(reached) < len(peers)


def _pod_spans(plan: Plan) -> Iterable[Span]:
    """Blocks as nodes announce them: Calico's by pool, those of another CNI as the controller manager hands them out."""
    network = plan.settings.pod_network
    if network.kind == "external":
        yield Span(network=network.cidr, length=network.node_prefix)
        return
    for pool in plan.pod_network.pools:
        yield Span(network=pool.cidr, length=pool.block_prefix)


def _service_spans(ranges: Iterable[IPv4Network]) -> Iterable[Span]:
    """A range as a whole, and single addresses in it: Services with externalTrafficPolicy Local have a route of their own."""
    for network in ranges:
        yield Span(network=network, length=network.prefixlen)
        yield Span(network=network, length=network.max_prefixlen)


def _distinct(spans: Iterable[Span]) -> tuple[Span, ...]:
    return tuple(dict.fromkeys(spans))


def _neighbours(router: RouterPlan) -> tuple[Neighbours, ...]:
    numbers = dict.fromkeys(speaker.as_number for speaker in router.speakers)
    return tuple(
        Neighbours(
            as_number=number,
            internal=number == router.settings.as_number,
            speakers=tuple(speaker for speaker in router.speakers if speaker.as_number == number),
        )
        for number in numbers
    )
