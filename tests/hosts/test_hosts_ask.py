"""Asking a host for its domains: virsh itself with libvirt's own test driver, and programs in its place that misbehave."""

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from hosts import ask


def answer(uri: str = "test:///default", within_s: float = 60) -> ask.Answer:
    return asyncio.run(ask.domains(uri, within_s=within_s))


@pytest.fixture
def virsh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in virsh's place."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "virsh"


def is_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)


def test_a_host_names_its_domains_and_its_version() -> None:
    if shutil.which("virsh") is None:
        pytest.skip("virsh is not here (Debian's libvirt-clients)")
    found = answer()
    assert found.why_not == ""
    assert [(each.name, each.running, each.kind, each.vcpus, each.floating) for each in found.machines] == [("test", True, "test", 2, True)]
    assert found.libvirt is None or found.libvirt >= (1, 0)


def test_a_host_that_cannot_be_reached_says_why() -> None:
    if shutil.which("virsh") is None:
        pytest.skip("virsh is not here (Debian's libvirt-clients)")
    found = answer("qemu:///system?socket=/nowhere/libvirt-sock")
    assert found.machines == ()
    assert "/nowhere/libvirt-sock" in found.why_not


def test_a_program_without_virsh_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install libvirt-clients" in answer().why_not


def test_a_host_that_hangs_is_left_after_the_limit_with_all_that_it_started(virsh: Path) -> None:
    is_program(virsh, f"sleep 300 & echo $! >{virsh.parent}/child\nwait\n")
    began = time.monotonic()
    assert answer(within_s=1).why_not == "no answer in 1 s"
    assert time.monotonic() - began < 30
    child = Path("/proc") / (virsh.parent / "child").read_text().strip() / "stat"
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_a_domain_that_went_meanwhile_is_left_out(virsh: Path) -> None:
    # virsh's own manner: each question's answer or complaint after what `echo` says
    program = """
import sys
for part in sys.argv[-1].split("; "):
    words = part.split()
    if words[0] == "echo": print(words[1])
    elif words[0] == "list": print("gone\\nhere\\n")
    elif words[0] == "version": print("Running against daemon: 10.3.0\\n")
    elif words[1] == "gone": print("error: failed to get domain 'gone'")
    else: print("<domain type='kvm'><name>here</name><vcpu>4</vcpu></domain>\\n")
"""
    (virsh.parent / "fake.py").write_text(program)
    is_program(virsh, f'exec python3 {virsh.parent}/fake.py "$@"\n')
    found = answer()
    assert [each.name for each in found.machines] == ["here"]
    assert (found.libvirt, found.why_not) == ((10, 3), "")


def test_a_domain_of_any_name_is_asked_for_by_one_word(virsh: Path) -> None:
    is_program(
        virsh,
        "for words; do :; done\n"
        f'printf "%s\\n" "$words" >>{virsh.parent}/asked\n'
        'case $words in *dumpxml*) for mark in $(printf %s "$words" | tr ";" "\\n" | sed -n "s/^ *echo //p"); do echo "$mark"; done;;\n'
        '*) set -- $(printf %s "$words" | tr ";" "\\n" | sed -n "s/^ *echo //p"); echo "$1"; echo "$2"; echo "a b\\$(c)"; echo "$3"; echo "$4";; esac\n',
    )
    assert answer().why_not == ""
    assert "dumpxml 'a b$(c)';" in (virsh.parent / "asked").read_text()
