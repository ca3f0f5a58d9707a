"""`ops plan`: its table, its drawing of each hypervisor's cores, what is missing, its document for programs, and the record."""

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from ops import __main__ as command_line
from ops.plan.drawing import FREE, HOST, IDLE, LABEL, SHARED, WIDTH
from ops.plan.report import as_text
from ops.stack import ENVIRONMENT
from settings import load
from tests.ops.made_plans import CASES, GOLDEN, document, seats, written

ROW = re.compile(rf"^    \d[\d/]{{0,{LABEL - 6}}} +(\S+( \S+)*)$")
FITS = sorted(set(CASES) - {"short"})


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    try:
        code: object = command_line.main(["plan", *words])
    except SystemExit as end:  # argparse leaves so
        code = end.code
    said = capsys.readouterr()
    return cast("int", code), said.out, said.err


@pytest.mark.parametrize("case", CASES)
def test_what_is_shown_is_what_was_agreed(case: str, tmp_path: Path) -> None:
    assert as_text(seats(tmp_path, case), colour=False) == (GOLDEN / f"{case}.txt").read_text()


@pytest.mark.parametrize("case", CASES)
def test_every_thread_is_drawn_once_as_its_owner_s(case: str, tmp_path: Path) -> None:
    placement = seats(tmp_path, case).placement
    assert placement is not None
    text = as_text(seats(tmp_path, case), colour=False)
    drawn = Counter("".join(found[1] for line in text.splitlines() if (found := ROW.match(line))).replace(" ", ""))
    cores = [core for view in placement.hosts for numa in view.numa for core in numa.cores]
    assert drawn.total() == sum(len(core.cpus) for core in cores)
    for mark, owner in ((HOST, "host"), (SHARED, "shared"), (FREE, "free")):
        assert drawn[mark] == sum(len(core.cpus) for core in cores if core.owner == owner)
    assert drawn[IDLE] == sum(len(core.cpus) - len(core.used) for core in cores if core.owner in ("machine", "tenant"))


@pytest.mark.parametrize("case", CASES)
def test_the_drawing_fits_and_colours_change_no_letter(case: str, tmp_path: Path) -> None:
    found = seats(tmp_path, case)
    plain = as_text(found, colour=False)
    drawn = plain[plain.index("\nkvm1") :].split("\n✗")[0].rpartition("\n\n")[0]
    assert max(map(len, drawn.splitlines())) <= WIDTH
    assert re.sub(r"\x1b\[[0-9;]*m", "", as_text(found, colour=True)) == plain
    assert "\x1b[" in as_text(found, colour=True)
    assert "\x1b[" not in plain


def test_letters_are_the_machines_that_the_legend_names(tmp_path: Path) -> None:
    found = seats(tmp_path, "mixed")
    assert found.placement is not None
    text = as_text(found, colour=False)
    host = text[text.index("\nkvm1") : text.index("\nkvm2")]
    legend = dict(re.findall(r"([a-zA-Z]) (small-[a-z]+-\d|db-1)", host))
    first_row = re.findall(r"^    (\d+)/(\d+) +(.*)$", host, re.MULTILINE)
    drawn: dict[int, str] = {}
    for low, high, cells in first_row:
        for place, cell in enumerate(cells.split()):
            drawn |= {int(low) + place: cell[0], int(high) + place: cell[1]}
    for name in ("small-cp-1", "small-worker-3"):
        letter = next(letter for letter, known in legend.items() if known == name)
        assert {cpu for cpu, mark in drawn.items() if mark == letter} == set(found.placement.by_machine[name].cpus)
    assert {cpu for cpu, mark in drawn.items() if mark == "A"} == {8, 9, 10, 11, 72, 73, 74, 75}


def test_what_does_not_fit_names_the_node_what_is_missing_where_and_what_would_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "--file", str(written(tmp_path, "short")))
    assert code == 30
    (store,) = re.findall(r"✗ workers\.store .*?\n  → .*?\n", out, re.DOTALL)
    assert "small-store-1" in store
    assert all(f"    {host}" in store for host in ("kvm1", "kvm2"))
    assert "nvme drive for containerd of 2000 GiB" in store
    assert "6144 MiB (on kvm1)" in out


def test_a_plan_beside_other_mistakes_is_shown_with_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "short")
    content = yaml.safe_load(path.read_text())
    content["config"][ENVIRONMENT]["network"]["gateway"] = "10.99.0.1"
    path.write_text(yaml.safe_dump(content))
    code, out, _ = ask(capsys, "--file", str(path))
    assert code == 30
    assert "1 other mistake in the stack file:\n  network.gateway: " in out
    assert out.count("has no place for small-edge-1") == 1


def test_settings_that_do_not_say_what_there_is_place_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "mixed")
    content = yaml.safe_load(path.read_text())
    content["config"][ENVIRONMENT]["workers"]["worker"]["vcpus"] = "many"
    path.write_text(yaml.safe_dump(content))
    code, out, _ = ask(capsys, "--file", str(path))
    assert (code, "workers.worker.vcpus" in out, "HYPERVISOR" in out) == (30, True, False)
    assert json.loads(ask(capsys, "--file", str(path), "--json")[1])["hypervisors"] == []


