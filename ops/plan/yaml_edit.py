"""One mapping of a YAML file replaced in its text: other lines, comments and anchors stay as people wrote them.

The parser's marks say where each entry stands; only entries that differ are touched, and what comes out is read again before anybody gets it.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import yaml

from ops.flow import flow, scalar

Entries = Mapping[str, Any]


class NotEditableError(Exception):
    """The file is written in a way that cannot be edited in place; the message says which."""


@dataclass(frozen=True, kw_only=True, order=True)
class Edit:
    """A stretch of the text, and what comes in its place."""

    start: int
    end: int
    text: str


def with_mapping(text: str, path: Sequence[str], wanted: Entries) -> str:
    """The text with the mapping at this path as wanted: entries in their old order, new ones after those that they follow in `wanted`.

    NotEditableError where that cannot be done without touching anything else.
    """
    before = _read(text)
    owner = _owner(text, path)
    found = _entry(owner, path[-1])
    if found is None:
        edits = list(_new_block(text, owner, path[-1], wanted)) if wanted else []
    else:
        key, value = found
        _refuse_alias(key, value, ".".join(path))
        if _plain(value) == dict(wanted):
            return text
        edits = list(_edits(text, key, value, wanted)) if isinstance(value, yaml.MappingNode) and not value.flow_style else []
        edits = edits or list(_whole(text, key, value, wanted))
    after = _applied(text, edits)
    _hold(before, _read(after), path, wanted)
    return after


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise NotEditableError(f"it is not YAML: {error}") from None


def _plain(node: yaml.Node) -> Any:
    """A node's value."""
    # a copy: merge keys (<<) are put into the node itself when it is read
    return yaml.SafeLoader("").construct_document(copy.deepcopy(node))  # pyright: ignore[reportUnknownMemberType] - its stub names no type of the node


def _owner(text: str, path: Sequence[str]) -> yaml.MappingNode:
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for step in path[:-1]:
        found = _entry(node, step) if isinstance(node, yaml.MappingNode) else None
        if found is None:
            raise NotEditableError(f"there is no {step}")
        _refuse_alias(*found, step)
        node = found[1]
    if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
        raise NotEditableError(f"{path[-2]} is not written as a block, one setting a line")
    return node


