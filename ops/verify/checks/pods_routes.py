"""Every block of pods is reached by BGP through the node that owns it, and through nothing else."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from ops.verify.model import Check, Figure, Finding, Seen, missing
from ops.verify.reading.blocks import ANNOUNCED, IPAM_SAYS, PATHS, Blocks, blocks
from ops.verify.reading.findings import counted, failed, passed, several
from ops.verify.reading.network import BY_BGP, LINKS, NIC, OWN_KINDS, ROUTES, Route, encapsulation, links, pod_routes, routes, tunnels
from plan import NodePlan, Plan

ID = "pods.routes"


def judge(seen: Seen) -> Iterator[Finding]:
    """Every node's table against all blocks."""
    owned = blocks(seen)
    silent = {node.address for node in seen.plan.nodes if routes(seen, node.name)[1]}
    for node in seen.plan.nodes:
        found, why = routes(seen, node.name)
        if why or owned.why:
            yield missing(ID, node.name, why or owned.why)
            continue
        strange = tunnels(seen.plan, links(seen, node.name)[0])
        yield _finding(_Table(seen.plan, node, pod_routes(seen.plan, found), owned, strange, silent))


def _finding(table: "_Table") -> Finding:
    declared = (
        f"{counted(len(table.others), 'block')} of other nodes ({table.blocks.source}), each by BGP through its node, {encapsulation(table.plan)}"
    )
    problems = [*table.tunnelled(), *table.mistaken(), *table.lacking()]
    figure = Figure(name="blocks reached", value=len(table.others) - table.missing, unit="blocks", limit=len(table.others))
    if problems:
        remedy = f"look at the sessions (pods.sessions) and at `ip route` on {table.node.name}; delete what no speaker made"
        return failed(ID, table.node.name, declared, several(problems), remedy, figure)
    return passed(ID, table.node.name, declared, f"{counted(len(table.routes), 'route')} to pods, as declared", figure)


class _Table:
    """One node's routes to pods."""

    def __init__(
        self, plan: Plan, node: NodePlan, found: tuple[Route, ...], owned: Blocks, strange: dict[str, str], silent: set[IPv4Address]
    ) -> None:
        self.plan = plan
        self.node = node
        self.routes = found
        self.blocks = owned
        self.addresses = {other.name: other.address for other in plan.nodes}
        self.others = {block: owner for block, owner in owned.owners.items() if owner != node.name}
        self.own = owned.of(node.name)
        self._strange = strange
        self._silent = silent
        self._reached = {route.to for route in found if route.hops}
        self._tunnels_declared = plan.pod_network.overhead > 0

    def tunnelled(self) -> Iterator[str]:
        """Routes that add a header."""
        for route in self.routes:
            device = next((hop.device for hop in route.hops if hop.device in self._strange), "")
            if device:
                yield f"{route.to} goes through tunnel {device} ({self._strange[device]})"
            elif route.encapsulates:
                yield f"{route.to} adds a header ({route.encapsulates})"

    def mistaken(self) -> Iterator[str]:
        """Routes that lead elsewhere, or that nobody knows of."""
        for route in self.routes:
            if any(hop.device in self._strange for hop in route.hops) or route.encapsulates or route.kind == "throw":
                continue
            said = self._of_a_block(route) if route.to in self.others else self._further(route)
            if said:
                yield f"{route.to} {said}"

    def lacking(self) -> Iterator[str]:
        """Blocks without a route."""
        if not self.own and self.blocks.source == ANNOUNCED:
            yield f"{self.node.name} announces no block of its own"
        yield from (f"no route to {block} of {owner}" for block, owner in sorted(self.others.items()) if block not in self._reached)

    @property
    def missing(self) -> int:
        """Number of blocks without a route."""
        return len(self.others.keys() - self._reached)

    def _of_a_block(self, route: Route) -> str:
        owner = self.others[route.to]
        wanted, gateways = self.addresses.get(owner), {hop.gateway for hop in route.hops}
        if route.kind in OWN_KINDS:
            return f"of {owner} leads nowhere ({route.kind})"
        if wanted is not None and gateways != {wanted}:
            return f"of {owner} goes via {_spelt(route)}, expected {wanted}"
        if route.protocol not in BY_BGP and not self._tunnels_declared:
            return f"of {owner} is no route of BGP (protocol {route.protocol or 'unknown'})"
        return ""

    def _further(self, route: Route) -> str:
        """A route to something that is no other node's block."""
        inside = any(route.to.subnet_of(block) for block in self.own)
        gateway = next((hop.gateway for hop in route.hops if hop.gateway is not None), None)
        if gateway is None:
            return self._local(route, inside=inside)
        if inside:
            return f"is the node's own, and goes via {gateway}"
        borrower = self.blocks.borrowed.get(route.to.network_address) if route.to.prefixlen == 32 else None
        if borrower is not None and self.addresses.get(borrower) == gateway:
            return ""
        # Whose block it is, only that node could say, and it does not answer.
        return "" if gateway in self._silent and self.blocks.source != IPAM_SAYS else f"via {gateway} is no node's block"

    def _local(self, route: Route, *, inside: bool) -> str:
        if inside or (route.to.prefixlen == 32 and route.hops and all(hop.device != NIC for hop in route.hops)):
            return ""  # the node's block, a pod of it, or a pod with an address out of another's
        return f"is no block of {self.node.name} ({_spelt(route)})"


def _spelt(route: Route) -> str:
    return ", ".join(str(hop.gateway or hop.device) for hop in route.hops) or route.kind


CHECKS: tuple[Check, ...] = (
    Check(
        id=ID,
        area="pods",
        title="Routes to pods come by BGP and lead to their node",
        severity="error",
        judge=judge,
        probes=(ROUTES, LINKS),
        api_paths=PATHS,
    ),
)
