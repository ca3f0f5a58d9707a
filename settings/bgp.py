"""BGP: who tells whom which blocks of addresses."""

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from settings.base import Problem, Settings
from settings.forms import Address, Distinct, DnsLabel, Flag, LabelKey, LabelValue, Network, Prefix, Whole, Words, text, wrong_form

NodeMatch = dict[LabelKey, LabelValue]
"""Labels that a node must all have; empty: every node."""

REFLECTOR_LABEL = "underlay.dev/route-reflector"
"""Node label that names the cluster of reflectors to which the node belongs."""

OWN_FILTER = "underlay-own-routes-only"
"""The filter by which nodes tell routers their own blocks only."""

RESERVED_AS = {23456: "AS_TRANS, RFC 6793", 65535: "the last of 16 bits, RFC 7300"}


def _as_number(value: int) -> int:
    if value in RESERVED_AS:
        raise ValueError(f"is {value}, which is reserved ({RESERVED_AS[value]}), allowed: others of 1 to 4294967294; write one such as 64512")
    return value


AsNumber = Annotated[Whole, Field(ge=1, le=4294967294), AfterValidator(_as_number)]
"""Autonomous system number (RFC 6793)."""


def _community(value: str) -> str:
    parts = value.split(":")
    limit = {2: 65535, 3: 4294967295}.get(len(parts), -1)
    if not re.fullmatch(r"[0-9]{1,10}(:[0-9]{1,10}){1,2}", value) or any(int(part) > limit for part in parts):
        raise wrong_form("expected a BGP community", "write it like 64512:100, or 64512:100:1 for a large one")
    return value


def _community_or_name(value: str) -> str:
    return value if re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", value) else _community(value)


Community = Annotated[str, AfterValidator(_community), Words("BGP community")]
"""A BGP community (RFC 1997) or large community (RFC 8092)."""
CommunityOrName = Annotated[str, AfterValidator(_community_or_name), Words("BGP community, or name of one")]
"""A community, or the name of a declared one."""
SecretName = Annotated[
    str, text(r"[a-z0-9][-a-z0-9]*", "expected the name of a secret: lower-case letters, digits, dashes", "tor1", 40), Words("name of a secret")
]
"""Key in the stack's secret map underlay:bgp_passwords."""


class ReflectorCluster(Settings):
    """Nodes that pass on their clients' routes, so that the others need no session with everybody. A change is made in place."""

    cluster_id: Address
    """Cluster ID (RFC 4456), written like an address; one for each cluster of reflectors."""
    nodes: NodeMatch = Field(min_length=1)
    """Labels of the nodes that reflect. They must match at least one node; two survive the loss of one."""
    clients: NodeMatch = {}
    """Labels of the nodes that they serve; empty: all."""


class FilterRule(Settings):
    """One rule of a filter; the first that matches decides (Calico's BGPFilter)."""

    action: Literal["accept", "reject"]
    """What happens to a matching route."""
    cidr: Prefix | None = None
    """Network to compare with, such as 0.0.0.0/0 for the default route; unset matches any."""
    match: Literal["equal", "in", "not-in", "not-equal"] = "in"
    """How a route is compared with cidr."""
    source: Literal["any", "remote-peers"] = "any"
    """Routes of any origin, or those learnt from other peers only."""


class Filter(Settings):
    """Rules for routes; what no rule matches is accepted, as in Calico."""

    import_rules: tuple[FilterRule, ...] = Field(default=(), max_length=100)
    """Rules for routes that nodes take from the peer."""
    export_rules: tuple[FilterRule, ...] = Field(default=(), max_length=100)
    """Rules for routes that nodes tell the peer."""

    def disagreements(self) -> Iterator[Problem]:
        """A filter does something, and a comparison has something to compare with."""
        if not self.import_rules and not self.export_rules:
            yield Problem("", "has no rule; write import_rules or export_rules, or remove it")
        for name in ("import_rules", "export_rules"):
            rules: tuple[FilterRule, ...] = getattr(self, name)
            for index, rule in enumerate(rules):
                if rule.cidr is None and "match" in rule.model_fields_set:
                    yield Problem(f"{name}[{index}].match", f"is {rule.match!r} without a cidr; name one or remove match")