def _pairs(node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
    return cast("list[tuple[yaml.Node, yaml.Node]]", node.value)


def _entry(node: yaml.MappingNode, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    return next(((key, value) for key, value in _pairs(node) if _name(key) == name), None)


def _name(key: yaml.Node) -> str:
    return cast("str", key.value) if isinstance(key, yaml.ScalarNode) else ""


def _refuse_alias(key: yaml.Node, value: yaml.Node, name: str) -> None:
    """An alias is parsed to the node that its anchor names, which stands before the key."""
    if _start(value) < _end(key):
        raise NotEditableError(f"{name} is an alias (*); write it out")


def _start(node: yaml.Node) -> int:
    return node.start_mark.index


def _end(node: yaml.Node) -> int:
    return node.end_mark.index


def _last(node: yaml.Node) -> int:
    """Where a node's own text ends; the parser lets a block end where the next thing begins, behind comments."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        key, value = _pairs(node)[-1]
        # an alias stands elsewhere; the line that it is on ends where its key does
        return max(_last(value), _end(key))
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last(cast("list[yaml.Node]", node.value)[-1])
    return _end(node)


def _line_end(text: str, place: int) -> int:
    """The beginning of the next line; a node that ends with its line's break has no more of it."""
    if place and text[place - 1] == "\n":
        return place
    found = text.find("\n", place)
    return len(text) if found < 0 else found + 1


def _break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _column(node: yaml.Node) -> str:
    return " " * node.start_mark.column


def _block(name: str, wanted: Entries, indent: str, end: str) -> str:
    """The mapping, an entry a line."""
    inner = "".join(f"{indent}  {scalar(key)}: {flow(value)}{end}" for key, value in wanted.items())
    return f"{indent}{name}:{end}{inner}"


def _new_block(text: str, owner: yaml.MappingNode, name: str, wanted: Entries) -> Iterator[Edit]:
    """After the last setting of its owner."""
    first, end = _pairs(owner)[0][0], _break(text)
    place = _line_end(text, _last(owner))
    before = "" if text[:place].endswith("\n") else end
    yield Edit(start=place, end=place, text=before + _block(name, wanted, _column(first), end))


def _whole(text: str, key: yaml.Node, value: yaml.Node, wanted: Entries) -> Iterator[Edit]:
    """A mapping in flow style, an empty one or nothing at all becomes a block."""
    start, stop = _end(key), max(_end(value), _end(key))
    old = text[start:stop]
    if "\n" in old and "#" in old:
        raise NotEditableError(f"{_name(key)} has comments inside of braces; write it as a block, an entry a line")
    end = _break(text)
    if not wanted:
        yield Edit(start=start, end=stop, text=": {}")
        return
    yield Edit(start=start, end=stop, text=":")
    rest = _line_end(text, stop)
    lines = _block("", wanted, _column(key), end).partition(end)[2]
    yield Edit(start=rest, end=rest, text=lines if text[:rest].endswith("\n") else end + lines)


def _edits(text: str, key: yaml.Node, value: yaml.MappingNode, wanted: Entries) -> Iterator[Edit]:
    """The least that makes a block's entries those that are wanted."""
    there = {_name(name): (name, entry) for name, entry in _pairs(value)}
    if "<<" in there or "" in there:
        raise NotEditableError(f"{_name(key)} takes entries from an anchor (<<); write them out")
    if not wanted or not set(there) & set(wanted):
        yield from _replaced_block(text, key, value, wanted)
        return
    for name, (inner, entry) in there.items():
        _refuse_alias(inner, entry, name)
        if name not in wanted:
            yield _removed(text, inner, entry)
        elif _plain(entry) != wanted[name]:
            yield from _changed(text, inner, entry, wanted[name])
    yield from _added(text, there, wanted)


def _replaced_block(text: str, key: yaml.Node, value: yaml.MappingNode, wanted: Entries) -> Iterator[Edit]:
    """Nothing of it stays but comments between its lines."""
    pairs, end = _pairs(value), _break(text)
    indent = _column(pairs[0][0])
    first = text.rfind("\n", 0, _start(pairs[0][0])) + 1
    yield from (_removed(text, inner, entry) for inner, entry in pairs)
    if wanted:
        lines = "".join(f"{indent}{scalar(name)}: {flow(entry)}{end}" for name, entry in wanted.items())
        yield Edit(start=first, end=first, text=lines)
    else:
        yield Edit(start=_end(key), end=_end(key) + 1, text=": {}")


def _removed(text: str, key: yaml.Node, value: yaml.Node) -> Edit:
    start = text.rfind("\n", 0, _start(key)) + 1
    return Edit(start=start, end=_line_end(text, max(_last(value), _end(key))), text="")


def _changed(text: str, key: yaml.Node, value: yaml.Node, wanted: Any) -> Iterator[Edit]:
    """A value in place; what follows it on its line stays."""
    if isinstance(value, yaml.MappingNode) and not value.flow_style and isinstance(wanted, Mapping):
        yield from _edits(text, key, value, cast("Entries", wanted))
        return
    start, stop = _end(key), max(_last(value), _end(key))
    if "\n" in text[start:stop] and "#" in text[start:stop]:
        raise NotEditableError(f"{_name(key)} has comments inside; write it on one line")
    yield Edit(start=start, end=stop, text=f": {flow(wanted)}")


def _added(text: str, there: Mapping[str, tuple[yaml.Node, yaml.Node]], wanted: Entries) -> Iterator[Edit]:
    """New entries, each after the one that it follows in `wanted`, or before the first."""
    end = _break(text)
    first = next(iter(there.values()))[0]
    indent, place = _column(first), text.rfind("\n", 0, _start(first)) + 1
    waiting: dict[int, list[str]] = {}
    for name, entry in wanted.items():
        if name in there:
            key, value = there[name]
            place = _line_end(text, max(_last(value), _end(key)))
        else:
            waiting.setdefault(place, []).append(f"{indent}{scalar(name)}: {flow(entry)}{end}")
    for where, lines in waiting.items():
        before = "" if not where or text[where - 1] == "\n" else end
        yield Edit(start=where, end=where, text=before + "".join(lines))


def _applied(text: str, edits: Sequence[Edit]) -> str:
    """Later places first, so that earlier ones keep their numbers. Of several at one place the first comes first, and all before what goes there."""
    for _, edit in sorted(enumerate(edits), key=lambda each: (each[1].start, each[1].end, each[0]), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _hold(before: Any, after: Any, path: Sequence[str], wanted: Entries) -> None:
    """Nothing but the mapping at the path changed, and that is as wanted."""
    old, new = before, after
    for step in path[:-1]:
        old, new = old[step], new[step]
    found: object = new.pop(path[-1], None) or {}
    old.pop(path[-1], None)
    if before != after or found != wanted:
        raise NotEditableError("its layout is not understood; write placements as a block, an entry a line")
