"""The question before a domain is made, in the real engine's hands: refused in preview and `up`, once a host, and `destroy` needs no program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.pulumi_project import CHECKOUT, Project, engine

pytestmark = [pytest.mark.engine, pytest.mark.skipif(engine() is None, reason="no pulumi CLI: set UNDERLAY_PULUMI or put it on PATH")]
PROGRAM = f"""
import sys
sys.path[:0] = ["{CHECKOUT}", "{CHECKOUT}/tests/render"]
import pulumi, pulumi_random as random
from render_plans import full
from components.neighbours import Neighbours
plan = full()
neighbours = Neighbours("oslo-kvm-a", plan, "kvm-a")
asked = pulumi.ResourceHookBinding(before_create=[neighbours.hook])
for node in plan.nodes_on("kvm-a"):
    random.RandomString(f"{{node.name}}-domain", length=4, opts=pulumi.ResourceOptions(hooks=asked))
"""
VIRSH = """#!/usr/bin/env python3
import pathlib, sys
here = pathlib.Path(__file__).parent
mode = (here / "mode").read_text()
with (here / "asked").open("a") as asked:
    asked.write("once\\n")
if mode == "down":
    sys.exit("error: failed to connect to the hypervisor")
for part in sys.argv[-1].split("; "):
    words = part.split()
    if words[0] == "echo":
        print(words[1])
    elif words[0] == "list":
        print("db-1")
    elif words[0] == "version":
        print("Running against daemon: 10.3.0")
    else:
        print(f"<domain><name>db-1</name><vcpu>1</vcpu><cputune><vcpupin vcpu='0' cpuset='{'5' if mode == 'taken' else '31'}'/></cputune></domain>")
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    program = made.folder / "bin" / "virsh"
    program.write_text(VIRSH)
    program.chmod(0o755)
    made.write(PROGRAM)
    return made


def mode(project: Project, word: str) -> None:
    (project.folder / "bin" / "mode").write_text(word)
    (project.folder / "bin" / "asked").write_text("")


def test_pins_that_another_domain_has_are_refused_and_destroy_needs_no_program(project: Project) -> None:
    mode(project, "taken")
    for words in (("preview",), ("up", "--yes", "--skip-preview")):
        refused = project.run(*words)
        assert refused.code != 0
        assert "oslo-cp-1 cannot be made on kvm-a: CPUs 5 are of domain db-1, which underlay does not know" in refused.text
        assert "Traceback" not in refused.text
    mode(project, "down")
    assert "hypervisor kvm-a does not say which domains it has (failed to connect" in project.preview().text
    mode(project, "free")
    project.up()
    assert (project.folder / "bin" / "asked").read_text().count("once") == 2, "one connection for the names and one for the definitions"
    mode(project, "taken")
    assert project.planned() == {}, "what is there is not asked about again"
    project.write('raise RuntimeError("the program is gone")\n')
    gone = project.run("destroy", "--yes", "--skip-preview")
    assert gone.code == 0, gone.text
