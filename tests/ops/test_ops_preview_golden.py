"""Summaries of real previews: the engine's own JSON (tests/golden/previews/record.py), and what is said of it."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ops.preview import difference_text, markdown, plain_text
from ops.preview.document import read
from ops.preview.effects import Severity
from ops.preview.summary import Summary, settings_plan, summarise
from tests.golden.previews.cases import CALICO, FOLDER, LAB, all_cases
from tests.golden.previews.normal import told

CASES = all_cases()
GATES = {
    "nothing": Severity.NOTHING,
    "scheduler": Severity.RESTARTS,
    "mode-nftables": Severity.RESTARTS,
    "conntrack": Severity.IN_PLACE,
    "memory-of-a-worker": Severity.REPLACEMENTS,
    "memory-of-the-control-plane": Severity.REPLACEMENTS,
    "link-mtu": Severity.REPLACEMENTS,
    "labels-and-taints": Severity.IN_PLACE,
    "new-worker": Severity.IN_PLACE,
    "removed-worker": Severity.REPLACEMENTS,
    "kubernetes-version": Severity.REFUSED,
    "max-pods": Severity.IN_PLACE,
    "ingress-buffer": Severity.IN_PLACE,
    "bgp-peer": Severity.IN_PLACE,
    "router-removed": Severity.RESTARTS,
    "refused": Severity.REFUSED,
    "protected": Severity.REFUSED,
    "new-environment": Severity.IN_PLACE,
    "calico-upgrade": Severity.RESTARTS,
    "calico-new-router": Severity.IN_PLACE,
    "calico-lost-router": Severity.RESTARTS,
    "calico-reflectors": Severity.RESTARTS,
    "calico-mesh-again": Severity.RESTARTS,
}
"""What gates see; said by hand, not by the program."""


def summary(case: str, form: str = "events.jsonl") -> Summary:
    preview = read((FOLDER / case / form).read_text())
    return summarise(preview, settings_plan(preview))


def same(path: Path, text: str) -> None:
    """The text is the golden one; UPDATE_GOLDEN=1 writes it."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.is_file(), f"{path} is missing: run with UPDATE_GOLDEN=1 and read it"
    assert text == path.read_text()


@pytest.mark.parametrize("case", CASES)
def test_the_summary_of_a_real_preview_is_the_golden_one(case: str) -> None:
    found = summary(case)
    same(FOLDER / case / "summary.txt", plain_text.write(found))
    same(FOLDER / case / "summary.md", markdown.write(found, difference_text.lines(found.changes)))


@pytest.mark.parametrize("case", CASES)
def test_both_forms_of_the_engine_say_the_same(case: str) -> None:
    stream, document = summary(case), summary(case, "preview.json")
    assert stream.refusals == document.refusals
    assert stream.counts == document.counts
    of_outputs = {line for line in stream.lines if case in ("bgp-peer", "router-removed")}
    assert [line for line in stream.lines if line not in of_outputs] == list(document.lines)
    assert document.outputs is None
    # the one document does not say that a step is replaced for another's sake
    assert [replace(change, reasons=()) for change in stream.changes] == [replace(change, reasons=()) for change in document.changes]


@pytest.mark.parametrize("case", CASES)
def test_gates_see_what_a_person_would(case: str) -> None:
    assert summary(case).severity is GATES[case]


@pytest.mark.parametrize("case", CASES)
def test_nothing_secret_is_in_a_recording_or_in_what_is_said(case: str) -> None:
    for path in sorted((FOLDER / case).iterdir()):
        assert told(path.read_text()) == [], path
        assert len(path.read_bytes()) < 600_000, path


def test_every_change_that_is_kept_is_recorded() -> None:
    assert set(CASES) == {*LAB, *CALICO} == set(GATES)


def test_a_recording_is_what_was_declared() -> None:
    """The settings in it are the stack file's with the case's own: a recording of something else would prove nothing."""
    for case, changes in LAB.items():
        if case in ("refused", "new-environment", "nothing"):
            continue
        declared = json.loads(json.loads((FOLDER / case / "preview.json").read_text())["config"]["underlay:environment"])
        for path, value in changes.items():
            found = declared
            *groups, last = path.split(".")
            for group in groups:
                found = found[group]
            assert (last not in found) if value == "null" else (last in found), (case, path)
