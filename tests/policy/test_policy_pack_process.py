"""How the lab's language host runs a pack: its streams, its end, and what it says where there is nothing to run."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from lab.plugins import policy_pack

STUBBORN = "trap '' INT; echo 4711; while :; do sleep 0.05; done"


def pack(folder: Path, script: str) -> policy_pack.Pack:
    """A pack whose interpreter is a script of the shell."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return policy_pack.Pack(
        directory=str(folder),
        virtualenv=".venv",
        working_directory=str(folder),
        arguments=("127.0.0.1:1", "-v=3"),
        environment=("A=b=c", "PATH=/usr/bin:/bin"),
    )


def test_it_says_what_the_pack_says_and_how_it_ended(tmp_path: Path) -> None:
    running = policy_pack.start(pack(tmp_path, 'echo "$A $PWD $*"; echo oh >&2; exit 3'))
    found = list(running.said())
    text = {name: b"".join(chunk for stream, chunk in found if stream == name).decode() for name in ("stdout", "stderr")}
    assert text == {"stdout": f"b=c {tmp_path} -u -m pulumi.policy 127.0.0.1:1 {tmp_path} -v=3\n", "stderr": "oh\n"}
    assert running.code() == 3


def test_it_inherits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    running = policy_pack.start(pack(tmp_path, 'echo "${PYTHONPATH-none}"'))
    assert list(running.said()) == [("stdout", b"none\n")]


@pytest.mark.parametrize("script", ["echo 4711; exec sleep 60", STUBBORN])
def test_a_pack_ends_when_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(policy_pack, "_END_S", 0.5)
    running = policy_pack.start(pack(tmp_path, script))
    said = running.said()
    assert next(said) == ("stdout", b"4711\n")
    policy_pack.end_all()
    assert running.code() in {-signal.SIGINT, -signal.SIGKILL, 128 + signal.SIGINT}


def test_a_pack_without_its_environment_says_how_to_make_it(tmp_path: Path) -> None:
    wanted = policy_pack.Pack(directory=str(tmp_path), virtualenv=".venv", working_directory=str(tmp_path), arguments=("a",), environment=())
    with pytest.raises(policy_pack.PackError, match=r"has no virtual environment: make it by `python3 -m venv .*requirements.txt`"):
        policy_pack.start(wanted)
