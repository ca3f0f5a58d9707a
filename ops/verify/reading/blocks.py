"""Which node owns which block of pods' addresses."""

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from ops.verify.model import Seen
from ops.verify.reading.document import at, listed, mappings, name_of, network, sequence, text, whole
from ops.verify.reading.network import OWN_KINDS, pod_routes, routes
from plan import NodePlan

NODES = "/api/v1/nodes"
IPAM = "/apis/crd.projectcalico.org/v1/ipamblocks"
PATHS = (NODES, IPAM)
IPAM_SAYS, ANNOUNCED, KUBERNETES_SAYS = "Calico's IPAM", "the nodes' own announcements", "Node.spec.podCIDR"
HOST = "host:"
"""How Calico writes that a block is a node's; a block of Services' addresses is nobody's."""


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Blocks by node."""

    owners: dict[IPv4Network, str]
    borrowed: dict[IPv4Address, str]
    """Addresses that a pod of another node has out of a block, and that node: Calico routes them one by one."""
    source: str
    """Who says so."""
    why: str = ""
    """Why it is not known; empty: it is."""

    def of(self, node: str) -> list[IPv4Network]:
        """A node's blocks."""
        return [block for block, owner in self.owners.items() if owner == node]


def blocks(seen: Seen) -> Blocks:
    """All blocks, as Calico's IPAM has them; without Calico as the nodes announce them, or as Kubernetes handed them out where none does."""
    return _of_ipam(seen) if seen.plan.settings.pod_network.kind == "calico" else _announced(seen) or _of_nodes(seen)


def _of_ipam(seen: Seen) -> Blocks:
    items, why = listed(seen, IPAM)
    owners: dict[IPv4Network, str] = {}
    borrowed: dict[IPv4Address, str] = {}
    for item in items:
        block, affinity = network(at(item, "spec", "cidr")), text(at(item, "spec", "affinity"))
        if block is None or not affinity.startswith(HOST):
            continue
        owner = owners[block] = affinity.removeprefix(HOST)
        attributes = mappings(at(item, "spec", "attributes"))
        for index, entry in enumerate(sequence(at(item, "spec", "allocations"))):
            place = whole(entry)
            node = text(at(attributes[place], "secondary", "node")) if place is not None and 0 <= place < len(attributes) else ""
            if node and node != owner and index < block.num_addresses:
                borrowed[block[index]] = node
    return Blocks(owners=owners, borrowed=borrowed, source=IPAM_SAYS, why=why or ("" if owners else "Calico's IPAM has no block yet"))


def _announced(seen: Seen) -> Blocks | None:
    """A speaker keeps its own block in the kernel, leading nowhere, so that a packet to no pod does not travel."""
    tables = [(node, pod_routes(seen.plan, routes(seen, node.name)[0])) for node in seen.plan.nodes]
    claims: dict[IPv4Network, list[NodePlan]] = {}
    votes = Counter((route.to, hop.gateway) for _, table in tables for route in table for hop in route.hops)
    for node, table in tables:
        for route in table:
            if route.kind in OWN_KINDS:
                claims.setdefault(route.to, []).append(node)
    # Where two say so, it is the one to which the others send.
    owners = {block: max(nodes, key=lambda node: votes[block, node.address]).name for block, nodes in claims.items()}
    return Blocks(owners=owners, borrowed={}, source=ANNOUNCED) if owners else None


def _of_nodes(seen: Seen) -> Blocks:
    items, why = listed(seen, NODES)
    owners = {block: name_of(item) for item in items if (block := network(at(item, "spec", "podCIDR"))) is not None}
    return Blocks(owners=owners, borrowed={}, source=KUBERNETES_SAYS, why=why or ("" if owners else "no node has a podCIDR"))
