"""What doctor shows: table, JSON and exit code; and the command itself on a project that is wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ops import __main__ as command_line
from ops.doctor import judges, project, report
from ops.doctor.model import Finding
from ops.verify.model import Status
from tests.ops.doctor.made_hosts import operator, plan_with, said, seen
from tests.settings.documents import ROOT


def finding(status: Status, severity: str = "error") -> Finding:
    return Finding(id="a.b", where="kvm1", status=status, severity="error" if severity == "error" else "warning", found="x", remedy="do y")


@pytest.mark.parametrize(
    ("status", "severity", "code"),
    [
        (Status.PASSED, "error", 0),
        (Status.FAILED, "warning", 10),
        (Status.NOT_CHECKED, "warning", 10),
        (Status.NOT_CHECKED, "error", 20),
        (Status.FAILED, "error", 30),
    ],
)
def test_the_worst_finding_is_the_exit_code(status: Status, severity: str, code: int) -> None:
    assert report.exit_code([finding(status, severity)]) == code
    assert report.exit_code([finding(Status.PASSED), finding(status, severity)]) == code
    assert report.exit_code([]) == 0


def test_the_table_shows_what_is_wrong_and_with_all_everything() -> None:
    findings = judges.findings(seen(plan_with(network={"mtu": 9000}), here=replace(operator(), tools={**operator().tools, "xsltproc": ""})))
    short, long = (report.as_text(findings, every=every, colour=False) for every in (False, True))
    assert "apt install xsltproc" in short
    assert "link.mtu" in short
    assert "kvm.boots" not in short
    assert "kvm.boots" in long
    assert "3 errors, 0 warnings, 0 not checked" in short
    assert short.endswith("Mend the errors before `pulumi up`.\n")
    assert "\x1b" not in short
    assert max(map(len, short.splitlines())) <= report.WIDTH


def test_nothing_wrong_is_one_line() -> None:
    text = report.as_text(judges.findings(seen()), every=False, colour=False)
    assert len(text.splitlines()) == 1
    assert text.endswith("Nothing stands in the way of `pulumi up`.\n")


def test_square_brackets_of_a_host_are_shown_as_they_are() -> None:
    text = report.as_text([replace(finding(Status.FAILED), found="[red]no[/red] [/]")], every=False, colour=False)
    assert "[red]no[/red] [/]" in text


def test_json_has_every_finding() -> None:
    findings = judges.findings(seen(told={"time": said("NTPSynchronized=no")}))
    document = json.loads(report.as_json("small", findings))
    assert document["exit_code"] == 10
    assert document["counts"]["warning"] == 1
    assert len(document["findings"]) == len(findings)
    clock = next(each for each in document["findings"] if each["id"] == "clock.synchronised")
    assert (clock["status"], clock["severity"], clock["where"]) == ("failed", "warning", "kvm1")
    assert clock["remedy"]


def test_the_project_says_where_things_are(tmp_path: Path) -> None:
    found = project.read(ROOT)
    assert (found.stacks, found.main) == (ROOT / "stacks", ROOT)
    assert project.pinned(found)["pulumi-libvirt"] == "0.5.4"
    (tmp_path / "Pulumi.yaml").write_text("name: x\nmain: /elsewhere\nruntime: {name: python, options: {virtualenv: /venv}}\n")
    lab = project.read(tmp_path)
    assert (lab.stacks, lab.main, lab.python) == (tmp_path, Path("/elsewhere"), Path("/venv/bin/python"))
    (tmp_path / "Pulumi.dev.yaml").write_text("encryptionsalt: v1:salt\nsecretsprovider: hashivault://key?token=hunter2\n")
    assert project.encryption(lab, "org/underlay/dev") == {"encryptionsalt": "there", "secretsprovider": "hashivault"}


def test_a_wrong_project_or_stack_is_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["doctor", "--stack", "x", "--project", str(tmp_path)]) == 2
    assert "Pulumi.yaml" in capsys.readouterr().err
    assert command_line.main(["doctor", "--stack", "nowhere"]) == 2
    assert "known stacks" in capsys.readouterr().err
