"""What may change in the contract within a major version, decided on its JSON Schemas.

Two readers count: an old one that gets a new environment's outputs, and a new one that gets those of an environment not yet brought up again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

Schema = Mapping[str, Any]
ANNOTATIONS = frozenset({"title", "description", "default", "examples", "$comment", "$defs", "$schema", "$id", "x-contract-version"})
"""Keywords that change nothing for a reader."""
WALKED = frozenset({"properties", "required", "items", "additionalProperties", "enum", "anyOf", "type"})
NULL: Schema = {"type": "null"}
ANY_TEXT: Schema = {"type": "string"}


def compatible(old: Schema, new: Schema) -> list[str]:
    """What a reader would notice between two versions of one major version, one line each; empty where fields were only added."""
    return list(_Comparison(old, new).node(old, new, ""))


@dataclass(frozen=True)
class _Shape:
    """A schema without its reference, its null and its known values."""

    node: Schema
    nullable: bool
    known: tuple[object, ...] | None
    """Values of an open enumeration: readers take others too."""


@dataclass(frozen=True)
class _Comparison:
    old_root: Schema
    new_root: Schema

    def node(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        """Problems of one place and of all below it."""
        before, after, where = _shape(self.old_root, old), _shape(self.new_root, new), path or "the contract"
        if before.nullable != after.nullable:
            yield f"{where}: may {'no longer' if before.nullable else 'now'} be null"
        if (said := _type_change(before, after)) is not None:
            yield f"{where}: {said}"
            return
        yield from (f"{where}: {said}" for said in _value_changes(before, after))
        yield from self._object(before.node, after.node, path)
        for keyword, step in (("items", "[]"), ("additionalProperties", "{}")):
            if keyword in before.node and keyword in after.node:
                yield from self.node(before.node[keyword], after.node[keyword], path + step)

    def _object(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = _mapping(old, "properties"), _mapping(new, "properties")
        needed, wanted = set(old.get("required", ())), set(new.get("required", ()))
        for name in before:
            place = f"{path}.{name}".lstrip(".")
            if name not in after:
                yield f"{place}: removed"
                continue
            if name in wanted - needed:
                yield f"{place}: newly required, and environments not yet brought up again may lack it"
            if name in needed - wanted:
                yield f"{place}: no longer required, and older readers need it"
            yield from self.node(before[name], after[name], place)
        for name in after.keys() & wanted - before.keys():
            yield f"{path}.{name}".lstrip(".") + ": newly required, and environments not yet brought up again lack it"


def _shape(root: Schema, schema: Schema) -> _Shape:
    node = _resolved(root, schema)
    branches = [_resolved(root, branch) for branch in node.get("anyOf", ())]
    nullable = NULL in branches
    branches = [branch for branch in branches if branch != NULL]
    enums = [branch for branch in branches if set(branch) == {"enum"}]
    if len(branches) == 2 and len(enums) == 1 and ANY_TEXT in branches:
        return _Shape(ANY_TEXT, nullable, tuple(enums[0]["enum"]))
    if len(branches) == 1:
        inner = _shape(root, branches[0])
        return _Shape(inner.node, nullable or inner.nullable, inner.known)
    return _Shape(node, nullable, None)


def _resolved(root: Schema, schema: Schema) -> Schema:
    """The schema behind a reference, without its annotations."""
    while "$ref" in schema:
        schema = root["$defs"][str(schema["$ref"]).removeprefix("#/$defs/")]
    return {key: value for key, value in schema.items() if key not in ANNOTATIONS}


def _type_change(before: _Shape, after: _Shape) -> str | None:
    """How the type changed, so much that nothing below can be compared."""
    old, new = before.node, after.node
    if old.get("type") != new.get("type") or _branches(old) != _branches(new):
        return f"type changed from {_type_of(before)} to {_type_of(after)}"
    missing = [keyword for keyword in ("items", "additionalProperties", "properties") if (keyword in old) != (keyword in new)]
    return f"type changed: {', '.join(missing)} {'went' if missing[0] in old else 'came'}" if missing else None


def _branches(node: Schema) -> list[Any]:
    return [dict(branch) for branch in node.get("anyOf", ())]


def _type_of(shape: _Shape) -> str:
    return str(shape.node.get("type") or shape.node.get("anyOf") or "anything")


def _value_changes(before: _Shape, after: _Shape) -> Iterator[str]:
    """Changes in which values a place may have."""
    if before.known is not None or after.known is not None:
        yield from _known_changes(before, after)
    old_enum, new_enum = before.node.get("enum"), after.node.get("enum")
    if old_enum != new_enum and before.known is None and after.known is None:
        old_values, new_values = list(old_enum or ()), list(new_enum or ())
        gone = [value for value in old_values if value not in new_values]
        come = [value for value in new_values if value not in old_values]
        if old_enum is None or new_enum is None:
            yield f"enumeration {'added' if old_enum is None else 'removed'}"
        yield from (f"value {value!r} removed from the enumeration" for value in gone if new_enum is not None)
        yield from (f"value {value!r} added to a closed enumeration, which older readers refuse" for value in come if old_enum is not None)
    for keyword in sorted((before.node.keys() | after.node.keys()) - WALKED):
        if before.node.get(keyword) != after.node.get(keyword):
            yield f"{keyword} changed from {before.node.get(keyword)!r} to {after.node.get(keyword)!r}"


def _known_changes(before: _Shape, after: _Shape) -> Iterator[str]:
    """Open enumerations may grow, and do nothing else."""
    if after.known is None:
        yield "an open enumeration became a closed one" if "enum" in after.node else "the known values are no longer named"
    elif before.known is None and "enum" in before.node:
        yield "a closed enumeration became an open one, whose further values older readers refuse"
    else:
        yield from (f"value {value!r} removed from the known ones" for value in before.known or () if value not in after.known)


def _mapping(node: Schema, keyword: str) -> dict[str, Schema]:
    return cast("dict[str, Schema]", node.get(keyword) or {})
