"""Which stacks a change touches, in a real repository."""

import json
import subprocess
from pathlib import Path

import pytest

from ops import __main__ as command_line
from ops.stack import OpsError
from ops.touched import PROGRAM, of_paths, touched
from tests.settings.documents import ROOT

KNOWN = ["bergen", "oslo"]


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *names, *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    for name in ("stacks/Pulumi.oslo.yaml", "stacks/Pulumi.bergen.yaml", "plan/a.py", "docs/a.md"):
        write(tmp_path, name, "1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    git(tmp_path, "checkout", "--quiet", "-b", "change")
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)


def commit(folder: Path, **files: str) -> None:
    for name, text in files.items():
        write(folder, name, text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "change")


def test_a_stack_file_touches_its_stack(checkout: Path) -> None:
    commit(checkout, **{"stacks/Pulumi.oslo.yaml": "2", "docs/a.md": "2"})
    assert touched("main", checkout=checkout, skipped=[]) == ["oslo"]


def test_the_program_touches_all_but_those_left_out(checkout: Path) -> None:
    commit(checkout, **{"plan/a.py": "2"})
    assert touched("main", checkout=checkout, skipped=[]) == KNOWN
    assert touched("main", checkout=checkout, skipped=["bergen"]) == ["oslo"]


def test_what_the_base_did_meanwhile_does_not_count(checkout: Path) -> None:
    commit(checkout, **{"docs/a.md": "2"})
    git(checkout, "checkout", "--quiet", "main")
    commit(checkout, **{"plan/a.py": "3"})
    git(checkout, "checkout", "--quiet", "change")
    assert touched("main", checkout=checkout, skipped=[]) == []


def test_a_stack_that_goes_has_no_preview_and_a_new_one_has(checkout: Path) -> None:
    (checkout / "stacks/Pulumi.oslo.yaml").rename(checkout / "stacks/Pulumi.tromso.yaml")
    commit(checkout)
    assert touched("main", checkout=checkout, skipped=[]) == ["tromso"]


@pytest.mark.parametrize(("base", "expected"), [("nowhere", "fetch its history"), ("--output=/tmp/x", "not a name of a commit")])
def test_a_base_that_git_does_not_know_is_a_mistake(checkout: Path, base: str, expected: str) -> None:
    with pytest.raises(OpsError, match=expected):
        touched(base, checkout=checkout, skipped=[])


def test_a_stack_that_is_left_out_must_be_there(checkout: Path) -> None:
    with pytest.raises(OpsError, match="no such stack, known stacks: bergen, oslo"):
        touched("main", checkout=checkout, skipped=["olso"])


def test_all_parts_of_the_program_are_there_and_all_that_the_program_imports_are_parts() -> None:
    assert [part for part in PROGRAM if not (ROOT / part).exists()] == []
    rooms = {line.split()[1].partition(".")[0] for line in (ROOT / "__main__.py").read_text().splitlines() if line.startswith(("import ", "from "))}
    own = {room for room in rooms if (ROOT / room).is_dir()}
    assert own >= {"components", "plan", "render", "settings", "sources"}
    assert {f"{room}/" for room in own} <= set(PROGRAM)


@pytest.mark.parametrize("path", ["docs/settings.md", "lab/up.py", "tests/plan/test_plan_bgp.py", "stacks/README.md", "planning/a.py"])
def test_other_files_touch_none(path: str) -> None:
    assert of_paths([path], KNOWN) == []


def test_the_command_prints_a_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["touched", "--all", "--skip", "lab", "--json"]) == 0
    assert "example-oslo" in json.loads(capsys.readouterr().out)