class Router(Settings):
    """A router outside the environment, and which nodes peer with it. A change is made in place; its session restarts."""

    address: Address
    """Address to which the nodes open the session."""
    as_number: AsNumber
    """Its autonomous system; the nodes' own makes it an iBGP session."""
    nodes: NodeMatch = {}
    """Labels of the nodes that peer with it, such as topology.kubernetes.io/zone; empty: all."""
    networks: Annotated[tuple[Network, ...], Distinct] = ()
    """Networks that it announces; checked against pods, Services and nodes. Empty: nothing is checked."""
    password: SecretName | None = None
    """Name of the session's TCP MD5 password (RFC 2385) in the stack's secrets: pulumi config set --secret --path underlay:bgp_passwords.NAME."""
    ttl_security_hops: Whole | None = Field(default=None, ge=1, le=254)
    """Refuse packets that come from farther away (GTSM, RFC 5082): 1 for a router on the nodes' link. Both sides must have it."""
    source_address: Literal["node", "route"] = "node"
    """Address that the node speaks from: its own (`node`), or the one that its route to the router gives (`route`)."""
    next_hop: Literal["auto", "self", "keep"] = "auto"
    """Next hop that the nodes write into routes: as BGP says (`auto`), always their own (`self`), or as learnt (`keep`)."""
    allow_own_as: Whole | None = Field(default=None, ge=1, le=10)
    """Accept routes with the nodes' own AS in their path, so many times: where nodes of one AS learn each other's blocks from eBGP routers."""
    filters: Annotated[tuple[DnsLabel, ...], Distinct] = ()
    """Filters of bgp.filters for this router's sessions, after underlay's own, by which a node tells it its own blocks only."""
    max_prefixes: Whole | None = Field(default=None, ge=1, le=1_000_000)
    """Most routes that the router takes from one node, printed by router-config; unset is computed from pools and Services."""
    bfd: Flag = False
    """Fast failure detection on the router's side (BFD, RFC 5880). Calico's BIRD has none: the router then runs the session without it."""


class RackAs(Settings):
    """An autonomous system of a rack's or site's own, for fabrics that speak eBGP throughout."""

    nodes: NodeMatch = Field(min_length=1)
    """Labels of the nodes in it."""
    as_number: AsNumber
    """Their autonomous system."""


class Advertisement(Settings):
    """Communities on routes of one range."""

    cidr: Network
    """Range of the routes."""
    communities: Annotated[tuple[CommunityOrName, ...], Distinct] = Field(min_length=1)
    """Communities, or names of bgp.communities."""


class Bgp(Settings):
    """BGP between nodes and towards routers. Changes are made in place; sessions that change restart."""

    as_number: AsNumber = 64512
    """Autonomous system of the nodes (Calico's default 64512)."""
    topology: Literal["mesh", "route-reflectors", "routers"] = "mesh"
    """How nodes learn each other's blocks: each from each (`mesh`, up to about 100 nodes), from nodes that reflect, or from the routers."""
    route_reflectors: dict[DnsLabel, ReflectorCluster] = {}
    """Clusters of reflecting nodes by name; needed by topology route-reflectors."""
    routers: dict[DnsLabel, Router] = {}
    """Routers outside by name, beside any topology; needed by topology routers."""
    racks: dict[DnsLabel, RackAs] = {}
    """Racks or sites with an autonomous system of their own, by name."""
    listen_port: Whole = Field(default=179, ge=1, le=65535)
    """TCP port of the nodes' BGP speakers."""
    restart_time_s: Whole | None = Field(default=None, ge=1, le=4095)
    """Graceful restart (RFC 4724): peers keep a restarting speaker's routes so long, s; unset leaves it to BIRD (120)."""
    communities: dict[DnsLabel, Community] = {}
    """Names for communities."""
    advertisements: tuple[Advertisement, ...] = Field(default=(), max_length=100)
    """Communities on routes that nodes announce."""
    filters: dict[DnsLabel, Filter] = {}
    """Filters by name, for routers' sessions."""
    node_address: Literal["kubernetes-internal-ip", "node-network"] = "kubernetes-internal-ip"
    """How calico-node finds its address: the one that the kubelet was given, or the one in network.cidr. Neither can pick a wrong NIC."""

    def disagreements(self) -> Iterator[Problem]:
        """A topology has what it needs; names are those of something; nobody is there twice."""
        for topology, group in (("route-reflectors", "route_reflectors"), ("routers", "routers")):
            if self.topology == topology and not getattr(self, group):
                yield Problem("topology", f"is {topology!r}, needed for it: an entry in {group}; name one, or write topology: mesh")
        if OWN_FILTER in self.filters:
            yield Problem(f"filters.{OWN_FILTER}", "has the name of underlay's own filter; call it otherwise")
        yield from _twice("route_reflectors", "cluster_id", {name: cluster.cluster_id for name, cluster in self.route_reflectors.items()})
        yield from _twice("routers", "address", {name: router.address for name, router in self.routers.items()})
        yield from self._unknown_names()

    def _unknown_names(self) -> Iterator[Problem]:
        for name, router in self.routers.items():
            for index, used in enumerate(router.filters):
                if used not in self.filters:
                    yield Problem(
                        f"routers.{name}.filters[{index}]", f"is {used!r}, known filters: {_known(self.filters)}; add it there or correct it"
                    )
        for index, advertisement in enumerate(self.advertisements):
            for place, used in enumerate(advertisement.communities):
                if ":" not in used and used not in self.communities:
                    path = f"advertisements[{index}].communities[{place}]"
                    yield Problem(path, f"is {used!r}, known communities: {_known(self.communities)}; add it there or correct it")


def _known(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _twice(group: str, field: str, values: Mapping[str, IPv4Address]) -> Iterator[Problem]:
    first: dict[IPv4Address, str] = {}
    for name, value in values.items():
        if value in first:
            yield Problem(f"{group}.{name}.{field}", f"is {value}, which {group}.{first[value]}.{field} is too; give each its own")
        first.setdefault(value, name)
