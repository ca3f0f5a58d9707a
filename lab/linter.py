"""actionlint for the GitHub workflows, built once from its pinned Go module.

Run as `python3 -m lab.linter` it lints the checkout's workflows; shellcheck, where it is there, reads their scripts.
"""

import fcntl
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from image.key import content_key, tree_digest
from lab import golang
from lab.places import CHECKOUT, LabError, cache_dir

PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"
MODULE = Path(__file__).parent / "modules" / "actionlint"
FLAGS = ("-trimpath", "-ldflags=-s -w")


def _key() -> str:
    """Changes with everything that makes the program."""
    return content_key(module=tree_digest(MODULE), package=PACKAGE, toolchain=golang.TOOLCHAIN, flags=FLAGS)


def ensure(note: Callable[[str], None]) -> Path:
    """The program, built if need be; LabError where it cannot be."""
    place = cache_dir() / "actionlint" / _key()
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = place / "actionlint"
        if not program.exists():
            with tempfile.TemporaryDirectory(dir=place, prefix=".part-") as scratch:
                built = Path(scratch) / "actionlint"
                golang.build_pinned(PACKAGE, built, module=MODULE, flags=FLAGS, note=note)
                built.rename(program)
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
