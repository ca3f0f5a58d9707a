"""The workflows under actionlint, built from its pinned module, with shellcheck on their scripts."""

import shutil
from pathlib import Path

import pytest

from lab import linter
from lab.places import LabError
from tests.settings.documents import ROOT

pytestmark = pytest.mark.engine

BAD = """
name: bad
on: push
jobs:
  a:
    runs-on: ubuntu-24.04
    steps:
      - run: cat $FILE
      - run: echo ${{ github.evnt.number }}
"""


@pytest.fixture(scope="module")
def program() -> Path:
    try:
        return linter.ensure(print)
    except LabError as error:
        pytest.skip(f"actionlint cannot be built here: {error}")


def test_all_workflows_are_clean(program: Path) -> None:
    assert linter.lint(program, ROOT / ".github" / "workflows") == ""


def test_a_mistake_would_be_found(program: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(BAD)
    found = linter.lint(program, tmp_path)
    assert 'property "evnt" is not defined' in found
    assert shutil.which("shellcheck"), "without shellcheck nobody reads the scripts: install Debian's package shellcheck"
    assert "SC2086" in found