@pytest.mark.parametrize("case", CASES)
def test_the_document_says_the_same(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "--file", str(written(tmp_path, case)), "--json")
    found: dict[str, Any] = json.loads(out)
    placement = seats(tmp_path, case).placement
    assert placement is not None
    assert found["exit_code"] == code
    assert {node["name"]: node["hypervisor"] for node in found["nodes"] if node["hypervisor"]} == {
        seat.machine: seat.host for seat in placement.seats
    }
    assert {name for each in found["missing"] for name in each["machines"]} == {node["name"] for node in found["nodes"] if not node["hypervisor"]}
    for host in found["hypervisors"]:
        owned = {cpu: core["names"] for node in host["numa"] for core in node["cores"] if core["owner"] == "machine" for cpu in core["cpus"]}
        assert owned == {cpu: [node["name"]] for node in found["nodes"] if node["hypervisor"] == host["name"] for cpu in node["cpus"]}


@pytest.mark.parametrize("case", FITS)
def test_recorded_seats_are_the_seats_that_were_chosen(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, case)
    before = load(document(case)).placement
    assert ask(capsys, "--file", str(path), "--record", "--check")[0] == 10
    code, out, _ = ask(capsys, "--file", str(path), "--record")
    named = len(document(case).get("placements", {}))
    assert (code, out.count("\n+      small-")) == (0, len(before.seats) - named)
    after = load(yaml.safe_load(path.read_text())["config"][ENVIRONMENT]).placement
    assert [(seat.machine, seat.host, seat.cores, seat.drives) for seat in after.seats] == [
        (seat.machine, seat.host, seat.cores, seat.drives) for seat in before.seats
    ]
    assert all(seat.recorded for seat in after.seats)
    assert ask(capsys, "--file", str(path), "--record", "--check") == (0, f"{path}: every seat is recorded.\n", "")


def test_checking_writes_nothing_and_recording_keeps_mode_and_links(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, link = written(tmp_path, "mixed"), tmp_path / "link.yaml"
    path.chmod(0o640)
    link.symlink_to(path)
    text = path.read_text()
    ask(capsys, "--file", str(link), "--record", "--check")
    assert path.read_text() == text
    assert ask(capsys, "--file", str(link), "--record")[0] == 0
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["Pulumi.mixed.yaml", "link.yaml"]


def test_a_file_is_called_as_it_would_be_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "mixed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line, "STACKS", tmp_path)
    _, out, _ = ask(capsys, "--stack", "mixed", "--record")
    assert out.startswith("--- Pulumi.mixed.yaml\n+++ Pulumi.mixed.yaml\n")
    assert ask(capsys, "--stack", "mixed", "--record", "--check")[1] == "Pulumi.mixed.yaml: every seat is recorded.\n"


def test_a_plan_that_does_not_fit_is_not_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "short")
    text = path.read_text()
    code, out, _ = ask(capsys, "--file", str(path), "--record")
    assert (code, path.read_text()) == (30, text)
    assert "without a place" in out


def test_a_machine_that_is_gone_leaves_the_record_and_no_other_moves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "mixed")
    ask(capsys, "--file", str(path), "--record")
    text = path.read_text()
    path.write_text(text.replace("count: 5", "count: 4"))
    _, out, _ = ask(capsys, "--file", str(path), "--record")
    assert [line for line in out.splitlines() if re.match(r"[+-] ", line)] == [
        line for line in out.splitlines() if line.startswith("-      small-worker-5")
    ]
    path.write_text(re.sub(r"count: 4(\s+vcpus: 16)", r"count: 5\1", path.read_text()))
    _, out, _ = ask(capsys, "--file", str(path), "--record")
    assert [line.split(":")[0] for line in out.splitlines() if re.match(r"[+-] ", line)] == ["+      small-worker-5"]


def test_a_file_that_cannot_be_written_is_a_mistake_and_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "mixed")
    text = path.read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = ask(capsys, "--file", str(path), "--record")
    assert (code, err) == (2, f"ops: {path}: No space left on device\n")
    assert path.read_text() == text
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--check"], "--check goes with --record"),
        (["--record", "--json"], "give one of them"),
    ],
)
def test_words_that_make_no_sense_together_are_refused(words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ask(capsys, "--file", str(written(tmp_path, "mixed")), *words)
    assert (code, out) == (2, "")
    assert message in err


def test_a_stack_is_found_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "emulated")
    monkeypatch.setattr(command_line, "STACKS", tmp_path)
    assert ask(capsys, "--stack", "emulated")[0] == 0
    assert ask(capsys, "--stack", "other")[0] == 2
    assert ask(capsys, "--file", str(tmp_path / "none.yaml"))[2].startswith(f"ops: {tmp_path}/none.yaml: No such file")
    assert ask(capsys)[0] == 2
