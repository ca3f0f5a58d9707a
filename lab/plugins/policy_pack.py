"""Runs a policy pack for the engine: in a process of its own, under the pack's own virtual environment."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal

KIND: Final = "analyzer"
"""What the engine calls the plugins that policy packs are."""
_END_S: Final = 5.0
_CHUNK: Final = 65536

Stream = Literal["stdout", "stderr"]


class PackError(Exception):
    """The pack cannot be started; the message is for people."""


@dataclass(frozen=True, kw_only=True)
class Pack:
    """What the engine asks to run."""

    directory: str
    """Of PulumiPolicy.yaml."""
    virtualenv: str
    """The option of that name in it, relative to `directory`."""
    working_directory: str
    arguments: tuple[str, ...]
    """The engine's address first."""
    environment: tuple[str, ...]
    """NAME=value."""


class Running:
    """A started pack."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._chunks: queue.SimpleQueue[tuple[Stream, bytes]] = queue.SimpleQueue()
        assert process.stdout is not None  # noqa: S101 - both were asked for
        assert process.stderr is not None  # noqa: S101
        streams: tuple[tuple[Stream, IO[bytes]], ...] = (("stdout", process.stdout), ("stderr", process.stderr))
        self._open = len(streams)
        for name, stream in streams:
            threading.Thread(target=self._read, args=(name, stream), daemon=True).start()

    def said(self) -> Iterator[tuple[Stream, bytes]]:
        """What it writes, as it comes, until it has closed both streams."""
        while self._open:
            name, chunk = self._chunks.get()
            if chunk:
                yield name, chunk
            else:
                self._open -= 1

    def code(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait()

    def end(self) -> None:
        """Interrupts it, as the engine does with plugins; kills what does not end by that."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
            return
        self._process.kill()

    def _read(self, name: Stream, stream: IO[bytes]) -> None:
        while chunk := os.read(stream.fileno(), _CHUNK):
            self._chunks.put((name, chunk))
        self._chunks.put((name, b""))


_started: list[Running] = []


def start(pack: Pack) -> Running:
    """Starts it by the SDK's own module for that, which the virtual environment brings."""
    home = Path(pack.directory) / pack.virtualenv
    python = home / "bin" / "python"
    if not pack.virtualenv or not python.exists():
        remedy = f"python3 -m venv {home} && {home}/bin/pip install -r {pack.directory}/requirements.txt"
        raise PackError(f"policy pack {pack.directory} has no virtual environment: make it by `{remedy}`")
    address, *others = pack.arguments
    process = subprocess.Popen(
        [python, "-u", "-m", "pulumi.policy", address, pack.directory, *others],
        cwd=pack.working_directory,
        env=dict(variable.split("=", 1) for variable in pack.environment if "=" in variable),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    running = Running(process)
    _started.append(running)
    return running


def end_all() -> None:
    """Ends every pack that still runs; for the end of the host itself."""
    for running in _started:
        running.end()
