"""Which stacks a change touches: the one whose file changed, or all where the program changed. For the matrix of a preview in CI."""

import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from ops.stack import OpsError

PROGRAM: Final = (
    "hosts/",
    "placement/",
    "settings/",
    "plan/",
    "render/",
    "sources/",
    "components/",
    "outputs/",
    "__main__.py",
    "Pulumi.yaml",
    "requirements.txt",
)
"""What a stack is made from, beside its own file; a name that ends in / is a folder."""
_STACK_FILE: Final = ("stacks/Pulumi.", ".yaml")


def touched(base: str | None, *, checkout: Path, skipped: Sequence[str]) -> list[str]:
    """Names of the stacks that the commits since `base` touch, all without one; OpsError where git does not know `base`."""
    known = _known(checkout / "stacks")
    wrong = sorted(set(skipped) - set(known))
    if wrong:
        raise OpsError(f"--skip {wrong[0]!r}: no such stack, known stacks: {', '.join(known) or 'none'}")
    found = known if base is None else of_paths(_changed(base, checkout), known)
    return [name for name in found if name not in skipped]


def of_paths(paths: Iterable[str], known: Sequence[str]) -> list[str]:
    """The stacks that changed files belong to; a stack file that is gone has no preview."""
    changed = list(paths)
    if any(path.startswith(part) if part.endswith("/") else path == part for path in changed for part in PROGRAM):
        return list(known)
    start, end = _STACK_FILE
    named = {path.removeprefix(start).removesuffix(end) for path in changed if path.startswith(start) and path.endswith(end)}
    return [name for name in known if name in named]


def _known(folder: Path) -> list[str]:
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in folder.glob("Pulumi.*.yaml"))


def _changed(base: str, checkout: Path) -> list[str]:
    """Files that differ between HEAD and where it left `base`."""
    if base.startswith("-"):
        raise OpsError(f"--base {base!r}: not a name of a commit")
    words = ["git", "-C", str(checkout), "diff", "--name-only", "-z", "--no-renames", f"{base}...HEAD", "--"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        raise OpsError(f"git cannot be run: {error}") from error
    if done.returncode != 0:
        raise OpsError(f"--base {base!r}: {done.stderr.strip() or 'git says nothing'}; fetch its history (fetch-depth: 0)")
    return [path for path in done.stdout.split("\0") if path]


def written(names: Sequence[str], *, as_json: bool) -> str:
    """The names for people, one a line, or as a list in JSON on one line."""
    return f"{json.dumps(list(names))}\n" if as_json else "".join(f"{name}\n" for name in names)
