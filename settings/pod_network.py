"""The pods' network: who builds it, its pools, its MTU, and what of it is told to routers."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import Field

from settings.base import Problem, Settings
from settings.bgp import Bgp
from settings.calico import Calico
from settings.forms import Distinct, Flag, LabelKey, LabelValue, Network, Whole, Words, text

OVERHEAD = {"none": 0, "ipip": 20, "vxlan": 50}
"""Bytes that an encapsulation adds to every packet (outer IPv4; outer Ethernet, IPv4, UDP and VXLAN)."""
WIREGUARD_OVERHEAD = 60
"""Bytes that WireGuard adds to every packet over IPv4."""
PREFIXES_FOR_LOCAL_SERVICES = 1024
"""Room for addresses of Services with externalTrafficPolicy Local, each a route of its own."""
BLOCKS_BEYOND_NEED = 4
"""A node's blocks may be this many times those that its pods need: pods come and go before blocks are given back."""

Reason = Annotated[
    str, text(r"\S[^\n\x00]*", "expected one line of text", '"the provider drops packets of addresses it does not know"', 200), Words("text")
]


class Encapsulation(Settings):
    """An outer header around pods' packets, for networks that refuse to carry plain ones. A change is made in place by calico-node; new pods get the new MTU."""

    protocol: Literal["none", "ipip", "vxlan"] = "none"
    """`none` adds nothing; `ipip` 20 bytes a packet, `vxlan` 50."""
    when: Literal["cross-subnet", "always"] = "cross-subnet"
    """`cross-subnet`: only between nodes of different subnets; `always`: between all nodes."""
    reason: Reason | None = None
    """Why the network cannot carry plain packets; the rule no-encapsulation asks for it. A change alters nothing that runs."""

    def disagreements(self) -> Iterator[Problem]:
        """A reason has something that it is for."""
        if self.protocol == "none" and self.reason is not None:
            yield Problem("reason", "is given for an encapsulation, and protocol is none; remove it, or name the protocol")


class Pool(Settings):
    """One range of pod addresses, handed out to nodes in blocks. cidr and block_prefix never change: a new pool takes over, then the old one goes."""

    cidr: Network
    """Range of the pool, within pod_network.cidr."""
    block_prefix: Whole = Field(default=26, ge=20, le=32)
    """Prefix of the blocks that nodes take from it, one route each (Calico's default 26: 64 addresses)."""
    nat_outgoing: Flag = True
    """Traffic that leaves all pools gets the node's address; false where routers know the pods' addresses and the way back."""
    nodes: dict[LabelKey, LabelValue] = {}
    """Labels of the nodes that take blocks from it; empty: all."""

    @property
    def blocks(self) -> int:
        """Number of blocks in it; 0 where one is larger than the pool."""
        return 2**self.block_prefix // 2**self.cidr.prefixlen


class ServiceAddresses(Settings):
    """Service addresses that nodes announce by BGP, so that routers spread traffic over them. A change is made in place."""

    cluster: Flag = False
    """Announce cluster.service_network."""
    external: Annotated[tuple[Network, ...], Distinct] = ()
    """Ranges of externalIPs that are announced."""
    load_balancer: Annotated[tuple[Network, ...], Distinct] = ()
    """Ranges from which Services of type LoadBalancer get their address, and that are announced."""
    assign: Literal["all", "requested"] = "all"
    """Which Services of type LoadBalancer get one: `all`, or those that ask for it by annotation."""


class PodNetwork(Settings):
    """The pods' network: plain layer 3, blocks of it announced by BGP."""

    kind: Literal["calico", "external"] = "calico"
    """`calico`: underlay installs Calico; `external`: you bring a CNI, underlay computes addresses and the BGP plan. A change needs a new cluster."""
    cidr: Network
    """Network of all pods. A change needs a new cluster."""
    node_prefix: Whole = Field(default=24, ge=16, le=28)
    """Prefix of the block that the controller manager gives each node; Calico takes its blocks from pools instead."""
    pools: Annotated[tuple[Pool, ...], Distinct] = Field(default=(), max_length=64)
    """Pools of addresses; none declared means one as large as cidr. The first is Calico's default-ipv4-ippool and stays."""
    encapsulation: Encapsulation = Encapsulation()
    """An outer header, where the network forbids plain packets."""
    wireguard: Flag = False
    """Encrypt pods' traffic between nodes: 60 bytes a packet, and CPU."""
    mtu: Whole | None = Field(default=None, ge=1280, le=9216)
    """MTU of the pods' interfaces, bytes; unset takes the link's less what encapsulation and WireGuard add. New pods get a changed one."""
    services: ServiceAddresses = ServiceAddresses()
    """Service addresses that are announced."""
    bgp: Bgp = Bgp()
    """Who tells whom which blocks."""
    calico: Calico = Calico()
    """Calico itself; used by kind calico."""

    @property
    def all_pools(self) -> tuple[Pool, ...]:
        """The declared pools, or the one that is meant by none."""
        return self.pools or (Pool(cidr=self.cidr),)

    @property
    def overhead(self) -> int:
        """Bytes that Calico adds to a packet between nodes. A packet that WireGuard carries is not encapsulated as well."""
        if self.kind == "external":
            return 0
        return max(OVERHEAD[self.encapsulation.protocol], WIREGUARD_OVERHEAD if self.wireguard else 0)

    @property
    def overhead_of(self) -> str:
        """What adds them, as it is called."""
        return "WireGuard" if self.wireguard else self.encapsulation.protocol

    def prefixes_of_a_node(self, pods: int) -> int:
        """Most routes that a node with so many pods tells a router."""
        blocks = 1 if self.kind == "external" else sum(BLOCKS_BEYOND_NEED * -(-pods // 2 ** (32 - pool.block_prefix)) for pool in self.all_pools)
        services = self.services
        ranges = len(services.external) + len(services.load_balancer) + int(services.cluster)
        return blocks + ranges + (PREFIXES_FOR_LOCAL_SERVICES if ranges else 0)

    @property
    def pods_per_node(self) -> int:
        """Addresses of a node's block that pods can have where the controller manager hands them out: all but network, gateway and broadcast."""
        return 2 ** (32 - self.node_prefix) - 3

    def disagreements(self) -> Iterator[Problem]:
        """A node's block lies inside the network, as the controller manager wants it; pools lie inside and apart."""
        least, most = max(16, self.cidr.prefixlen + 1), min(28, self.cidr.prefixlen + 16)
        if not least <= self.node_prefix <= most:
            yield Problem("node_prefix", f"is {self.node_prefix}, limits {least} to {most} for {self.cidr}; change one of them")
        yield from self._pool_mistakes()

    def _pool_mistakes(self) -> Iterator[Problem]:
        taken: list[tuple[str, IPv4Network]] = []
        for index, pool in enumerate(self.pools):
            path = f"pools[{index}]"
            if not pool.cidr.subnet_of(self.cidr):
                yield Problem(f"{path}.cidr", f"is {pool.cidr}, limit: inside cidr {self.cidr}; move it or widen cidr")
            if pool.block_prefix < pool.cidr.prefixlen:
                yield Problem(f"{path}.block_prefix", f"is {pool.block_prefix}, limit: at least {pool.cidr.prefixlen}, the pool's own; raise it")
            for other, network in taken:
                if network.overlaps(pool.cidr):
                    yield Problem(f"{path}.cidr", f"is {pool.cidr}, which overlaps {other}.cidr {network}; choose ranges apart from each other")
            taken.append((path, pool.cidr))
