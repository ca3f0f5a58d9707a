"""docs/verify.md has every check, option and exit code, shows what the program prints, and its example is a check."""

import os
import re
from dataclasses import fields

from ops.verify import registry
from ops.verify.command import CODES, INTERRUPTED
from ops.verify.model import Check, Said, Seen, Status
from ops.verify.report import table
from tests.ops.verify import made_reports as made
from tests.ops.verify.made_seen import lab_plan
from tests.settings.documents import ROOT

PATH = ROOT / "docs" / "verify.md"
HEAD = "| Check | What holds where it passes | Severity | Asks |\n|---|---|---|---|\n"
TEXT = re.compile(r"(?s)```text\n.*?```")
SILENT = {one.default for one in fields(Check) if one.name in ("virsh", "virsh_twice")}
MOST_BYTES = 200_000
"""Of the picture: every clone has it."""


def row(check: Check) -> str:
    asks = ["nodes"] if check.probes else []
    asks += ["nodes (heavy)"] if any(probe.heavy for probe in check.probes) else []
    asks = asks[-1:] + (["the API"] if check.api_paths else []) + (["hypervisors"] if {check.virsh, check.virsh_twice} - SILENT else [])
    asks += ["nodes and the API (a trial)"] if check.trial else []
    return f"| `{check.id}` | {check.title} | {check.severity} | {', '.join(asks)} |\n"


def written(text: str) -> str:
    """The page with what the program says in it."""
    before, _, rest = text.partition(HEAD)
    after = re.sub(r"^(\|.*\n)*", "", rest)
    shown = table.write(made.broken(), 100)
    return TEXT.sub(lambda _: f"```text\n{shown}```", before) + HEAD + "".join(map(row, registry.checks())) + after


def test_the_page_has_every_check_and_shows_what_is_printed() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        PATH.write_text(written(PATH.read_text()))
    page = PATH.read_text()
    assert HEAD in page
    assert page == written(page), "run with UPDATE_GOLDEN=1 and read the diff"


def test_the_page_has_every_exit_code() -> None:
    found = {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", PATH.read_text())}
    assert found == {*CODES.values(), 2, INTERRUPTED}


def test_the_picture_is_there_and_small() -> None:
    picture = (ROOT / "docs" / "verify.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < MOST_BYTES


def test_the_example_is_a_check() -> None:
    (code,) = re.findall(r"(?s)```python\n(.*?)```", PATH.read_text())
    names: dict[str, object] = {}
    exec(compile(code, str(PATH), "exec"), names)  # noqa: S102 - our own page
    checks = names["CHECKS"]
    assert isinstance(checks, tuple)
    check: object = checks[0]  # pyright: ignore[reportUnknownVariableType]
    assert isinstance(check, Check)
    declared = lab_plan()
    answers = {"30000": Status.PASSED, "12": Status.FAILED, "garbage": Status.NOT_CHECKED}
    for output, status in answers.items():
        seen = Seen(
            plan=declared, nodes={node.name: {"processes": Said(output=f"{output}\n", exit_code=0)} for node in declared.nodes}, api={}, api_errors={}
        )
        assert {finding.status for finding in check.judge(seen)} == {status}
