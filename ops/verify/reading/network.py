"""Links and routes as `ip -json` prints them, and which of them add something to a packet."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from ops.verify.model import Probe, Seen
from ops.verify.reading.document import address, at, mapping, mappings, network, node_json, text, texts, whole
from plan import Plan

TUNNELS = frozenset(
    (
        "vxlan",
        "ipip",
        "gre",
        "gretap",
        "erspan",
        "geneve",
        "sit",
        "ip6tnl",
        "ip6gre",
        "ip6gretap",
        "ip6erspan",
        "vti",
        "vti6",
        "xfrm",
        "wireguard",
        "gtp",
        "bareudp",
        "tun",
        "l2tp",
        "fou",
        "mpls",
    )
)
"""Kinds of links that put packets into others."""
FALLBACKS = frozenset(("tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0"))
"""Links that come with a kernel module: unused as long as they are down."""
BY_BGP = frozenset(("bird", "bgp", "zebra", "12", "186", "11"))
"""By what BIRD and FRR mark their routes, and the numbers of that (/etc/iproute2/rt_protos)."""
NIC = "eth0"
"""The node's only NIC (the node image's contract)."""
OWN_KINDS = frozenset(("blackhole", "unreachable", "prohibit"))

LINKS = Probe(key="links", script=lambda _plan, _node: "exec ip -details -json link show")
ROUTES = Probe(key="routes", script=lambda _plan, _node: "exec ip -details -json -4 route show table all")


@dataclass(frozen=True, kw_only=True)
class Link:
    """A network device of a node."""

    name: str
    kind: str
    """The driver's kind: vxlan, veth; empty for a NIC."""
    mtu: int
    up: bool
    of_a_pod: bool
    """Its other end is in another network namespace."""

    @property
    def tunnels(self) -> bool:
        """Whether it puts packets into others, or is about to."""
        return self.kind in TUNNELS and (self.up or self.name not in FALLBACKS)


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One way that a route takes."""

    gateway: IPv4Address | None
    device: str


@dataclass(frozen=True, kw_only=True)
class Route:
    """A route of a node; one without a way leads nowhere (blackhole)."""

    to: IPv4Network
    kind: str
    protocol: str
    table: str
    hops: tuple[Hop, ...]
    encapsulates: str
    """Kind of a header that the route itself adds (lightweight tunnel); empty: none."""


def links(seen: Seen, node: str) -> tuple[tuple[Link, ...], str]:
    """A node's links, and why they are not known."""
    document, why = node_json(seen, node, LINKS.key)
    found = tuple(_link(item) for item in mappings(document) if text(item.get("ifname")))
    return found, why or ("" if any(link.name == NIC for link in found) else f"it names no link {NIC}")


def routes(seen: Seen, node: str) -> tuple[tuple[Route, ...], str]:
    """A node's routes outside of the table `local`, and why they are not known."""
    document, why = node_json(seen, node, ROUTES.key)
    found = tuple(route for item in mappings(document) if (route := _route(item)))
    return found, why or ("" if found else "it has no routes")


def pod_routes(plan: Plan, found: tuple[Route, ...]) -> tuple[Route, ...]:
    """Routes to pods: inside of the pods' networks."""
    pools = [pool.cidr for pool in plan.pod_network.pools]
    return tuple(route for route in found if any(route.to.subnet_of(pool) for pool in pools))


def _link(item: dict[str, Any]) -> Link:
    kind = text(at(item, "linkinfo", "info_kind"))
    return Link(
        name=text(item.get("ifname")),
        kind=kind,
        mtu=whole(item.get("mtu")) or 0,
        up="UP" in texts(item.get("flags")),
        of_a_pod=kind == "veth" and ("link_netnsid" in item or text(item.get("ifname")).startswith("cali")),
    )


def _route(item: dict[str, Any]) -> Route | None:
    to = network("0.0.0.0/0" if item.get("dst") == "default" else item.get("dst"))
    kind, table = text(item.get("type")) or "unicast", text(item.get("table")) or "main"
    if to is None or table == "local":
        return None
    ways = mappings(item.get("nexthops")) or ([item] if item.get("dev") or item.get("gateway") else [])
    hops = tuple(Hop(gateway=address(way.get("gateway")) or address(at(way, "via", "host")), device=text(way.get("dev"))) for way in ways)
    encap = [item.get("encap"), *(way.get("encap") for way in ways)]
    header = next((value for value in encap if value), None)
    return Route(
        to=to,
        kind=kind,
        protocol=text(item.get("protocol")),
        table=table,
        hops=hops if kind not in OWN_KINDS else (),
        encapsulates=text(header) or text(mapping(header).get("type")) or ("a header" if header else ""),
    )


def declared_tunnels(plan: Plan) -> frozenset[str]:
    """Kinds of tunnels that the stack asks for."""
    network = plan.settings.pod_network
    if network.kind == "external":
        return frozenset()
    encapsulation = {network.encapsulation.protocol} - {"none"}
    return frozenset(encapsulation | ({"wireguard"} if network.wireguard else set()))


def tunnels(plan: Plan, found: tuple[Link, ...]) -> dict[str, str]:
    """Names and kinds of the tunnels that the stack does not ask for."""
    declared = declared_tunnels(plan)
    return {link.name: link.kind for link in found if link.tunnels and link.kind not in declared}


def encapsulation(plan: Plan) -> str:
    """What the stack says of outer headers."""
    declared = ", ".join(sorted(declared_tunnels(plan)))
    return f"{declared}: {plan.pod_network.overhead} bytes a packet" if declared else "no encapsulation"
