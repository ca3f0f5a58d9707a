"""Secrets under the real engine: what it writes in both forms, and what a summary makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ops.preview import as_json, difference_text, markdown, plain_text
from ops.preview.document import read
from ops.preview.effects import Severity
from ops.preview.summary import Summary, summarise
from tests.plugins.pulumi_project import Project, engine

pytestmark = [pytest.mark.engine, pytest.mark.skipif(engine() is None, reason="no pulumi CLI: set UNDERLAY_PULUMI or put it on PATH")]

MARKS = ("swordfish-7731", "marlin-4410")
PROGRAM = """
import pulumi
from pulumi_command import local
config = pulumi.Config()
word = pulumi.Output.secret(config.require("word"))
local.Command("hidden", create="true", update="true", stdin=word, environment={{"WORD": word, "PLAIN": config.require("plain")}})
pulumi.export("word", word)
pulumi.export("nested", {{"inner": word, "plain": config.require("plain")}})
if config.get("refuse"):
    raise pulumi.RunError("2 mistakes in the stack's settings; nothing was changed:\\n  - a: is wrong\\n  - b: is wrong")
"""


@dataclass
class Told:
    """What the engine wrote of a change of two secrets, and of a program that refuses."""

    texts: dict[str, str]
    refused: dict[str, str]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    project = Project(tmp_path_factory.mktemp("secrets") / "project")
    project.write(PROGRAM.format())

    def say(**values: str) -> None:
        pairs = [word for name, value in values.items() for word in ("--plaintext", f"{name}={value}")]
        assert project.run("config", "set-all", *pairs).code == 0

    def both() -> dict[str, str]:
        found: dict[str, str] = {}
        for form, stream in (("document", "false"), ("stream", "true")):
            project.environment["PULUMI_ENABLE_STREAMING_JSON_PREVIEW"] = stream
            found[form] = project.run("preview", "--json", "--diff", "--color", "never").text
        return found

    say(word=MARKS[0], plain="before")
    project.up()
    say(word=MARKS[1], plain="after")
    texts = both()
    say(refuse="yes")
    return Told(texts, both())


def forms(summary: Summary) -> list[str]:
    return [markdown.write(summary, difference_text.lines(summary.changes)), plain_text.write(summary), as_json.write(summary)]


@pytest.mark.parametrize("form", ["document", "stream"])
def test_a_changed_secret_is_named_and_never_shown(told: Told, form: str) -> None:
    summary = summarise(read(told.texts[form]), None)
    assert summary.counts == (("changed", 1),)
    for text in forms(summary):
        assert not [mark for mark in MARKS if mark in text]
    comment = forms(summary)[0]
    assert "stdin: [secret]" in comment
    assert "-   environment.PLAIN: before\n+   environment.PLAIN: after" in comment


def test_outputs_beside_a_secret_are_shown_and_the_secret_is_not(told: Told) -> None:
    summary = summarise(read(told.texts["stream"]), None)
    assert summary.outputs is not None
    assert {item.path for item in summary.outputs} <= {"word", "nested", "nested.plain"}
    assert summary.outputs
    assert summarise(read(told.texts["document"]), None).outputs is None


@pytest.mark.parametrize("form", ["document", "stream"])
def test_a_program_that_refuses_is_refused_line_by_line(told: Told, form: str) -> None:
    summary = summarise(read(told.refused[form]), None)
    assert summary.severity is Severity.REFUSED
    assert [line.strip() for line in summary.refusals if line.strip().startswith("- ")] == ["- a: is wrong", "- b: is wrong"]
    for text in forms(summary):
        assert not [mark for mark in MARKS if mark in text]
