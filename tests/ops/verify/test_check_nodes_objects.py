"""nodes.ready, .labels and .addresses."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from ops.verify.checks import nodes_objects
from ops.verify.model import Check, Seen
from tests.ops.verify.made_seen import CP, WORKER, findings, found, lab_plan, named, statuses

READY, LABELS, ADDRESSES = (named(f"nodes.{name}", nodes_objects.CHECKS) for name in ("ready", "labels", "addresses"))
ALL = (READY, LABELS, ADDRESSES)
PLAN = lab_plan(workers__worker__taints=[{"key": "web", "value": "only", "effect": "NoSchedule"}])


def objects() -> list[dict[str, Any]]:
    return [
        {
            "metadata": {"name": node.name, "labels": {**dict(node.labels), "kubernetes.io/arch": "amd64"}, "annotations": {"other": "x"}},
            "spec": {"taints": [{"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in node.taints]},
            "status": {
                "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True", "reason": "KubeletReady"}],
                "addresses": [{"type": "InternalIP", "address": str(node.address)}, {"type": "Hostname", "address": node.name}],
            },
        }
        for node in PLAN.nodes
    ]


def seen(items: list[dict[str, Any]] | None = None) -> Seen:
    return Seen(plan=PLAN, nodes={}, api={nodes_objects.NODES: {"items": objects() if items is None else items}}, api_errors={})


def changed(path: str, value: Any) -> Seen:
    """The worker's object with another value."""
    items = objects()
    place: Any = items[1]
    *groups, last = path.split("/")
    for group in groups:
        place = place[int(group)] if group.isdigit() else place[group]
    place[last] = copy.deepcopy(value)
    return seen(items)


@pytest.mark.parametrize("check", ALL)
def test_nodes_as_declared_pass(check: Check) -> None:
    assert set(statuses(check, seen()).values()) == {"passed"}


@pytest.mark.parametrize(
    ("check", "path", "value", "says"),
    [
        (READY, "status/conditions/1/status", "Unknown", "Ready is Unknown (KubeletReady: )"),
        (READY, "status/conditions/0/status", "True", "MemoryPressure ()"),
        (READY, "spec/unschedulable", True, "cordoned: no pod is scheduled to it"),
        (LABELS, "metadata/labels/topology.kubernetes.io~zone", "x", ""),
        (LABELS, "spec/taints", [], "taint web:NoSchedule is absent, declared 'only'"),
        (LABELS, "spec/taints/0/value", "other", "taint web:NoSchedule is another, declared 'only'"),
        (ADDRESSES, "status/addresses/0/address", "10.77.0.22", "InternalIP is 10.77.0.22"),
        (ADDRESSES, "status/addresses", [], "InternalIP is absent"),
    ],
)
def test_what_differs_is_named_by_one_check(check: Check, path: str, value: Any, says: str) -> None:
    if not says:
        items = objects()
        items[1]["metadata"]["labels"]["topology.kubernetes.io/zone"] = value
        said = seen(items)
        says = f"label topology.kubernetes.io/zone is x, declared {dict(PLAN.nodes[1].labels)['topology.kubernetes.io/zone']}"
    else:
        said = changed(path, value)
    assert found(check, said, WORKER) == says
    assert statuses(check, said)[CP] == "passed"
    for other in ALL:
        if other is not check:
            assert set(statuses(other, said).values()) == {"passed"}


def test_a_node_that_is_not_there_and_one_that_nobody_declares_are_named() -> None:
    lost = seen(objects()[:1])
    assert found(READY, lost, WORKER) == "the cluster has no such Node"
    assert statuses(LABELS, lost)[WORKER] == "not checked"
    assert statuses(ADDRESSES, lost)[WORKER] == "not checked"
    more = seen([*objects(), {"metadata": {"name": "lab-worker-9"}}])
    assert found(READY, more, "cluster") == "the cluster has Node lab-worker-9, which no setting declares"


@pytest.mark.parametrize("check", ALL)
def test_without_the_api_nothing_is_checked(check: Check) -> None:
    blind = replace(seen(), api={}, api_errors={nodes_objects.NODES: "connection refused"})
    assert {finding.found for finding in findings(check, blind).values()} == {"connection refused"}
    assert set(statuses(check, blind).values()) == {"not checked"}
    for strange in ("[]", '"x"', '{"items": null}', '{"kind": "Status"}'):
        assert set(statuses(check, replace(seen(), api={nodes_objects.NODES: json.loads(strange)})).values()) == {"not checked"}
