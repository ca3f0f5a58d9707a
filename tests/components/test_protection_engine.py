"""What the engine makes of protection: what lifts it for a replacement, what for a deletion, and that etcd's volume takes the root volume with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.pulumi_project import Project, engine

pytestmark = [pytest.mark.engine, pytest.mark.skipif(engine() is None, reason="no pulumi CLI: set UNDERLAY_PULUMI or put it on PATH")]
PROGRAM = """
import pulumi, pulumi_random as random
etcd = random.RandomString("etcd", length={length}, opts=pulumi.ResourceOptions(protect={protect}))
root = random.RandomString("root", length=4, opts=pulumi.ResourceOptions(protect={protect}, replace_with=[etcd]))
"""


def test_protection_goes_with_the_change_that_replaces_and_before_the_one_that_deletes(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")

    def write(length: int, *, protect: bool) -> None:
        project.write(PROGRAM.format(length=length, protect=protect))

    write(4, protect=True)
    project.up()
    write(5, protect=True)
    refused = project.run("preview")
    assert refused.code != 0
    assert "etcd" in refused.text
    assert "protect" in refused.text
    write(5, protect=False)
    assert {name for name, step in project.planned().items() if "replace" in step} == {"etcd", "root"}
    project.write("")
    refused = project.run("preview")
    assert refused.code != 0
    assert "protect" in refused.text
    write(4, protect=False)
    project.up()
    project.write("")
    assert {name for name, step in project.planned().items() if step == "delete"} == {"etcd", "root"}
