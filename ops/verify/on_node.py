"""Runs on a node, sent there as text: asks the probes, writes framed answers, and ends all of them when nobody listens any more.

Standard input: ten digits and as many bytes of JSON, then a sign of life every few seconds. Standard output: the nonce, then for each
probe one line of JSON that says how many bytes of output follow. Knows the standard library alone.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KILL_AFTER_S = 10
"""For what a probe puts back; an emulated node with other work takes seconds for that."""
TICK_S = 0.05
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root"}


class Asked:
    """A probe that runs: a session of its own under `timeout`, which ends it even without this program."""

    def __init__(self, probe: dict[str, Any], cap: int) -> None:
        self.key = str(probe["key"])
        self.limit_s = float(probe["timeout_s"])
        self._cap = cap
        self.output = bytearray()
        self.error = ""
        self.begun = time.monotonic()
        self._overdue = self.begun + self.limit_s + KILL_AFTER_S + 2
        self._process = subprocess.Popen(
            ["timeout", f"--kill-after={KILL_AFTER_S}", str(self.limit_s), "bash", "-c", probe["script"]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        self.stream = self._process.stdout
        os.set_blocking(self.stream.fileno(), False)
        self._ended: float | None = None

    def read(self) -> bool:
        """Take what it has printed; whether it goes on."""
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self.stream.fileno(), 1 << 16):
                self.output += piece
                if len(self.output) > self._cap:
                    self.error, self.output = f"it printed more than {self._cap} bytes", bytearray()
                    self.signal(signal.SIGTERM)
                    return False
            return False
        return True

    def over(self, *, closed: bool) -> bool:
        """Whether it has ended; what it left running is ended too."""
        now = time.monotonic()
        if self._ended is None:
            if self._process.poll() is not None:
                self._ended = now
            elif now <= self._overdue:
                return False
            self.signal(signal.SIGKILL)
            return False
        # Something in another session may hold its standard output: it is not waited for.
        return closed or now - self._ended > 10 * TICK_S

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def answer(self) -> bytes:
        """The frame."""
        self.stream.close()
        code = self._process.returncode
        took_s = (self._ended or self.begun) - self.begun
        if not self.error and code in (124, 137, -signal.SIGKILL) and took_s >= self.limit_s:
            self.error = f"no answer in {self.limit_s:g} s"
        head = {"key": self.key, "exit": code, "error": self.error, "bytes": len(self.output)}
        return json.dumps(head).encode() + b"\n" + self.output


def end_with_parent() -> None:
    """Between fork and exec: be told when this program dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Conversation:
    """All probes of a task, and whoever listens."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._light: list[dict[str, Any]] = task["light"]
        self._heavy: list[dict[str, Any]] = task["heavy"]
        self._at_once = int(task["at_once"])
        self._cap = int(task["cap"])
        self._silence_s = float(task["silence_s"])
        self._until = time.monotonic() + float(task["limit_s"])
        self._running: list[Asked] = []
        self._closed: set[str] = set()
        self._out = bytearray(f"\n{task['nonce']}\n".encode())
        self._heard = time.monotonic()
        self.gone = False

    def leave(self, *_: object) -> None:
        """Somebody ends this program."""
        self.gone = True

    def run(self) -> None:
        """Ask everything, until all is said or nobody listens."""
        os.set_blocking(1, False)
        while not self.gone and (self._light or self._heavy or self._running or self._out):
            self._start()
            self._wait()
            self._collect()
            now = time.monotonic()
            if now - self._heard > self._silence_s or now > self._until:
                self.gone = True

    def _start(self) -> None:
        # Answers that nobody takes are not piled up.
        while self._light and len(self._running) < self._at_once and len(self._out) <= self._cap:
            self._running.append(Asked(self._light.pop(0), self._cap))
        if not self._light and self._heavy and not self._running:
            self._running.append(Asked(self._heavy.pop(0), self._cap))

    def _wait(self) -> None:
        reading: dict[int, Asked | None] = {asked.stream.fileno(): asked for asked in self._running if asked.key not in self._closed}
        reading[0] = None
        ready, writable, _ = select.select(list(reading), [1] if self._out else [], [], TICK_S)
        if writable:
            try:
                del self._out[: os.write(1, self._out[: 1 << 16])]
            except BlockingIOError:
                pass
            except OSError:
                self.gone = True
        for descriptor in ready:
            asked = reading[descriptor]
            if asked is None:
                self.gone |= not os.read(0, 4096)
                self._heard = time.monotonic()
            elif not asked.read():
                self._closed.add(asked.key)
        if not ready and not writable:
            return
        # Endings without output are seen at the next tick; a busy loop is not wanted.
        time.sleep(0.002)

    def _collect(self) -> None:
        for asked in list(self._running):
            if asked.over(closed=asked.key in self._closed):
                self._running.remove(asked)
                self._out += asked.answer()


def below(root: int) -> Iterator[int]:
    """Processes that descend from one."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    left = list(children.get(root, ()))
    while left:
        process = left.pop()
        left += children.get(process, ())
        yield process


def end_all() -> None:
    """End everything below this program: politely, so that it puts things back, then for certain."""
    deadline = time.monotonic() + KILL_AFTER_S
    number = signal.SIGTERM
    told = set[int]()
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        left = set(below(os.getpid()))
        if not left:
            return
        if time.monotonic() > deadline:
            number, told = signal.SIGKILL, set[int]()
        for process in left - told:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        told |= left
        time.sleep(TICK_S)


def take(size: int) -> bytes:
    """So many bytes of standard input."""
    content = b""
    while len(content) < size:
        piece = os.read(0, size - len(content))
        if not piece:
            raise SystemExit(1)
        content += piece
    return content


def main() -> None:
    """Talk, and leave nothing behind."""
    conversation = Conversation(json.loads(take(int(take(10)))))
    # What a probe leaves to itself becomes a child of this program, and is found.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, conversation.leave)
    try:
        conversation.run()
    finally:
        end_all()


if __name__ == "__main__":
    main()
