"""Engine runs that were broken off, with a program of the test's as the engine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab import session as runs
from lab.places import CHECKOUT, Lab, LabError
from lab.pluginset import PluginSet
from lab.process import alive, with_environment
from lab.session import MARK, Session, exclusive, finish_broken_off
from lab.stackfile import Machine

ENGINE = """\
#!/bin/sh
# Notes what it is asked; answers `stack export` with the state and keeps what `stack import` brings.
echo "$*" >> "$(dirname "$0")/asked"
case "$*" in
    "stack export"*) cat "$(dirname "$0")/exported" ;;
    "stack import"*) cat > "$(dirname "$0")/imported" ;;
esac
"""
WEST, EAST = (
    {"urn": f"urn:pulumi:lab::underlay::pulumi:providers:libvirt::{name}", "id": name, "inputs": {"uri": f"qemu:///{name}"}}
    for name in ("west", "east")
)
DOMAIN = {
    "type": "creating",
    "resource": {"type": "libvirt:index/domain:Domain", "provider": f"{WEST['urn']}::west", "inputs": {"name": "lab-cp-1"}},
}
VOLUME = {
    "type": "creating",
    "resource": {"type": "libvirt:index/volume:Volume", "provider": f"{EAST['urn']}::east", "inputs": {"name": "lab-cp-1-root", "pool": "lab"}},
}
COMMAND = {"type": "creating", "resource": {"type": "command:remote:Command", "inputs": {"create": "exec bash -s"}}}
UPDATE = {"type": "updating", "resource": {"type": "libvirt:index/domain:Domain", "inputs": {"name": "lab-worker-1"}}}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "stacks").mkdir()
    for name in ("Pulumi.yaml", "stacks/Pulumi.lab.yaml"):
        (tmp_path / name).write_text((CHECKOUT / name).read_text())
    engine = tmp_path / "pulumi"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    plugins = PluginSet(engine=Path("pulumi"), path_first=(), stand_ins=True)
    return Session(lab=Lab(name="one", checkout=tmp_path), stack="lab", engine=engine, plugins=plugins, isolated=True)


def put_state(session: Session, **deployment: Any) -> None:
    path = runs.state_file(session.lab, session.stack)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"checkpoint": {"latest": deployment}}))
    (session.lab.checkout / "exported").write_text(json.dumps({"version": 3, "deployment": deployment}))


def asked(session: Session) -> list[str]:
    path = session.lab.checkout / "asked"
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def virsh(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What virsh is asked, without the connection."""
    said: list[list[str]] = []

    def attempt(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        said.append(words[2:])
        return subprocess.CompletedProcess(words, 0, "", "")

    def here(_: Lab) -> bool:
        return True

    monkeypatch.setattr(runs, "attempt", attempt)
    monkeypatch.setattr(runs.hypervisor, "is_here", here)
    return said


@pytest.mark.parametrize("torn", ["", '{"user.cache_control":""'])
def test_a_note_of_the_file_backend_that_a_kill_left_half_written_goes_and_whole_ones_stay(session: Session, torn: str) -> None:
    put_state(session, resources=[])
    state = runs.state_file(session.lab, session.stack)
    bad, good = state.with_name(f"{state.name}.attrs"), state.with_name(f"{state.name}.bak.attrs")
    bad.write_text(torn)
    good.write_text('{"user.cache_control":""}')
    runs.prepare(session, Machine(domain_type=None, image_dir=Path("/x")))
    assert not bad.exists()
    assert good.exists()
    assert state.exists()


def test_pending_operations_are_dropped_and_nothing_else_of_the_state(session: Session, virsh: list[list[str]]) -> None:
    put_state(session, resources=[WEST, EAST], pending_operations=[DOMAIN, VOLUME, COMMAND, UPDATE])
    runs.prepare(session, Machine(domain_type=None, image_dir=Path("/x")))
    finish_broken_off(session)
    imported = json.loads((session.lab.checkout / "imported").read_text())
    assert imported == {"version": 3, "deployment": {"resources": [WEST, EAST]}}
    assert virsh == [
        ["qemu:///west", "destroy", "lab-cp-1"],
        ["qemu:///west", "undefine", "--nvram", "lab-cp-1"],
        ["qemu:///east", "vol-delete", "--pool", "lab", "lab-cp-1-root"],
    ]


def test_a_state_without_pending_operations_is_left_alone(session: Session, virsh: list[list[str]]) -> None:
    put_state(session, resources=[{"urn": "a"}])
    runs.prepare(session, Machine(domain_type=None, image_dir=Path("/x")))
    finish_broken_off(session)
    assert not [line for line in asked(session) if line.startswith("stack")]
    assert virsh == []


def test_a_killed_engines_lock_is_cancelled_and_a_new_stack_is_made_once(session: Session) -> None:
    machine = Machine(domain_type=None, image_dir=Path("/x"))
    runs.prepare(session, machine)
    assert asked(session) == ["stack init lab --non-interactive"]
    put_state(session)
    lock = session.lab.root / "state/.pulumi/locks/organization/underlay/lab/x.json"
    lock.parent.mkdir(parents=True)
    lock.write_text("{}")
    runs.prepare(session, machine)
    assert asked(session)[1:] == ["cancel --yes --non-interactive"]


def test_two_commands_do_not_work_on_one_lab_at_once(session: Session) -> None:
    with exclusive(session.lab), pytest.raises(LabError, match="another command works on lab 'one'"), exclusive(session.lab):
        pass


def test_what_a_killed_run_left_running_is_ended_and_nothing_else(session: Session) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    left = subprocess.Popen(sleeper, env={**os.environ, MARK: str(session.lab.root)})
    other = subprocess.Popen(sleeper, env={**os.environ, MARK: f"{session.lab.root}-of-another-lab"})
    try:
        wait_until(lambda: left.pid in with_environment(MARK, str(session.lab.root)))
        with exclusive(session.lab):
            assert not alive(left.pid)
        assert other.poll() is None
    finally:
        for process in (left, other):
            process.kill()
            process.wait()


def test_an_interrupt_ends_the_engine_with_all_that_it_started(session: Session) -> None:
    plugin = f"{sys.executable} -c 'import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)'"
    session.engine.write_text(f"#!/bin/sh\n{plugin} &\necho started\nwait\n")
    runs.project.write(session.lab, "lab", Machine(domain_type=None, image_dir=Path("/x")))

    def interrupt(_: str) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            session.follow(["up"], interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert list(with_environment(MARK, str(session.lab.root))) == []


def test_a_secret_passphrase_reaches_the_engine_by_file_only(session: Session) -> None:
    environment = session.environment
    assert Path(environment["PULUMI_CONFIG_PASSPHRASE_FILE"]).stat().st_mode & 0o777 == 0o600
    assert "PULUMI_CONFIG_PASSPHRASE" not in environment


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
