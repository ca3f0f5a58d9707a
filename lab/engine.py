"""The Pulumi engine: the one on PATH if it fits, else the vendor's where it can be had, else built from its pinned Go module.

Run as `python3 -m lab.engine` it makes the engine and nothing else. It needs nothing but Python itself, so that a fresh machine can do it
while `.venv` is still being made.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import sys
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from lab import golang
from lab.places import LabError, cache_dir, offline
from lab.process import attempt

VERSION = "3.259.0"
"""The engine that goes with the SDKs in requirements.txt."""
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
MODULE = Path(__file__).parent / "modules" / "pulumi"
FLAGS = (
    "-trimpath",
    "-tags=osusergo,grpcnotrace",
    f"-ldflags=-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}",
)
VENDOR_URL = "https://get.pulumi.com/releases/sdk"
"""Where the vendor publishes engines; UNDERLAY_VENDOR_URL names a mirror."""
CONNECT_S = 4.0
FETCH_STALL_S = 30.0

Note = Callable[[str], None]


def fits(version: str) -> bool:
    """Whether an engine of this version (`v3.259.0`) can run the program: the same major, and not older."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?", version.strip())
    if not found:
        return False
    have, need = tuple(map(int, found.groups())), tuple(map(int, VERSION.split(".")))
    return have[0] == need[0] and have >= need


def on_path() -> Path | None:
    """The `pulumi` that the machine has, if its version fits."""
    found = shutil.which("pulumi")
    return Path(found) if found and fits(attempt([found, "version"], timeout_s=20).stdout) else None


def key() -> str:
    """What the built engine depends on, as a short hash."""
    digest = hashlib.sha256()
    for part in ((MODULE / "go.mod").read_bytes(), (MODULE / "go.sum").read_bytes(), PACKAGE.encode(), *(flag.encode() for flag in FLAGS)):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


def ensure(note: Note) -> tuple[Path, str]:
    """The engine's executable and where it is from, made if need be; LabError where nothing works."""
    if found := on_path():
        return found, "PATH"
    place = cache_dir() / "engine" / key()
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("another command is making it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for source in ("vendor", "built"):
            if (engine := place / source / "pulumi").exists():
                return engine, source
        with tempfile.TemporaryDirectory(dir=place, prefix=".part-") as scratch:
            part = Path(scratch)
            source = "vendor" if fetch(part / "vendor", note) else "built"
            if source == "built":
                build(part / "built", note)
            (part / source).rename(place / source)
    return place / source / "pulumi", source


def vendor_url() -> str:
    """The vendor's site, or the mirror that stands for it."""
    return os.environ.get("UNDERLAY_VENDOR_URL", VENDOR_URL).rstrip("/")


def fetch(target: Path, note: Note) -> bool:
    """Put the vendor's engine with its language hosts into `target`; False where the vendor cannot be reached.

    What the vendor serves must have the checksum that the vendor publishes, else LabError.
    """
    base, machine = vendor_url(), {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    if offline() or not machine:
        return False
    name = f"pulumi-v{VERSION}-linux-{machine}.tar.gz"
    note("looking for the vendor's engine")
    try:
        sums = _get(f"{base}/pulumi-{VERSION}-checksums.txt", CONNECT_S).decode()
        note("fetching the vendor's engine")
        archive = _get(f"{base}/{name}", FETCH_STALL_S)
    except (OSError, HTTPException) as error:
        note(f"the vendor's engine cannot be had here ({type(error).__name__})")
        return False
    published = {words[1].lstrip("*"): words[0] for line in sums.splitlines() if len(words := line.split()) == 2}
    if hashlib.sha256(archive).hexdigest() != published.get(name):
        raise LabError(f"{base}/{name} does not have the SHA-256 that the vendor publishes: fetch refused")
    unpack(archive, target)
    return True


def _get(url: str, timeout_s: float) -> bytes:
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 - the vendor's address or the one that the person names
        return answer.read()


def unpack(archive: bytes, target: Path) -> None:
    """Extract the programs of the vendor's archive, which are in one folder `pulumi/`."""
    with tempfile.TemporaryFile() as stream:
        stream.write(archive)
        stream.seek(0)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch, tarfile.open(fileobj=stream, mode="r:gz") as tar:
            tar.extractall(scratch, filter="data")
            (Path(scratch) / "pulumi").rename(target)


def build(target: Path, note: Note) -> None:
    """Build the engine from its pinned module into `target`; the module's checksums are in go.sum."""
    golang.build_pinned(PACKAGE, target / "pulumi", module=MODULE, flags=FLAGS, note=note)


def main() -> int:
    """Make the engine, and say on standard output what is going on."""

    def say(text: str) -> None:
        sys.stdout.write(f"engine: {text}\n")
        sys.stdout.flush()

    try:
        say(f"{ensure(say)[0]} is there")
    except LabError as error:
        say(f"failed: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
