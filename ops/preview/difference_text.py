"""The full diff of a preview as text, line by line, so that a bounded part of it costs a bounded time."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, Final

import yaml

from ops.preview.document import Action, Change
from ops.preview.values import MISSING, SECRET, Difference, plain

_SIGNS: Final[dict[Action, str]] = {"create": "+", "update": "!", "replace": "!", "delete": "-", "same": " "}
"""First characters by which a diff is coloured."""
_WORDS: Final[dict[Action, str]] = {"create": "made", "update": "changed in place", "replace": "replaced", "delete": "deleted", "same": "unchanged"}
_LONG: Final = 200
"""Characters of a value on one line; what is longer or has lines of its own is compared line by line."""


def lines(changes: Iterable[Change]) -> Iterator[str]:
    """A head for each resource, then what of it differs."""
    for change in changes:
        left = change.stays and change.action == "delete"
        yield f"{_SIGNS[change.action]} {change.name} ({change.type}): {'no longer kept, left as it is' if left else _WORDS[change.action]}"
        if change.action in ("update", "replace"):
            for item in change.differences():
                yield from _difference(item, "  # forces replacement" if _forces(change, item.path) else "")


def _forces(change: Change, path: str) -> bool:
    return any(
        path == reason or path.startswith((f"{reason}.", f"{reason}[")) or reason.startswith((f"{path}.", f"{path}[")) for reason in change.reasons
    )


def _difference(item: Difference, tail: str) -> Iterator[str]:
    if item.hidden:
        yield f"    {item.path}: {SECRET}{tail}"
        return
    before, after = _text(item.before), _text(item.after)
    if len(before) <= 1 and len(after) <= 1:
        yield from (f"-   {item.path}: {line}" for line in before)
        yield from (f"+   {item.path}: {line}{tail}" for line in after)
        return
    yield f"    {item.path}:{tail}"
    for line in difflib.unified_diff(before, after, n=1, lineterm=""):
        if not line.startswith(("---", "+++")):
            yield f"{line[:1]}     {line[1:]}"


def _text(value: Any) -> list[str]:
    """The value's lines; none where there is no value."""
    if value == MISSING:
        return []
    if isinstance(value, str):
        cut = [line if len(line) <= _LONG else f"{line[:_LONG]}… ({len(line)} characters)" for line in value.splitlines()]
        return cut or ['""']
    if isinstance(value, (dict, list)):
        return yaml.safe_dump(value, sort_keys=True, width=_LONG).splitlines()
    return [plain(value)]
