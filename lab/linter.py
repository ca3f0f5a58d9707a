"""actionlint for the GitHub workflows, built once from its pinned Go module.

Run as `python3 -m lab.linter` it lints the checkout's workflows; shellcheck, where it is there, reads their scripts.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab import golang
from lab.places import LabError, cache_dir

PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"
MODULE = Path(__file__).parent / "modules" / "actionlint"
CHECKOUT = Path(__file__).parents[1]
FLAGS = ("-trimpath", "-ldflags=-s -w")


def _key() -> str:
    """Changes with everything that makes the program."""
    digest = hashlib.sha256()
    for part in ((MODULE / "go.mod").read_bytes(), (MODULE / "go.sum").read_bytes(), PACKAGE.encode(), golang.TOOLCHAIN.encode()):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


def ensure(note: Callable[[str], None]) -> Path:
    """The program, built if need be; LabError where it cannot be."""
    place = cache_dir() / "actionlint" / _key()
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = place / "actionlint"
        if not program.exists():
            with tempfile.TemporaryDirectory(dir=place, prefix=".part-") as scratch:
                module = Path(scratch)
                for name in ("go.mod", "go.sum"):
                    shutil.copy(MODULE / name, module)
                golang.build(PACKAGE, module / "actionlint", module=module, flags=FLAGS, note=note)
                (module / "actionlint").rename(program)
    return program


def lint(program: Path, workflows: Path) -> str:
    """What it finds in a folder of workflows, one mistake a line; empty for none."""
    files = sorted(map(str, workflows.glob("*.yml")))
    return subprocess.run([str(program), "-oneline", "-no-color", *files], cwd=workflows, capture_output=True, text=True, check=False).stdout


def _quiet(_: str) -> None:
    """The build is short."""


def main() -> int:
    """Lint the checkout's workflows; 1 where there is something to say."""
    try:
        found = lint(ensure(_quiet), CHECKOUT / ".github" / "workflows")
    except LabError as error:
        found = f"{error}\n"
    sys.stdout.write(found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
