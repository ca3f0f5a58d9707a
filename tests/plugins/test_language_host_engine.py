"""The lab's language host under the real engine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.plugins.pulumi_project import Project, engine

pytestmark = [pytest.mark.engine, pytest.mark.skipif(engine() is None, reason="no pulumi CLI: set UNDERLAY_PULUMI or put it on PATH")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def test_a_program_elsewhere_gets_its_folder_its_configuration_and_its_names(project: Project, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    (home / "room").mkdir(parents=True)
    (home / "room" / "__init__.py").write_text("WORD = 'from the room'\n")
    (home / "__main__.py").write_text(
        "import os, pulumi, room\n"
        "config = pulumi.Config()\n"
        "print('printed', flush=True)\n"
        "pulumi.export('seen', [room.WORD, os.getcwd(), config.require('plain'), pulumi.get_stack(), pulumi.get_project(),"
        " pulumi.runtime.is_dry_run(), pulumi.get_organization()])\n"
        "pulumi.export('hidden', config.require_secret('word'))\n"
        "pulumi.export('later', pulumi.Output.from_input(1).apply(lambda _: __import__('room').WORD))\n"
    )
    (project.folder / "Pulumi.yaml").write_text(f"name: plugins\nmain: {home}\nruntime:\n  name: python\n  options:\n    virtualenv: .venv\n")
    assert project.run("config", "set", "plain", "a b").code == 0
    assert project.run("config", "set", "--secret", "word", "hush-hush").code == 0
    outcome = project.up()
    assert "printed" in outcome.text
    assert "hush-hush" not in outcome.text
    outputs = project.state()["plugins-test"]["outputs"]
    assert outputs["seen"] == ["from the room", str(home), "a b", "test", "plugins", False, "organization"]
    assert outputs["later"] == "from the room"
    assert "hush-hush" not in project.raw_state()


def test_an_exception_fails_with_the_programs_own_frames(project: Project) -> None:
    project.write("import pulumi\ndef deep():\n    raise ValueError('too deep')\npulumi.export('a', 1)\ndeep()\n")
    outcome = project.run("preview")
    assert outcome.code != 0
    assert "error: Program failed with an unhandled exception:" in outcome.text
    assert "ValueError: too deep" in outcome.text
    assert "line 3, in deep" in outcome.text
    assert "runpy" not in outcome.text
    assert "lab/plugins" not in outcome.text
    assert outcome.text.count("ValueError: too deep") <= 2, "shown as it happens and in the summary, no more"


def test_an_exception_in_an_apply_fails_too(project: Project) -> None:
    project.write("import pulumi\npulumi.Output.from_input(1).apply(lambda _: [][1])\n")
    outcome = project.run("preview")
    assert outcome.code != 0
    assert "IndexError: list index out of range" in outcome.text


def test_a_run_error_shows_its_message_only(project: Project) -> None:
    project.write("import pulumi\nraise pulumi.RunError('write 10.0.0.0/24')\n")
    outcome = project.run("preview")
    assert outcome.code != 0
    assert "error: write 10.0.0.0/24" in outcome.text
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize(("statement", "shown"), [("sys.exit(3)", "non-zero exit code: 3"), ("sys.exit('no such host')", "error: no such host")])
def test_a_program_that_exits_fails(project: Project, statement: str, shown: str) -> None:
    project.write(f"import sys\n{statement}\n")
    outcome = project.run("preview")
    assert outcome.code != 0
    assert shown in outcome.text
    assert "Traceback" not in outcome.text


def test_a_program_that_exits_well_is_no_failure(project: Project) -> None:
    project.write("import pulumi, sys\npulumi.export('a', 1)\nsys.exit(0)\n")
    assert project.run("preview").code == 0


def test_hooks_run_in_the_program(project: Project, tmp_path: Path) -> None:
    project.write(
        "import pulumi, pulumi_random as random\n"
        f"def hook(args): open({str(tmp_path / 'hook')!r}, 'a').write(args.name + ' ')\n"
        "before = pulumi.ResourceHook('before', hook)\n"
        "options = pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(after_create=[before], before_delete=[before]))\n"
        "random.RandomId('one', byte_length=2, opts=options)\n"
    )
    project.up()
    outcome = project.run("destroy", "--yes", "--skip-preview", "--run-program")
    assert outcome.code == 0, outcome.text
    assert (tmp_path / "hook").read_text() == "one one "


def test_the_engine_downloads_nothing_and_knows_the_host(project: Project) -> None:
    project.write("import pulumi_random as random\nrandom.RandomId('one', byte_length=2)\n")
    outcome = project.run("about")
    assert "underlay's lab" in outcome.text
    installed = subprocess.run([engine() or "pulumi", "install"], cwd=project.folder, env=project.environment, check=False)
    assert installed.returncode == 0
    assert not list((project.folder / "home").rglob("*.tar.gz"))
