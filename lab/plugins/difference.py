"""What changed between two sets of properties, in the terms `pulumi preview --diff` shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from .values import Path, Unknown

Change = Literal["add", "delete", "update"]


@dataclass(frozen=True)
class Difference:
    """What a resource's `diff` answers.

    `changes` holds every changed path; `replaces` those of them that cannot be changed in place. `outputs` holds
    paths that changed in the world or by time rather than in the inputs, such as a certificate's `readyForRenewal`.
    """

    changes: Mapping[Path, Change] = field(default_factory=dict[Path, Change])
    replaces: frozenset[Path] = frozenset()
    outputs: frozenset[Path] = frozenset()
    delete_before_replace: bool = False


def changed_paths(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[Path, Change]:
    """Every path whose value differs; inside lists and maps the innermost ones. An unknown new value counts as changed."""
    return dict(_changes((), old, new))


def _changes(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Change]]:
    if isinstance(new, Unknown):
        yield path, "update"
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        before, after = cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", new)
        for name in sorted(before.keys() | after.keys()):
            yield from _member((*path, name), before.get(name), after.get(name), name in before, name in after)
    elif isinstance(old, list) and isinstance(new, list):
        former, latter = cast("list[Any]", old), cast("list[Any]", new)
        for index in range(max(len(former), len(latter))):
            inside = index < len(former), index < len(latter)
            yield from _member((*path, index), former[index] if inside[0] else None, latter[index] if inside[1] else None, *inside)
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield path, "update"


def _member(path: Path, old: Any, new: Any, in_old: bool, in_new: bool) -> Iterator[tuple[Path, Change]]:  # noqa: FBT001
    if in_old and in_new:
        yield from _changes(path, old, new)
    else:
        yield path, "add" if in_new else "delete"


def wire_path(path: Path) -> str:
    """The path as the engine writes it: `disks[0].volumeId`, `metadata.annotations["a.b/c"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", part):
            text += f".{part}" if text else part
        else:
            quoted = part.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{quoted}"]'
    return text
