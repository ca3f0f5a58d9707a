"""The engine's JSON in both its forms, and texts that are none."""

import json

import pytest

from ops.preview.document import PreviewError, read
from ops.preview.effects import Severity, runs
from ops.preview.summary import summarise
from tests.ops import made_previews as made
from tests.settings.documents import Tree

ERROR = {"message": "<{%fg 1%}>error: <{%reset%}>Preview failed:\n2 mistakes", "severity": "error"}


def test_both_forms_say_the_same() -> None:
    steps = made.proxied(made.plan(), made.plan(kube_proxy={"mode": "nftables"}))
    assert read(made.document(steps)).changes == read(made.events(steps)).changes


def test_what_precedes_the_json_is_passed_over() -> None:
    assert read(f"warning: a note of the CLI\n{made.document([])}").changes == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("error: no stack named 'x' found\n", "holds no JSON"),
        ("{}", "no document of `pulumi preview --json`"),
        ('{"version": 3, "deployment": {}}', "no document of `pulumi preview --json`"),
        ('{"steps": [', "is no JSON"),
        ('{"sequence": 1, "timestamp": 1, "preludeEvent": {"config": {}}}\n{"sequence": 2,', "is no JSON"),
    ],
)
def test_a_text_that_is_no_preview_is_refused(text: str, expected: str) -> None:
    with pytest.raises(PreviewError, match=expected):
        read(text)


def test_a_program_that_refuses_is_refused_with_its_words() -> None:
    summary = summarise(read(made.document([], diagnostics=[ERROR])), None)
    assert summary.refusals == ("error: Preview failed:", "2 mistakes")
    assert summary.severity is Severity.REFUSED


def test_a_stream_that_ends_early_is_no_preview_of_nothing() -> None:
    text = made.events([])
    whole = summarise(read(text), None)
    cut = summarise(read("".join(text.splitlines(keepends=True)[:-1])), None)
    assert whole.severity is Severity.NOTHING
    assert cut.severity is Severity.REFUSED
    assert cut.refusals == ("the engine ended without a reason",)
    assert summarise(read(made.events([], result="failed")), None).severity is Severity.REFUSED


def test_what_the_engine_says_after_its_summary_is_not_of_the_preview() -> None:
    late = json.dumps({"sequence": 9, "timestamp": 1, "diagnosticEvent": {"message": "a plugin exited prematurely", "severity": "error"}})
    summary = summarise(read(f"{made.events([])}{late}\n"), None)
    assert (summary.severity, summary.refusals, summary.warnings) == (Severity.NOTHING, (), ())


def test_a_policy_that_forbids_is_said() -> None:
    policy = {"policyName": "no-encapsulation", "message": "IPPool a has VXLAN", "enforcementLevel": "mandatory"}
    event = json.dumps({"sequence": 9, "timestamp": 1, "policyEvent": policy})
    text = f"{event}\n{made.events([], result='failed')}"
    assert summarise(read(text), None).refusals == ("policy no-encapsulation: IPPool a has VXLAN",)


def test_three_steps_of_a_replacement_are_one_change() -> None:
    old, new = made.plan(), made.plan(workers={"worker": {"memory_mib": 20480}})
    changes = read(made.document(made.redefined(old, new, new.workers[0]))).changes
    assert [(change.name, change.action) for change in changes] == [
        ("small-worker-1-domain", "replace"),
        ("small-worker-1-ready", "replace"),
        ("small-worker-1-schedulable", "replace"),
    ]
    assert changes[0].reasons == ("memory",)


def test_outputs_are_compared_where_the_form_has_them() -> None:
    routers: list[Tree] = [{"name": "tor", "address": "10.77.0.2", "as_number": 64600}, {"name": "tor2", "address": "10.77.0.3", "as_number": 64601}]
    old, new = ({"bgp": {"routers": routers[:count]}, "kubeconfig": "[secret]"} for count in (1, 2))
    added = summarise(read(made.events([], outputs=(old, new))), None)
    assert added.outputs is not None
    assert [item.path for item in added.outputs] == ["bgp.routers[1]"]
    assert [f"{line.section.value} | {line.subjects}: {line.text}" for line in added.lines] == [
        "Data plane | BGP tor2: sessions added: with 10.77.0.3 (AS 64601)"
    ]
    lost = summarise(read(made.events([], outputs=(new, old))), None)
    assert lost.severity is Severity.RESTARTS
    assert lost.lines[0].text == "sessions lost: with 10.77.0.3 (AS 64601)"
    assert summarise(read(made.document([])), None).outputs is None


def test_names_are_shortened_only_where_they_follow_each_other() -> None:
    names = [f"w-{number}" for number in (1, 2, 3, 4, 7, 9, 10, 11)]
    assert [str(run) for run in runs(reversed([*names, "cp"]))] == ["cp", "w-1 ... w-4 (4)", "w-7", "w-9", "w-10", "w-11"]
