"""The build cache: entries named by the key of their inputs, put there whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from image.command import Progress

_PARTIAL = ".partial-"


def cache_root() -> Path:
    """The cache's folder: UNDERLAY_CACHE, else ~/.cache/underlay."""
    named = os.environ.get("UNDERLAY_CACHE")
    return Path(named).resolve() if named else Path.home() / ".cache" / "underlay"


@contextmanager
def build_lock(root: Path, progress: Progress) -> Generator[None]:
    """Hold the cache for one build; a second build waits and says so."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "image.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another image build to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ensure_entry(entry: Path, fill: Callable[[Path], None]) -> bool:
    """Make the folder `entry` with `fill`, unless it is there; True if it was made now.

    `fill` works in a sibling that is renamed when it is complete and on the disk, so
    a build broken off at any moment leaves no entry. The caller holds `build_lock`.
    """
    if entry.is_dir():
        mark_used(entry)
        return False
    entry.parent.mkdir(parents=True, exist_ok=True)
    for left in entry.parent.glob(f"{_PARTIAL}*"):
        shutil.rmtree(left)
    partial = entry.parent / f"{_PARTIAL}{entry.name}"
    partial.mkdir()
    try:
        fill(partial)
        _flush(partial)
        partial.rename(entry)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return True


def mark_used(entry: Path) -> None:
    """Note that `entry` was asked for now."""
    os.utime(entry)


def prune(folder: Path, keep: int) -> list[Path]:
    """Remove all entries of `folder` but the `keep` last used; gives those removed. The caller holds `build_lock`."""
    entries = sorted((path for path in folder.glob("*") if path.is_dir()), key=lambda path: path.stat().st_mtime, reverse=True)
    for entry in entries[keep:]:
        shutil.rmtree(entry)
    return entries[keep:]


def _flush(folder: Path) -> None:
    """Wait until the files of `folder` are on the disk, so that a rename never outlives its content."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                os.fsync(file.fileno())
