"""What a change costs: nodes that are gone one after the other, expected minutes, and what the stack's own timeouts allow at most."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ops.preview import measured
from ops.preview.effects import Work, WorkKind
from plan import Plan

_WORDS: Final[Mapping[WorkKind, str]] = {
    "redefine": "drained and rebooted",
    "rebuild": "drained and built anew",
    "join": "made and joined",
    "leave": "drained and removed",
}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The price of a change."""

    lines: tuple[str, ...]
    """In words."""
    expected_s: float
    """By what was measured in the lab; 0 where nothing takes time on nodes."""
    at_most_s: int | None
    """By the stack's timeouts; None where the plan is not known or nothing of it waits."""


@dataclass(frozen=True, kw_only=True)
class _Share:
    """The work of one kind in one set of nodes."""

    kind: WorkKind
    node_set: str
    nodes: int
    width: int

    @property
    def rounds(self) -> int:
        return math.ceil(self.nodes / self.width)


def cost(work: Sequence[Work], plan: Plan | None) -> Cost:
    """The cost of all work. Within a set go as many as may be missing; sets go at the same time, at worst one after the other."""
    shares = list(_shares(work, plan))
    by_set: dict[str, float] = {}
    at_most: dict[str, int] = {}
    lines: list[str] = []
    for share in shares:
        by_set[share.node_set] = by_set.get(share.node_set, 0) + share.rounds * sum(figure.per_node for figure in measured.ONE_BY_ONE[share.kind])
        if plan is not None:
            at_most[share.node_set] = at_most.get(share.node_set, 0) + share.rounds * _limit(plan, share)
        of = f" of set {share.node_set}" if share.node_set else ""
        how = f", {share.width} at a time" if share.nodes > 1 else ""
        lines.append(f"{share.nodes} node{'s' if share.nodes > 1 else ''}{of} {_WORDS[share.kind]}{how}")
    kinds = Counter(item.kind for item in work)
    expected = max([*by_set.values(), float(measured.PREPARE.seconds if kinds["prepare"] else 0)])
    if kinds["proxy"]:
        width = plan.settings.kube_proxy.max_unavailable if plan else 1
        expected += math.ceil(kinds["proxy"] / width) * measured.PROXY.per_node
        lines.append("kube-proxy restarts node after node" if kinds["proxy"] > 1 or not plan else "kube-proxy restarts on 1 node")
    if kinds["prepare"]:
        lines.append(f"files and sysctls set on {kinds['prepare']} node{'s' if kinds['prepare'] > 1 else ''} at the same time")
    return Cost(lines=tuple(lines), expected_s=expected, at_most_s=sum(at_most.values()) if at_most else None)


def _shares(work: Iterable[Work], plan: Plan | None) -> Iterable[_Share]:
    sets = {node.name: node.node_set for node in plan.nodes} if plan else {}
    counts: Counter[tuple[WorkKind, str]] = Counter(
        (item.kind, sets.get(item.node) or _set_of(item.node, plan)) for item in work if item.kind in measured.ONE_BY_ONE
    )
    for (kind, node_set), nodes in counts.items():
        declared = plan.settings.node_sets().get(node_set) if plan else None
        yield _Share(kind=kind, node_set=node_set, nodes=nodes, width=declared.max_unavailable if declared else 1)


def _set_of(node: str, plan: Plan | None) -> str:
    """The set that a name tells: <environment>-<set>-<number>."""
    name = node.removeprefix(f"{plan.settings.name}-") if plan else node
    found = re.fullmatch(r"(.+)-\d+", name)
    return found[1] if found else name


def _limit(plan: Plan, share: _Share) -> int:
    """How long a node of this kind may take before a step says that it failed, s."""
    timeouts = plan.settings.cluster.timeouts
    join = timeouts.boot_s + timeouts.kubelet_s + timeouts.join_s + 4 * timeouts.api_s + (timeouts.control_plane_s if share.node_set == "cp" else 0)
    redefined = timeouts.boot_s + timeouts.ready_s
    return {
        "redefine": timeouts.drain_s + redefined,
        "rebuild": timeouts.drain_s + redefined + join,
        "join": redefined + join,
        "leave": timeouts.drain_s,
        "prepare": 0,
        "proxy": 0,
    }[share.kind]


def minutes(seconds: float) -> str:
    """A time for people: seconds up to two minutes, then minutes, then hours."""
    if seconds < 120:
        return f"{round(seconds)} s"
    if seconds < 7200:
        return f"{math.ceil(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
