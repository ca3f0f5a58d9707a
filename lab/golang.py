"""Building pinned Go modules, with a Go toolchain that is new enough on any Debian."""

import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.places import LabError
from lab.process import attempt, run

TOOLCHAIN = "1.26.8"
"""Fetched as the module golang.org/toolchain where the machine's own Go is older (Debian 12 has 1.19)."""
FETCH_S = 900.0
BUILD_S = 3600.0


def version(text: str) -> tuple[int, int]:
    """Major and minor of what `go version` prints; (0, 0) where that is not Go's."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def command(note: Callable[[str], None]) -> str:
    """A `go` as new as TOOLCHAIN: the machine's own, else one fetched through the machine's own; LabError without any."""
    have = version(attempt(["go", "version"]).stdout)
    if have >= version(f"go{TOOLCHAIN}"):
        return "go"
    if have == (0, 0):
        raise LabError("there is no Go on PATH: install Debian's package golang-go")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    note(f"fetching Go {TOOLCHAIN} (the machine has {have[0]}.{have[1]})")
    module = f"golang.org/toolchain@v0.0.1-go{TOOLCHAIN}.linux-{machine}"
    said = run(["go", "mod", "download", "-json", module], timeout_s=FETCH_S, env={**os.environ, "GOFLAGS": "-mod=mod"})
    place = Path(json.loads(said)["Dir"])
    # A module's files come without their executable bits.
    for tool in (*(place / "bin").iterdir(), *(place / "pkg" / "tool").rglob("*")):
        if tool.is_file() and not os.access(tool, os.X_OK):
            tool.chmod(0o755)
    return str(place / "bin" / "go")


def put_first(note: Callable[[str], None]) -> None:
    """Make `go` mean a toolchain that is new enough, for everything that this process starts from here on."""
    found = Path(command(note))
    if found.is_absolute():
        os.environ["PATH"] = f"{found.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def build(package: str, target: Path, *, module: Path, flags: Sequence[str], note: Callable[[str], None]) -> None:
    """Build one program of a module into `target`; LabError with the compiler's last words when it fails."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    words = [command(note), "build", "-v", *flags, "-o", str(target), package]
    note("fetching modules")
    with subprocess.Popen(words, cwd=module, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        last: list[str] = []
        watchdog = threading.Timer(BUILD_S, process.kill)
        watchdog.start()
        try:
            assert process.stderr is not None  # noqa: S101 - it was asked for
            compiled = 0
            for line in process.stderr:
                last = [*last[-30:], line.rstrip()]
                compiled += not line.startswith("go: ")
                note(f"{compiled} packages compiled" if compiled else line.strip())
        except BaseException:
            process.kill()
            raise
        finally:
            watchdog.cancel()
    if process.returncode != 0:
        raise LabError(f"go build {package} failed:\n" + "\n".join(last))


def build_pinned(package: str, target: Path, *, module: Path, flags: Sequence[str], note: Callable[[str], None]) -> None:
    """Build a program of a module that is only pinned here, by go.mod and go.sum in the folder `module`, which stays as it is."""
    with tempfile.TemporaryDirectory(prefix="underlay-go-") as scratch:
        for name in ("go.mod", "go.sum"):
            shutil.copy(module / name, scratch)
        build(package, target, module=Path(scratch), flags=flags, note=note)
