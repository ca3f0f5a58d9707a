"""`python -m ops preview-summary`: exit codes, files, mistakes; and where its figures are from."""

import io
import json
import re
from pathlib import Path
from typing import cast

import pytest

from ops import __main__ as command_line
from ops.preview import measured
from tests.ops import made_previews as made
from tests.settings.documents import ROOT

OLD = made.plan()
CODES = {
    "nothing": (0, made.document([])),
    "in place": (10, made.document(made.prepared(OLD, made.plan(node={"conntrack": {"max_entries": 2097152}})))),
    "restarts": (20, made.document(made.proxied(OLD, made.plan(kube_proxy={"ipvs": {"scheduler": "lc"}})))),
    "replacements": (30, made.document(made.redefined(OLD, made.plan(workers={"worker": {"memory_mib": 20480}}), OLD.workers[0]))),
    "refused": (40, made.document([], diagnostics=[{"message": "error: Preview failed: 1 mistake", "severity": "error"}])),
}


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code: object = command_line.main(words)
    except SystemExit as end:  # argparse leaves so
        code = end.code
    said = capsys.readouterr()
    return cast("int", code), said.out, said.err


@pytest.mark.parametrize("case", CODES)
def test_each_gate_has_its_exit_code(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = CODES[case]
    path = tmp_path / "preview.json"
    path.write_text(text)
    for form in ("markdown", "text", "json"):
        found, out, err = ask(capsys, "preview-summary", str(path), "--format", form)
        assert (found, err) == (code, "")
        assert f"exit code {code}" in out or json.loads(out)["exit_code"] == code


def test_the_worst_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = made.plan(workers={"worker": {"memory_mib": 20480}}, kube_proxy={"ipvs": {"scheduler": "lc"}}, node={"conntrack": {"max_entries": 2097152}})
    path = tmp_path / "preview.json"
    path.write_text(made.document([*made.prepared(OLD, new), *made.redefined(OLD, new, new.workers[0]), *made.proxied(OLD, new)]))
    code, out, _ = ask(capsys, "preview-summary", str(path), "--format", "text")
    assert code == 30
    sections = [line for line in out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert sections == ["Data plane:", "Nodes:", "Cost:"]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(CODES["restarts"][1]))
    assert ask(capsys, "preview-summary", "--format", "text")[0] == 20


def test_the_diff_of_the_cli_is_taken_where_it_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, diff = tmp_path / "preview.json", tmp_path / "diff.txt"
    path.write_text(CODES["restarts"][1])
    diff.write_text("\x1b[1m~ kubernetes:core/v1:ConfigMapPatch\x1b[0m: (update)\n    as the CLI says it\n")
    _, out, _ = ask(capsys, "preview-summary", str(path), "--diff", str(diff))
    assert "~ kubernetes:core/v1:ConfigMapPatch: (update)\n    as the CLI says it\n" in out
    assert "scheduler: rr" not in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("preview-summary", "{folder}/none.json"), "none.json: [Errno 2]"),
        (("preview-summary", "{folder}/empty.json"), "empty.json is empty: `pulumi preview --json` said nothing"),
        (("preview-summary", "{folder}/nothing.json", "--diff", "{folder}/none.txt"), "none.txt"),
        (("preview-summary", "{folder}/nothing.json", "--stack", "nowhere"), "no stack 'nowhere'"),
        (("preview-summary", "{folder}/nothing.json", "--format", "html"), "invalid choice"),
    ],
)
def test_what_makes_no_sense_is_neither_a_gate_nor_a_crash(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "nothing.json").write_text(CODES["nothing"][1])
    code, out, err = ask(capsys, *(word.format(folder=tmp_path) for word in words))
    assert (code, out) == (2, "")
    assert expected in err


def test_the_settings_of_the_preview_itself_count_before_the_stack_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = made.settings(workers={"worker": {"memory_mib": 20480}}, cluster={"timeouts": {"drain_s": 7200}})
    path = tmp_path / "preview.json"
    path.write_text(made.document(made.redefined(OLD, made.plan(workers={"worker": {"memory_mib": 20480}}), OLD.workers[0]), settings=new))
    _, out, _ = ask(capsys, "preview-summary", str(path), "--format", "json", "--stack", "example-oslo")
    assert json.loads(out)["cost"]["at_most_s"] == 7200 + 300 + 600
    assert json.loads(out)["stack"] == "example-oslo"


def test_every_figure_stands_in_the_readme() -> None:
    rows = dict(re.findall(r"(?m)^\| (?:- )?(.+?) \| (.+?) \|$", (ROOT / "README.md").read_text()))
    figures = (measured.PREPARE, measured.PROXY, measured.REDEFINE, measured.JOIN, measured.LEAVE)
    for figure in figures:
        assert figure.source in rows, figure.source
        assert f"{figure.seconds} s" in re.findall(r"\d+ s", rows[figure.source])
