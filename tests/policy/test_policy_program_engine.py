"""underlay's own program in the engine's hands with the pack: what a stack file must not say is refused in its preview, once."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from ops.__main__ import main
from ops.policy.command import configuration
from tests.plugins.pulumi_project import CHECKOUT, Outcome, Project, engine
from tests.settings.documents import Tree, merged, minimal

PACK = CHECKOUT / "policy"
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(engine() is None, reason="no pulumi CLI: set UNDERLAY_PULUMI or put it on PATH"),
    pytest.mark.skipif(not (PACK / ".venv" / "bin" / "python").exists(), reason="no policy/.venv: lab/bootstrap.sh makes it"),
]
RIGHT: Tree = {
    "residency": {"reason": "health data", "places": {"s3.example": "NO"}},
    "state_backend": {"url": "s3://state?endpoint=s3.example"},
    "hypervisors": {"kvm1": {"pool": {"media": "nvme"}, "shared_cpus": "2-5"}},
}
SHARED = {"kind": "shared"}
REFUSED: dict[str, tuple[Tree, str]] = {
    "a residency breach": (
        {"hypervisors": {"kvm1": {"location": {"country": "SE"}}}},
        "hypervisors.kvm1.location.country: is 'SE', allowed by residency: NO (health data)",
    ),
    "an overcommit": (
        {"workers": {"worker": {"cpu_policy": SHARED}}},
        "workers.worker: has no place for small-worker-2",
    ),
    "an encapsulated pool": (
        {"pod_network": {"encapsulation": {"protocol": "vxlan"}}},
        "pod_network.encapsulation.protocol is vxlan, which adds 50 bytes to every packet, and no reason is declared",
    ),
}
"""What a stack file says, and the one message."""
DECLARED: Tree = {
    "residency": {"countries": ["NO", "SE"]},
    "hypervisors": {"kvm1": {"location": {"country": "SE"}}},
    "workers": {"worker": {"cpu_policy": {**SHARED, "overcommit": 2.0}}},
    "pod_network": {"encapsulation": {"protocol": "vxlan", "reason": "the provider drops what it does not know"}},
}
"""The same, declared."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("program") / "project", name="underlay")
    about = {"name": "underlay", "main": str(CHECKOUT), "runtime": {"name": "python", "options": {"virtualenv": str(CHECKOUT / ".venv")}}}
    (made.folder / "Pulumi.yaml").write_text(yaml.safe_dump(about))
    virsh = made.folder / "bin" / "virsh"
    virsh.write_text("#!/bin/sh\necho 'error: there is no hypervisor here' >&2\nexit 1\n")
    virsh.chmod(0o755)
    return made


def declare(project: Project, change: Tree) -> None:
    """The minimal stack, as it keeps every rule, with a change."""
    file = project.folder / "Pulumi.test.yaml"
    before: Tree = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**before, "config": {"underlay:environment": merged(minimal(**RIGHT), change)}}))


def preview(project: Project, change: Tree) -> Outcome:
    """What the engine and the pack say of it."""
    declare(project, change)
    levels = project.folder / "levels.json"
    levels.write_text(configuration({}))
    return project.run("preview", "--policy-pack", str(PACK), "--policy-pack-config", str(levels))


@pytest.mark.parametrize("change", [{}, DECLARED], ids=["as it should be", "with what is declared"])
def test_a_stack_that_keeps_the_rules_is_previewed(project: Project, change: Tree) -> None:
    outcome = preview(project, change)
    assert outcome.code == 0, outcome.text
    assert "✅ underlay@v" in outcome.text, outcome.text
    assert "[mandatory]" not in outcome.text


@pytest.mark.parametrize("name", REFUSED)
def test_what_must_not_be_is_refused_in_the_preview_with_one_message(project: Project, name: str) -> None:
    change, message = REFUSED[name]
    outcome = preview(project, change)
    assert outcome.code != 0, outcome.text
    assert outcome.text.count(message) == 1, outcome.text
    mistakes = re.findall(r"(?m)^\s*- (?!\[)\S+: .*", outcome.text)
    violations = re.findall(r"- \[(?:mandatory|advisory)\]\s+(\S+)", outcome.text)
    assert len(mistakes) + len(violations) == 1, outcome.text
    assert "Traceback" not in outcome.text


def test_the_record_of_a_preview_says_the_same_without_an_engine(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    change, message = REFUSED["an encapsulated pool"]
    declare(project, change)
    record = project.folder / "preview.json"
    for stream in ("false", "true"):
        project.environment["PULUMI_ENABLE_STREAMING_JSON_PREVIEW"] = stream
        record.write_text(project.run("preview", "--json", "--show-sames").text)
        assert main(["policy", str(record), "--json"]) == 40
        (found,) = json.loads(capsys.readouterr().out)["violations"]
        assert (found["rule"], found["resource"]) == ("no-encapsulation", "small")
        assert found["message"].startswith(message)
