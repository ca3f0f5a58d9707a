"""A stack read from what the engine wrote, in both forms."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from policy.facts import ENVIRONMENT
from policy.marks import OF_SECRETS, SIGNATURE
from policy.model import UNKNOWN, Secret
from policy.recorded import RecordError, read
from policy.rules import violations
from policy.seats import DOMAIN
from tests.policy.defects import DEFECTS, broken
from tests.policy.stacks import Program, good, urn_of
from tests.settings.documents import ROOT

PREVIEWS = ROOT / "tests" / "golden" / "previews"
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def shown(value: Any, secret: Any) -> Any:
    """A value as the engine shows it."""
    if isinstance(value, dict):
        tree = cast("dict[str, Any]", value)
        return secret if list(tree) == ["secret"] else {key: shown(inner, secret) for key, inner in tree.items()}
    return [shown(inner, secret) for inner in cast("list[Any]", value)] if isinstance(value, list) else value


def states(program: Program, secret: Any) -> list[dict[str, Any]]:
    """States as both forms hold them; a component's children come before it, as they may."""
    return [
        {
            "urn": urn_of(item.name, program),
            "type": item.type,
            "inputs": {"__defaults": [], **shown(item.inputs, secret)},
            "protect": item.protect or None,
            "parent": urn_of(item.parent, program),
            "provider": f"{urn_of(item.provider, program)}::{UNKNOWN_TEXT}" if item.provider else "",
        }
        for item in reversed(list(program.values()))
    ]


def document(program: Program, op: str = "create", same: int = 0) -> str:
    """The one document, after a note of the CLI."""
    steps = [{"op": op, "urn": state["urn"], "newState": state} for state in states(program, "[secret]")]
    return "warning: a note\n" + json.dumps({"config": {}, "steps": steps, "diagnostics": [], "changeSummary": {"same": same}}, indent=4)


def stream(program: Program, op: str = "create", same: int = 0) -> str:
    """The stream of events."""
    secret = {SIGNATURE: OF_SECRETS, "ciphertext": "v1:abc"}
    steps = [{"resourcePreEvent": {"metadata": {"op": op, "urn": state["urn"], "new": state}}} for state in states(program, secret)]
    events: list[dict[str, Any]] = [{"preludeEvent": {"config": {}}}, *steps, {"summaryEvent": {"resourceChanges": {"same": same}}}]
    return "\n".join(json.dumps({"sequence": number, "timestamp": 0, **event}) for number, event in enumerate(events))


@pytest.mark.parametrize("form", [document, stream])
def test_the_stack_that_is_right_is_right_when_recorded(form: Any) -> None:
    assert list(violations(read(form(good())))) == []


@pytest.mark.parametrize("form", [document, stream])
def test_all_defects_that_are_not_hidden_are_found_in_the_record(form: Any) -> None:
    hidden = "ssh-host-keys"  # the SDK marks the whole connection as secret, and the engine shows none of it
    found = [item.rule.id for item in violations(read(form(broken(*DEFECTS))))]
    assert sorted([*found, hidden]) == sorted(defect.rule for defect in DEFECTS)


@pytest.mark.parametrize("form", [document, stream])
def test_what_goes_is_not_judged(form: Any) -> None:
    assert list(read(form(broken(*DEFECTS), op="delete"))) == []


@pytest.mark.parametrize("form", [document, stream])
def test_a_record_without_what_stays_the_same_is_refused(form: Any) -> None:
    with pytest.raises(RecordError, match=r"leaves out 7 resources that do not change.*--show-sames"):
        read(form(good(), same=7))


@pytest.mark.parametrize("form", [document, stream])
def test_a_record_with_them_is_not(form: Any) -> None:
    count = len(good())
    assert len(list(read(form(good(), op="same", same=count)))) == count


def test_secrets_and_what_is_unknown_stay_what_they_are() -> None:
    program = good()
    program["oslo-cp-1-prepare"].inputs["stdin"] = UNKNOWN_TEXT
    stack = read(document(program))
    found = stack.get(urn_of("oslo-cp-1-prepare", program))
    assert found is not None
    assert found.inputs["connection"] == Secret(UNKNOWN)
    assert found.value("stdin") is UNKNOWN
    assert found.value("connection", "hostKey") is UNKNOWN
    assert found.text("connection", "hostKey") == ""
    assert "__defaults" not in found.inputs


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "holds no JSON"), ("{", "is no JSON"), ('{"a": 1}', "no document"), ('{"sequence": 1, "timestamp": 0}\n{"broken', "is no JSON")],
)
def test_what_is_no_record_is_refused(text: str, says: str) -> None:
    with pytest.raises(RecordError, match=says):
        read(text)


def test_what_the_engine_wrote_of_a_new_environment_is_the_same_in_both_forms() -> None:
    forms = [read((PREVIEWS / "new-environment" / name).read_text()) for name in ("preview.json", "events.jsonl")]
    told = [{resource.urn: (resource.type, resource.protect, resource.parent, resource.provider) for resource in stack} for stack in forms]
    assert told[0] == told[1]
    assert next(iter(forms[0])).type == ENVIRONMENT
    provider = next(forms[0].of_type(DOMAIN)).provider
    assert forms[0].get(provider) is not None


@pytest.mark.parametrize("name", ["preview.json", "events.jsonl"])
def test_what_the_engine_wrote_of_a_small_change_is_not_enough(name: str) -> None:
    with pytest.raises(RecordError, match="--show-sames"):
        read((PREVIEWS / "memory-of-a-worker" / name).read_text())
