"""docs/reviews.md shows what the engine's own previews give, and the exit codes that there are."""

import re

import pytest

from ops.preview.effects import Severity
from ops.preview.wording import GATES
from tests.golden.previews.cases import FOLDER
from tests.settings.documents import ROOT

PAGE = (ROOT / "docs" / "reviews.md").read_text()


@pytest.mark.parametrize("case", ["memory-of-a-worker", "router-removed"])
def test_the_page_shows_a_real_summary(case: str) -> None:
    summary = (FOLDER / case / "summary.txt").read_text().partition("\nWarnings:")[0].rstrip("\n")
    assert "\n".join(f"    {line}".rstrip() for line in summary.splitlines()) in PAGE


def test_the_page_has_every_exit_code() -> None:
    table = {int(code): gate for code, gate in re.findall(r"(?m)^\| (\d+) \| ([\w-]+) \|", PAGE)}
    assert table == {int(severity): GATES[severity] for severity in Severity}


def test_the_page_names_what_the_workflows_ask_for() -> None:
    texts = [path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml")]
    asked = {name for text in texts for name in re.findall(r"\$\{\{ (?:secrets|vars)\.(\w+)", text)}
    assert asked
    assert [name for name in sorted(asked) if name not in PAGE] == []
