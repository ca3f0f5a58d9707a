"""`python -m ops verify`: where outputs come from, what is shown and written, and the exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from ops import __main__ as command_line
from ops.verify import command
from ops.verify.model import Finding, Severity, Status
from ops.verify.report.model import Report
from ops.verify.run import Request
from plan import make
from settings import load
from tests.ops.verify.test_run_registry import check
from tests.outputs.samples import published
from tests.settings.documents import minimal

PLAN = make(load(minimal()))
ROOT = Path(__file__).parents[3]


def outputs(**changes: Any) -> str:
    sample = published()
    nodes = [{**sample["nodes"][0], "name": node.name, "address": str(node.address), "role": node.role} for node in PLAN.nodes]
    ssh = {"user": "root", "private_key": "swordfish-private-key", "known_hosts": "none\n"}
    return json.dumps({**sample, "environment": PLAN.settings.name, "nodes": nodes, "ssh": ssh, **changes})


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout's folder of stack files, with the stack `one`."""
    folder = tmp_path / "checkout" / "stacks"
    folder.mkdir(parents=True)
    (folder / "Pulumi.one.yaml").write_text(yaml.safe_dump({"config": {"underlay:environment": minimal()}}))
    (folder / "outputs.json").write_text(outputs())
    monkeypatch.setattr(command_line, "STACKS", folder)
    return folder


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code: object = command_line.main(["verify", *words])
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    return cast("int", code), said.out, said.err


