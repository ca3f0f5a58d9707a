"""Commands and processes: run one, say what it said when it fails, find the lab's own again."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from lab.places import LabError


def run(
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    timeout_s: float = 60,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Standard output of a command that must succeed; LabError with the end of what it said otherwise."""
    result = attempt(command, stdin=stdin, timeout_s=timeout_s, env=env, cwd=cwd)
    if result.returncode != 0:
        said = (result.stderr.strip() or result.stdout.strip())[-2000:]
        raise LabError(f"{Path(command[0]).name} {' '.join(str(word) for word in command[1:4])} ... failed ({result.returncode}): {said}")
    return result.stdout


def attempt(
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    timeout_s: float = 60,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """The result of a command that may fail; one that cannot be started or takes too long counts as failed."""
    words = [str(word) for word in command]
    try:
        return subprocess.run(words, input=stdin or "", capture_output=True, text=True, check=False, timeout=timeout_s, env=env, cwd=cwd)
    except FileNotFoundError:
        return subprocess.CompletedProcess(words, 127, "", f"{words[0]}: not found")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 124, "", f"no answer in {timeout_s:.0f} s")


def in_namespace(namespace: str, command: Sequence[str | Path]) -> list[str]:
    """The command as it runs inside a network namespace."""
    return ["ip", "netns", "exec", namespace, *(str(word) for word in command)]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def with_environment(name: str, value: str) -> Iterator[int]:
    """Process ids whose environment holds `name=value`: the mark that the lab puts on what it starts."""
    mark = f"{name}={value}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def in_network_namespace(path: Path) -> Iterator[int]:
    """Process ids that live in the network namespace mounted at the path."""
    try:
        wanted = path.stat()
    except OSError:
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                found = (entry / "ns" / "net").stat()
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    yield int(entry.name)


def holding_open(path: Path) -> Iterator[int]:
    """Process ids that have the file open."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if any(link.readlink() == path for link in (entry / "fd").iterdir()):
                    yield int(entry.name)


def end(find: Callable[[], Iterator[int]], *, first: signal.Signals = signal.SIGTERM, grace_s: float = 5) -> list[int]:
    """End what `find` finds, politely and then for certain; gives what would not end. Looks again each time: children come late."""
    deadline = time.monotonic() + grace_s
    _signal(find(), first)
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in find()):
            return []
        time.sleep(0.1)
    for _ in range(50):
        left = [pid for pid in find() if alive(pid)]
        if not left:
            return []
        _signal(left, signal.SIGKILL)
        time.sleep(0.1)
    return [pid for pid in find() if alive(pid)]


def _signal(pids: Iterator[int] | list[int], number: signal.Signals) -> None:
    for pid in list(pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
