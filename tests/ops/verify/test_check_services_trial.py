"""What is made of a trial of a Service: each node's own account, and nothing that was not seen passes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from ops.verify import registry
from ops.verify.checks.services_keeps_answering import CHECKS, TRIAL
from ops.verify.model import Said, Seen, Status
from ops.verify.trial import limit_s
from tests.ops.verify.made_seen import CP, WORKER, findings, found, lab_plan, statuses, unreachable

(CHECK,) = CHECKS
PLAN = lab_plan()
GOOD: Mapping[str, Any] = {
    "steady_s": 1.25,
    "before": {"connection refused": 4},
    "changes": [
        {"endpoint": WORKER, "last_s": 0.84, "asked": 3, "settled": True},
        {"endpoint": CP, "last_s": 1.5, "asked": 6, "settled": True},
    ],
    "answers": {WORKER: 31, CP: 29},
    "failures": [],
    "unreachable": {},
    "slowest_ms": 41.5,
}
FACTS: Mapping[str, Any] = {"service": "10.96.7.7:80", "endpoints": [WORKER, CP], "withdrawn": [WORKER, CP], "left": ""}


def seen(own: Any = GOOD, facts: Mapping[str, Any] = FACTS) -> Seen:
    """The control plane's account is `own`, the worker's is good."""
    accounts = {CP: own, WORKER: GOOD}
    nodes = {name: {TRIAL.key: Said(output=json.dumps({**facts, "node": account}), exit_code=0)} for name, account in accounts.items()}
    return Seen(plan=PLAN, nodes=nodes, api={}, api_errors={})


def with_change(number: int, **fields: Any) -> dict[str, Any]:
    changes = [dict(change) for change in GOOD["changes"]]
    changes[number] |= fields
    return {**GOOD, "changes": changes}


def failure(change: int) -> dict[str, Any]:
    return {**GOOD, "failures": [{"change": change, "why": "connection refused", "times": 2, "first_s": 0.4}]}


def test_a_service_that_answers_through_both_changes_passes_with_its_figures() -> None:
    said = findings(CHECK, seen())
    assert {where: finding.status for where, finding in said.items()} == {CP: Status.PASSED, WORKER: Status.PASSED}
    assert "60 connections were answered" in said[CP].found
    figures = {figure.name: (figure.value, figure.unit, figure.limit) for figure in said[CP].figures}
    assert figures["new Service answers after"] == (1.25, "s", limit_s(PLAN))
    assert figures["endpoint change followed after"] == (1.5, "s", limit_s(PLAN))
    assert figures["slowest connection to a Service"] == (41.5, "ms", None)


def test_the_limit_grows_with_the_least_time_between_two_syncs_of_the_mode() -> None:
    assert limit_s(lab_plan(kube_proxy__ipvs__min_sync_period_s=7)) - limit_s(lab_plan(kube_proxy__ipvs__min_sync_period_s=2)) == 5
    rules = {"kube_proxy__mode": "nftables", "kube_proxy__rules__min_sync_period_s": 9}
    assert limit_s(PLAN) - limit_s(lab_plan(kube_proxy__ipvs__sync_period_s=10)) == 2 * 20
    assert limit_s(lab_plan(kube_proxy__ipvs__sync_period_s=3600)) == limit_s(PLAN)
    assert limit_s(lab_plan(**rules)) - limit_s(lab_plan(kube_proxy__mode="nftables")) == 8


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({**GOOD, "steady_s": None, "changes": [], "answers": {}}, f"did not answer {CP} within 71 s (0 answers; connection refused: 4 times)"),
        ({**GOOD, "steady_s": 72.5}, f"answered {CP} after 72.5 s, limit 71"),
        (with_change(0, last_s=75.9, settled=False), f"{WORKER} was withdrawn and still asked 75.9 s later, limit 71"),
        (with_change(1, last_s=71.2), f"{CP} was withdrawn and still asked 71.2 s later, limit 71"),
        (failure(0), "2 of 62 connections failed (connection refused), the first 0.4 s after the Service was made"),
        (failure(1), f"2 of 62 connections failed (connection refused), the first 0.4 s after {WORKER} was withdrawn"),
        (failure(2), f"the first 0.4 s after {CP} was withdrawn"),
        ({**failure(2), "changes": []}, "connections failed"),
    ],
)
def test_what_a_node_missed_is_found_at_that_node_alone(own: Any, words: str) -> None:
    assert words in found(CHECK, seen(own), CP)
    assert findings(CHECK, seen(own))[WORKER].status is Status.PASSED
    assert f"spec.nodeName={CP}" in findings(CHECK, seen(own))[CP].remedy


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (
            {**GOOD, "unreachable": {WORKER: "no answer in 3 s"}, "steady_s": None},
            f"does not reach {WORKER}'s port without the Service: no answer in 3 s",
        ),
        ({**GOOD, "changes": GOOD["changes"][:1]}, "it did not see every change"),
        (with_change(1, last_s=None), "it did not see every change"),
        (with_change(1, settled=False), "too few connections"),
        ({}, "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_what_was_not_seen_is_not_checked(own: Any, words: str) -> None:
    finding = findings(CHECK, seen(own))[CP]
    assert finding.status is Status.NOT_CHECKED
    assert words in finding.found


def test_a_node_that_took_no_part_is_not_checked_for_the_reason() -> None:
    assert statuses(CHECK, unreachable(seen(), CP)) == {CP: "not checked", WORKER: "passed"}
    assert findings(CHECK, unreachable(seen(), CP))[CP].found == "no route to host"
    assert statuses(CHECK, replace(seen(), nodes={})) == {CP: "not checked", WORKER: "not checked"}


def test_what_could_not_be_taken_away_is_said_once() -> None:
    said = findings(CHECK, seen(facts={**FACTS, "left": "Job x could not be removed"}))
    assert (said["cluster"].status, said["cluster"].found) == (Status.NOT_CHECKED, "Job x could not be removed")
    assert len(said) == 3


GARBAGE: list[Callable[[], str]] = [
    lambda: "",
    lambda: "\0what?",
    lambda: "[]",
    lambda: '{"node": []}',
    lambda: json.dumps({**FACTS, "node": dict.fromkeys(GOOD, "x")}),
    lambda: json.dumps({**FACTS, "node": dict.fromkeys(GOOD, 7)}),
    lambda: json.dumps({**FACTS, "node": {key: [] for key in GOOD}}),
    lambda: json.dumps({**FACTS, "node": {key: [{}] for key in GOOD}}),
    lambda: json.dumps({"node": GOOD}),
    lambda: json.dumps({**FACTS, "endpoints": 3, "withdrawn": 3, "left": {}, "node": GOOD}),
    lambda: json.dumps({**FACTS, "node": {**GOOD, "failures": [{"change": 10**9, "times": -1}], "answers": {"x": "y"}}}),
]


@pytest.mark.parametrize("output", GARBAGE)
def test_nonsense_never_passes_and_never_raises(output: Callable[[], str]) -> None:
    nodes = {name: {TRIAL.key: Said(output=output(), exit_code=0)} for name in (CP, WORKER)}
    said = list(CHECK.judge(Seen(plan=PLAN, nodes=nodes, api={}, api_errors={})))
    assert said
    assert Status.PASSED not in {finding.status for finding in said}


def test_no_probe_has_the_key_of_a_trial() -> None:
    checks = registry.checks()
    assert CHECK in checks
    assert {check.trial.key for check in checks if check.trial}.isdisjoint(probe.key for check in checks for probe in check.probes)