def test_a_fleet_that_nobody_reaches_is_a_report_of_errors(stacks: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page, junit = tmp_path / "page.html", tmp_path / "junit.xml"
    words = ("--stack", "one", "--outputs", str(stacks / "outputs.json"), "--only", "nodes.reachable")
    code, out, err = ask(capsys, *words, "--html", str(page), "--junit", str(junit))
    assert code == 30
    for node in PLAN.nodes:
        assert node.name in out
    assert "no usable SSH key" in err
    assert PLAN.nodes[0].name in page.read_text()
    assert "<testsuite" in junit.read_text()
    code, out, _ = ask(capsys, *words, "--json")
    assert code == 30
    assert json.loads(out)
    for text in (out, err, page.read_text(), junit.read_text()):
        assert "swordfish" not in text


@pytest.mark.parametrize(
    ("statuses", "severity", "code"),
    [
        ([Status.PASSED, Status.SKIPPED], "error", 0),
        ([Status.SKIPPED], "error", 0),
        ([Status.PASSED, Status.FAILED], "warning", 10),
        ([Status.NOT_CHECKED, Status.PASSED], "warning", 20),
        ([Status.FAILED, Status.NOT_CHECKED], "error", 30),
        ([], "error", 20),
    ],
)
@pytest.mark.usefixtures("stacks")
def test_the_exit_code_is_the_worst_that_was_found(
    statuses: list[Status], severity: Severity, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stacks: Path
) -> None:
    def verified(request: Request) -> Report:
        return report(request, statuses, severity)

    monkeypatch.setattr(command, "verify", verified)
    assert ask(capsys, "--stack", "one", "--outputs", str(stacks / "outputs.json"))[0] == code


def report(request: Request, statuses: list[Status], severity: Severity) -> Report:
    one = replace(check("a"), severity=severity)
    findings = tuple(Finding(check=one.id, where=f"n-{number}", status=status) for number, status in enumerate(statuses))
    return Report(environment="e", stack=request.stack, started_s=0, seconds=1, checks=(one,), findings=findings, nodes=2)


@pytest.mark.usefixtures("stacks")
def test_outputs_come_from_standard_input_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Input:
        @staticmethod
        def read() -> str:
            return outputs()

    monkeypatch.setattr(sys, "stdin", Input)
    assert ask(capsys, "--stack", "one", "--outputs", "-", "--only", "nodes.reachable")[0] == 30


def test_the_engine_is_asked_where_no_outputs_are_given(
    stacks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    engine = tmp_path / "bin" / "pulumi"
    engine.parent.mkdir()
    monkeypatch.setenv("PATH", f"{engine.parent}:{os.environ['PATH']}")
    engine.write_text(f'#!/bin/sh\necho "$PWD $*" > {tmp_path}/asked\nexec cat {stacks / "outputs.json"}\n')
    engine.chmod(0o755)
    assert ask(capsys, "--stack", "one", "--only", "nodes.reachable")[0] == 30
    assert (tmp_path / "asked").read_text() == f"{stacks.parent} stack output --json --show-secrets --non-interactive --stack one\n"
    engine.write_text("#!/bin/sh\necho 'error: no stack named one' >&2\nexit 255\n")
    assert ask(capsys, "--stack", "one") == (2, "", "ops: pulumi gives no outputs of stack 'one': error: no stack named one\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = ask(capsys, "--stack", "one")
    assert code == 2
    assert "--outputs FILE" in err


WRONG: Mapping[str, str] = {
    "{": "is not JSON",
    "[]": "no JSON object",
    "{}": "run `pulumi up` there first",
    outputs(ssh=None): "kubeconfig or ssh is missing or masked",
    outputs(ssh="[secret]"): "with `pulumi stack output --json --show-secrets`",
    outputs(kubeconfig="[secret]"): "kubeconfig or ssh is missing or masked",
    outputs(environment="other"): "the outputs are of environment 'other', the stack file declares",
}


@pytest.mark.parametrize("text", WRONG)
def test_outputs_that_are_none_are_one_clear_error(text: str, stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (stacks / "outputs.json").write_text(text)
    code, out, err = ask(capsys, "--stack", "one", "--outputs", str(stacks / "outputs.json"), "--only", "nodes.reachable")
    assert (code, out) == (2, "")
    assert WRONG[text] in err
    assert "swordfish" not in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "nodes.reachable", "--junit", "/nonexistent/junit.xml"], "there is no folder /nonexistent"),
        (["--only", "nodes.reachabel"], "no such check, near 'nodes.reachable'"),
        (["--watch", "0"], "expected seconds, more than 0"),
        (["--time-limit", "soon"], "expected seconds, more than 0"),
        (["--outputs", "/nonexistent/file"], "No such file"),
    ],
)
def test_words_without_sense_are_refused_before_anybody_is_asked(
    words: list[str], said: str, stacks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ask(capsys, "--stack", "one", "--outputs", str(stacks / "outputs.json"), *words)
    assert (code, out) == (2, "")
    assert said in err


def test_it_watches_until_it_is_interrupted(stacks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    runs: Iterator[list[Status]] = iter([[Status.FAILED], [Status.PASSED]])

    def verified(request: Request) -> Report:
        found = next(runs, None)
        if found is None:
            raise KeyboardInterrupt
        return report(request, found, "error")

    monkeypatch.setattr(command, "verify", verified)
    words = ("--stack", "one", "--outputs", str(stacks / "outputs.json"))
    code, out, _ = ask(capsys, *words, "--watch", "0.01")
    assert code == 0
    assert out.count("nodes.a") >= 1
    code, out, err = ask(capsys, *words)
    assert (code, out) == (130, "")
    assert "interrupted" in err


def test_an_interrupt_of_the_process_is_130_and_no_traceback(stacks: Path) -> None:
    words = ["verify", "--stack", "one", "--stacks", str(stacks), "--outputs", "-", "--only", "nodes.reachable", "--watch", "60"]
    with subprocess.Popen(
        [sys.executable, "-m", "ops", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(outputs())
        process.stdin.close()
        assert process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        assert process.wait(120) == 30  # what the last run said


def test_neither_pulumi_nor_the_slow_libraries_are_imported_where_nobody_needs_them() -> None:
    told = "import sys, ops.__main__; first = {*sys.modules}; import ops.verify.command; print('asyncssh' in first, 'httpx' in first, 'pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split() == ["False"] * 3
