"""The pack in the engine's hands: `pulumi preview --policy-pack policy`, with the real engine, pulumi-policy itself and the lab's language host."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from policy.rules import RULES
from tests.plugins.pulumi_project import CHECKOUT, Outcome, Project, engine, wait_until
from tests.policy.defects import DEFECTS, Defect, broken
from tests.policy.stacks import Program, Registration, good

PACK = CHECKOUT / "policy"
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(engine() is None, reason="no pulumi CLI: set UNDERLAY_PULUMI or put it on PATH"),
    pytest.mark.skipif(not (PACK / ".venv" / "bin" / "python").exists(), reason="no policy/.venv: lab/bootstrap.sh makes it"),
]
_VIOLATION = re.compile(r"- \[(mandatory|advisory)\]\s+(\S+)\s+\(\S+: (\S+)\)\n\s*(.*)\n\s*(.*)")
"""Level, rule and resource on a line, the rule's demand and the message on the next ones."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project", name="policies")
    shutil.copy(Path(__file__).parent / "program.py", made.folder / "__main__.py")
    return made


def run(project: Project, program: Program, *words: str) -> Outcome:
    (project.folder / "program.json").write_text(json.dumps([asdict(item) for item in program.values()]))
    return project.run(*(words or ("preview",)), "--policy-pack", str(PACK))


def said(outcome: Outcome) -> list[tuple[str, str, str, str]]:
    """Level, rule, resource and message of every violation that the engine shows."""
    _, _, policies = outcome.text.partition("Policies:")
    return [(level, rule, name, message) for level, rule, name, _, message in _VIOLATION.findall(policies)]


def packs_of(project: Project) -> list[str]:
    """Packs that still run for this project."""
    mark = f"PULUMI_HOME={project.environment['PULUMI_HOME']}".encode()
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"pulumi.policy" in (folder / "cmdline").read_bytes() and mark in (folder / "environ").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_a_stack_that_is_right_passes_and_leaves_nothing_running(project: Project) -> None:
    outcome = run(project, good())
    assert outcome.code == 0, outcome.text
    assert "✅ underlay@v" in outcome.text, outcome.text
    assert said(outcome) == []
    wait_until(lambda: not packs_of(project))


def test_every_rule_refuses_what_breaks_it_with_one_message(project: Project) -> None:
    outcome = run(project, broken(*DEFECTS))
    assert outcome.code != 0, outcome.text
    levels = {rule.id: rule.level for rule in RULES}
    found = said(outcome)
    assert sorted((level, rule, name) for level, rule, name, _ in found) == sorted((levels[item.rule], item.rule, item.on) for item in DEFECTS), (
        outcome.text
    )
    messages = {rule: message for _, rule, _, message in found}
    for defect in DEFECTS:
        assert defect.says in messages[defect.rule]
    wait_until(lambda: not packs_of(project))


@pytest.mark.parametrize("rule", ["residency-machines", "cpu-overcommit", "no-encapsulation"])
def test_one_defect_is_enough(project: Project, rule: str) -> None:
    defect: Defect = next(defect for defect in DEFECTS if defect.rule == rule)
    outcome = run(project, broken(defect))
    assert outcome.code != 0, outcome.text
    (found,) = said(outcome)
    assert found[:3] == ("mandatory", rule, defect.on)
    assert defect.says in found[3]


def test_a_stack_says_how_strict_it_is(project: Project) -> None:
    levels = {rule.id: {"enforcementLevel": "disabled" if rule.id == "secrets" else "advisory"} for rule in RULES}
    file = project.folder / "levels.json"
    file.write_text(json.dumps(levels))
    outcome = run(project, broken(*DEFECTS), "preview", "--policy-pack-config", str(file))
    assert outcome.code == 0, outcome.text
    assert sorted((level, rule) for level, rule, _, _ in said(outcome)) == sorted(("advisory", rule.id) for rule in RULES if rule.id != "secrets")


def test_up_refuses_a_resource_before_it_is_made(project: Project) -> None:
    made = project.folder / "made"
    script = {"create": f"touch {made}", "environment": {"WORD": "-----BEGIN " + "PRIVATE KEY-----\nhunter2\n"}}
    program = {"oslo": good()["oslo"], "script": Registration("command:local:Command", "script", script)}
    outcome = run(project, program, "up", "--yes", "--skip-preview")
    assert outcome.code != 0, outcome.text
    assert [found[:3] for found in said(outcome)] == [("mandatory", "secrets", "script")]
    assert not made.exists()
    assert "hunter2" not in outcome.text
    assert "command:local:Command" not in project.raw_state()
