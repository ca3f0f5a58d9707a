"""A node's BIRD 2 configuration: what Calico's BIRD would do with the same sessions of the plan."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.network import LabNetwork
from plan import Plan
from plan.bgp import BgpPlan, Session, SpeakerPlan
from settings.bgp import FilterRule, Router

FILES = Path(__file__).parent / "files"
BGP_PORT = 179


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One session in BIRD's words."""

    name: str
    symbol: str
    kind: str
    address: IPv4Address
    as_number: int
    port: int
    source_address: IPv4Address | None
    options: tuple[str, ...]
    next_hop: str
    """`self` or `keep`; empty leaves it to BIRD."""
    import_rules: tuple[str, ...] = ()
    export_rules: tuple[str, ...] = ()


def bird(plan: Plan, node: str, network: LabNetwork, passwords: Mapping[str, str]) -> str:
    """The content of /etc/bird/bird.conf on the node; it holds passwords."""
    bgp = plan.pod_network.bgp
    speaker = bgp.speaker(node)
    templates = Environment(loader=FileSystemLoader(FILES), undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701 - no HTML
    return templates.get_template("node.conf.j2").render(
        speaker=speaker,
        block=network.node_pods(speaker.address.packed[3]),
        service_ranges=bgp.service_ranges,
        pools=", ".join(f"{pool.cidr}+" for pool in bgp.pools),
        communities=list(communities(bgp)),
        restart_time_s=bgp.settings.restart_time_s,
        listen_port=bgp.settings.listen_port,
        peers=[peer(bgp, speaker, session, passwords) for session in bgp.sessions(node)],
    )


def symbol(session: Session) -> str:
    """BIRD's name for the session's protocol."""
    kind = "router" if session.kind == "router" else "node"
    return f"{kind}_{session.peer.replace('-', '_').replace('.', '_')}"


def peer(bgp: BgpPlan, speaker: SpeakerPlan, session: Session, passwords: Mapping[str, str]) -> Peer:
    """One session of the speaker in BIRD's words."""
    router = session.router
    by_route = router is not None and router.source_address == "route"
    return Peer(
        name=session.peer,
        symbol=symbol(session),
        kind=session.kind,
        address=session.peer_address,
        as_number=session.peer_as,
        port=BGP_PORT if router else bgp.settings.listen_port,
        source_address=None if by_route else speaker.address,
        options=tuple(_router_options(router, passwords) if router else _node_options(speaker, session)),
        next_hop=_next_hop(speaker, session),
        import_rules=tuple(_rules(bgp, router, "import_rules")),
        export_rules=tuple(_rules(bgp, router, "export_rules")),
    )


def _node_options(speaker: SpeakerPlan, session: Session) -> Iterator[str]:
    yield "multihop"
    if session.kind == "client" and session.peer_as == speaker.as_number:
        yield "rr client"
        yield f"rr cluster id {speaker.cluster_id}"


def _router_options(router: Router, passwords: Mapping[str, str]) -> Iterator[str]:
    if router.ttl_security_hops is None:
        yield "multihop"
    else:
        yield f"multihop {router.ttl_security_hops}"
        yield "ttl security on"
    if router.password is not None:
        yield f'password "{passwords[router.password]}"'
    if router.allow_own_as is not None:
        yield f"allow local as {router.allow_own_as}"


def _next_hop(speaker: SpeakerPlan, session: Session) -> str:
    if session.router is not None:
        return {"auto": "", "self": "self", "keep": "keep"}[session.router.next_hop]
    # A reflector between systems would draw the traffic to itself: eBGP writes its own address in.
    return "keep" if speaker.reflector and session.peer_as != speaker.as_number else ""


def _rules(bgp: BgpPlan, router: Router | None, direction: str) -> Iterator[str]:
    for name in router.filters if router else ():
        rules: tuple[FilterRule, ...] = getattr(bgp.settings.filters[name], direction)
        for rule in rules:
            yield f"if {_condition(rule)} then {rule.action};"


def _condition(rule: FilterRule) -> str:
    compared = {"equal": "net = {}", "not-equal": "net != {}", "in": "net ~ [ {}+ ]", "not-in": "! (net ~ [ {}+ ])"}
    parts = [compared[rule.match].format(rule.cidr)] if rule.cidr else []
    parts += ["source = RTS_BGP"] if rule.source == "remote-peers" else []
    return " && ".join(parts) or "true"


def communities(bgp: BgpPlan) -> Iterator[tuple[str, list[str]]]:
    """Condition on a route, and the communities that it gets."""
    for advertisement in bgp.settings.advertisements:
        values = [bgp.settings.communities.get(community, community) for community in advertisement.communities]
        yield f"net ~ [ {advertisement.cidr}+ ]", [_added(value.split(":")) for value in values]


def _added(parts: list[str]) -> str:
    attribute = "bgp_community" if len(parts) == 2 else "bgp_large_community"
    return f"{attribute}.add(({', '.join(parts)}))"
