"""Content keys: one name for everything a result is made from."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path

_LENGTH = 16
_SKIPPED = ("__pycache__", ".pyc")


def content_key(**inputs: object) -> str:
    """The key of named inputs (anything JSON can hold): equal inputs give equal keys."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(folder: Path) -> str:
    """The SHA-256 over names, kinds, permissions and contents below `folder`; owners and times do not count."""
    digest = hashlib.sha256()
    for path in sorted(_paths(folder)):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            line = [name, "link", path.readlink().as_posix()]
        elif path.is_dir():
            line = [name, "folder", oct(stat.S_IMODE(path.stat().st_mode))]
        else:
            line = [name, "file", oct(stat.S_IMODE(path.stat().st_mode)), file_digest(path)]
        digest.update(json.dumps(line).encode() + b"\n")
    return digest.hexdigest()


def _paths(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if not any(part.endswith(_SKIPPED) for part in path.relative_to(folder).parts))
