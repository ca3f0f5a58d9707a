"""What checks are given, made up from a plan and from what nodes and the API said."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ops.verify.model import Check, Finding, Said, Seen, Status
from plan import Plan, make
from settings import load

ROOT = Path(__file__).parents[3]
RECORDED = Path(__file__).parent / "recorded"
"""What a kube-proxy 1.36.3 with nft 1.0.6 and iptables 1.8.9 wrote for the Services and EndpointSlices beside it."""
CP, WORKER = "lab-cp-1", "lab-worker-1"


def lab_plan(**changes: Any) -> Plan:
    """The plan of the stack that `make up` shows; `changes` are dotted paths with `__` for the dot."""
    return _lab_plan(json.dumps(changes))


@cache
def _lab_plan(changes: str) -> Plan:
    stack = yaml.safe_load((ROOT / "stacks" / "Pulumi.lab.yaml").read_text())
    document = stack["config"]["underlay:environment"]
    for path, value in json.loads(changes).items():
        *groups, last = path.split("__")
        place = document
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = value
    return make(load(document))


def recorded(name: str) -> str:
    """A recorded answer."""
    return (RECORDED / name).read_text()


def recorded_json(name: str) -> Any:
    """A recorded document."""
    return json.loads(recorded(name))


def answer(parts: Mapping[str, str | None]) -> Said:
    """A node's answer by sections; None: the command failed."""
    lines = [
        f"\n@@ {name}\n{text if text is not None else 'no such thing'}\n" + ("\n@@! 1\n" if text is None else "") for name, text in parts.items()
    ]
    return Said(output="".join(lines), exit_code=0)


def seen_with(
    plan: Plan,
    key: str,
    parts: Mapping[str, str | None],
    *,
    others: Mapping[str, Mapping[str, str | None]] | None = None,
    api: Mapping[str, Any] | None = None,
    clock_s: float = 1_800_000_000,
) -> Seen:
    """All nodes say `parts`, but for those in `others`."""
    nodes = {node.name: {key: answer((others or {}).get(node.name, parts))} for node in plan.nodes}
    return Seen(plan=plan, nodes=nodes, api=api or {}, api_errors={}, clock_s=clock_s)


def unreachable(seen: Seen, node: str, why: str = "no route to host") -> Seen:
    """The same with one node that did not answer."""
    said = {key: Said(output="", exit_code=255, error=why) for key in seen.nodes[node]}
    return replace(seen, nodes={**seen.nodes, node: said})


def named(check_id: str, checks: Iterable[Check]) -> Check:
    """The check of this id."""
    return next(check for check in checks if check.id == check_id)


def findings(check: Check, seen: Seen) -> dict[str, Finding]:
    """What the check says, by place; a place has one finding."""
    said = list(check.judge(seen))
    places = {finding.where: finding for finding in said}
    assert len(places) == len(said), [finding.where for finding in said]
    assert all(finding.check == check.id for finding in said)
    assert all(finding.remedy for finding in said if finding.status is not Status.PASSED)
    return places


def statuses(check: Check, seen: Seen) -> dict[str, str]:
    """How it ended, by place."""
    return {where: finding.status.value for where, finding in findings(check, seen).items()}


def found(check: Check, seen: Seen, where: str) -> str:
    """What was found at a place that failed."""
    finding = findings(check, seen)[where]
    assert finding.status is Status.FAILED, finding
    return finding.found
