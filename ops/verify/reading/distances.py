"""How far away dependencies are, as nodes measure it."""

from dataclasses import dataclass
from statistics import median

from ops.verify.model import Probe, Seen
from ops.verify.programs import program
from ops.verify.reading.document import at, mapping, node_json, number, sequence, text
from plan import NodePlan, Plan

KM_PER_MS = 200
"""Light in fibre: two thirds of its speed in empty space."""


def _script(plan: Plan, _node: NodePlan) -> str:
    return program("connect", {name: {"host": each.host, "port": each.port} for name, each in plan.settings.dependencies.items()})


CONNECT = Probe(key="dependencies", script=_script, timeout_s=60, heavy=True)
"""Alone on its node: a busy node is not a distant one."""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """One dependency from one node."""

    median_ms: float = 0.0
    """Of several connections: one round trip each, and what the far end needs to answer."""
    fastest_ms: float = 0.0
    address: str = ""
    error: str = ""
    """Why it does not answer."""
    why: str = ""
    """Why it was not looked at."""

    @property
    def at_most_km(self) -> float:
        """It cannot be further away: there and back took this long."""
        return self.fastest_ms / 2 * KM_PER_MS


def distance(seen: Seen, node: str, dependency: str) -> Distance:
    """One dependency from one node."""
    document, why = node_json(seen, node, CONNECT.key)
    answer = mapping(at(document, dependency))
    taken = [value for item in sequence(answer.get("connect_ms")) if (value := number(item)) is not None and value >= 0]
    if why or not (answer.get("error") or taken):
        return Distance(why=why or "the node's answer does not name it")
    if answer.get("error"):
        return Distance(error=text(answer.get("error")) or "unknown", address=text(answer.get("address")))
    return Distance(median_ms=median(taken), fastest_ms=min(taken), address=text(answer.get("address")))


def any_declared(plan: Plan) -> bool:
    """Whether the stack names a dependency."""
    return bool(plan.settings.dependencies)
