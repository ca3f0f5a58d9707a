"""What hypervisors are asked: by virsh, read-only, each question once; one that does not answer is an answer."""

import asyncio
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.verify import hypervisors
from ops.verify.model import Said
from plan import Plan, make
from settings import load
from tests.ops.verify.node_servers import on_hypervisor
from tests.ops.verify.test_run_registry import check
from tests.settings.documents import minimal

PLAN = make(load(minimal()))


@pytest.fixture
def virsh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a program called virsh first, which notes its words."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def put(script: str) -> Path:
        (folder / "virsh").write_text(f'#!/bin/sh\necho "$*" >> {shlex.quote(str(tmp_path / "asked"))}\n{script}\n')
        (folder / "virsh").chmod(0o755)
        return tmp_path / "asked"

    return put


def ask(*words: str, within_s: float = 20) -> dict[str, Said]:
    return asyncio.run(hypervisors.gather(PLAN, {"kvm1": words}, within_s))["kvm1"]


def words(*said: str) -> Callable[[Plan, str], Iterable[str]]:
    def found(_plan: Plan, name: str) -> Sequence[str]:
        return [text.replace("NAME", name) for text in said]

    return found


def unsure(_plan: Plan, _name: str) -> Iterable[str]:
    raise KeyError("unsure")


def test_every_hypervisor_gets_every_question_once() -> None:
    checks: list[Any] = [replace(check("a"), virsh=words("nodeinfo", "dumpxml NAME")), replace(check("b"), virsh=words("nodeinfo")), check("c")]
    assert hypervisors.questions(PLAN, checks) == {"kvm1": ("nodeinfo", "dumpxml kvm1")}
    assert hypervisors.questions(PLAN, [check("c"), replace(check("d"), virsh=unsure)]) == {}

    def counted(_plan: Plan, _name: str) -> tuple[str, ...]:
        return ("domstats --vcpu",)

    counting = replace(check("e"), virsh_twice=counted)
    assert hypervisors.questions(PLAN, [*checks, counting]) == {"kvm1": ("nodeinfo", "dumpxml kvm1", "domstats --vcpu")}
    assert hypervisors.counters(PLAN, [*checks, counting]) == {"kvm1": ("domstats --vcpu",)}


TEST = "test:///default"
"""libvirt's own test driver, in virsh itself: one machine called `test`."""


@pytest.fixture
def plan() -> Plan:
    """The plan with libvirt's test driver for its hypervisor."""
    return on_hypervisor(PLAN, TEST)


def test_a_real_libvirt_answers_each_question_and_says_what_is_wrong_at_its_place(plan: Plan) -> None:
    asked = [
        "dominfo test",
        "dominfo gone",
        "nodeinfo",
        "vcpupin test",
        *(f"dominfo gone-{number}" for number in range(hypervisors.BATCH)),
        "dumpxml test",
    ]
    said = asyncio.run(hypervisors.gather(plan, {"kvm1": asked}, 60))["kvm1"]
    assert list(said) == asked
    assert "State:          running" in said["dominfo test"].output
    assert said["dominfo gone"] == Said(output="", exit_code=1, error="failed to get domain 'gone'")
    assert "CPU(s):" in said["nodeinfo"].output
    assert "0   0-7" in said["vcpupin test"].output
    assert said["dumpxml test"].output.strip().startswith("<domain type='test'")
    assert said["dumpxml test"].output.strip().endswith("</domain>")
    assert all(said[words].error.endswith(f"'{words.split()[1]}'") for words in asked if "gone" in words)


def test_the_connection_itself_cannot_change_anything(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hypervisors, "READING", {"destroy", "list"})
    said = asyncio.run(hypervisors.gather(plan, {"kvm1": ["destroy test", "list"]}, 60))["kvm1"]
    assert "read only access" in said["destroy test"].error
    assert "running" in said["list"].output


def test_a_hypervisor_that_is_not_there_says_so_at_every_question() -> None:
    away = on_hypervisor(PLAN, "test:///nonexistent")
    said = asyncio.run(hypervisors.gather(away, {"kvm1": ["nodeinfo", "list"]}, 60))["kvm1"]
    assert all("failed to connect to the hypervisor" in answer.error for answer in said.values())


@pytest.mark.parametrize(
    "question",
    [
        "destroy lab-cp-1",
        "",
        "; reboot",
        "list 'a b'",
        "shutdown a",
        "console a",
        "vcpupin-no a",
        "list; destroy a",
        "list --all;destroy a",
        "list\ndestroy a",
    ],
)
def test_what_changes_something_is_not_asked(question: str, virsh: Callable[[str], Path]) -> None:
    asked = virsh("true")
    assert "is none that only reads" in ask(question)[question].error
    assert not asked.exists()


def test_one_that_hangs_or_has_no_virsh_is_an_answer(virsh: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    virsh("exec sleep 60")
    assert ask("nodeinfo", within_s=0.5)["nodeinfo"].error == "no answer before the run's limit of 0.5 s"
    monkeypatch.setattr(hypervisors, "ANSWER_S", 0.5)
    assert ask("nodeinfo")["nodeinfo"].error == "no answer in 0.5 s"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install libvirt-clients" in ask("nodeinfo")["nodeinfo"].error
