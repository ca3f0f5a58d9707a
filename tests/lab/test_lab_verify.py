"""`python -m lab verify` and `doctor`: the product's verification gets the lab's own stack file and the stack's outputs, doctor a file beside it."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from lab import doctor as asking
from lab import project
from lab import verify as verifying
from lab.places import CHECKOUT, Lab, LabError, write_private
from lab.session import Session
from lab.stackfile import Machine
from ops.doctor import project as doctors
from tests.ops.verify.test_run_command import PLAN, outputs
from tests.settings.documents import minimal


@dataclass
class Stand:
    """A session whose engine knows one stack's outputs."""

    lab: Lab
    stack: str = "one"
    asked: list[Sequence[str]] = field(default_factory=list[Sequence[str]])

    def capture(self, arguments: Sequence[str]) -> str:
        self.asked.append(arguments)
        return outputs()


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """A lab that is up, outside of any namespace, with the stack file that it generated."""
    lab = Lab(name="t", checkout=CHECKOUT)
    path = tmp_path / "stacks" / "Pulumi.one.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({"config": {"underlay:environment": minimal()}}))

    def generated(_lab: Lab, _stack: str) -> Path:
        return path

    def here(_lab: Lab) -> bool:
        return True

    def words(namespace: str, command: Sequence[str]) -> list[str]:
        assert namespace == "underlay-t"
        return list(command)

    monkeypatch.setattr(project, "generated_file", generated)
    monkeypatch.setattr(verifying.hypervisor, "is_here", here)
    monkeypatch.setattr(verifying, "in_namespace", words)
    return Stand(lab)


def test_it_verifies_the_stack_that_the_lab_generated(stand: Stand, capfd: pytest.CaptureFixture[str]) -> None:
    code = verifying.verify(cast("Session", stand), ["--only", "nodes.reachable"])
    said = capfd.readouterr()
    assert code == 30
    assert stand.asked == [["stack", "output", "--json", "--show-secrets"]]
    assert PLAN.nodes[0].name in said.out
    assert "no usable SSH key" in said.err
    assert verifying.verify(cast("Session", stand), ["--only", "nothing.of-it"]) == 2


def test_no_secret_is_a_word_of_the_command(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []

    class Process(subprocess.Popen[str]):
        def __init__(self, words: list[str], **options: Any) -> None:
            started.append(words)
            super().__init__(["cat"], stdout=subprocess.DEVNULL, **options)

    monkeypatch.setattr(subprocess, "Popen", Process)
    assert verifying.verify(cast("Session", stand), ["--json"]) == 0
    assert started[0][1:4] == ["-m", "ops", "verify"]
    assert started[0][-1] == "--json"
    assert "swordfish" not in " ".join(started[0])


def test_a_lab_that_is_not_up_says_so(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_lab: Lab) -> bool:
        return False

    monkeypatch.setattr(verifying.hypervisor, "is_here", away)
    with pytest.raises(LabError, match="run `make up`"):
        verifying.verify(cast("Session", stand), [])


def test_doctor_asks_about_a_project_beside_the_running_labs(tmp_path: Path) -> None:
    """A lab that is up with `--set` keeps its stack file: `verify` goes on from it."""
    lab = Lab(name="t", checkout=tmp_path)
    write_private(tmp_path / "stacks" / "Pulumi.one.yaml", yaml.safe_dump({"config": {"underlay:environment": minimal()}}))
    kept = "encryptionsalt: v1:salt\nconfig: {}\n"
    write_private(project.project_dir(lab) / "Pulumi.yaml", "name: underlay\nstackConfigDir: stacks\n")
    write_private(project.generated_file(lab, "one"), kept)
    here = Machine(image_dir=tmp_path, domain_type="qemu")
    folder = asking.project_for(cast("Session", Stand(lab)), here, [("network.mtu", 1400)])
    assert project.generated_file(lab, "one").read_text() == kept
    found = doctors.read(folder)
    asked = yaml.safe_load((found.stacks / "Pulumi.one.yaml").read_text())
    assert (asked["encryptionsalt"], asked["config"]["underlay:environment"]["network"]["mtu"]) == ("v1:salt", 1400)
