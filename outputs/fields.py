"""The contract as a table of fields: `python -m outputs fields`, for docs/outputs.md."""

from collections.abc import Iterator, Mapping
from typing import Any

from .schema import schema

Schema = Mapping[str, Any]
NAMES = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "object"}
PLURAL = {"string": "list of texts", "object": "list of objects"}


def table() -> str:
    """One line for each field, in the order of the contract."""
    root = schema()
    lines = [f"| `{path}` | {kind} | {words} |" for path, kind, words in _rows(root, root, "")]
    return "\n".join(["| Output | Type | What it is |", "|---|---|---|", *lines]) + "\n"


def _rows(root: Schema, node: Schema, path: str) -> Iterator[tuple[str, str, str]]:
    for name, declared in node["properties"].items():
        place = f"{path}.{name}".lstrip(".")
        branches = [branch for branch in declared.get("anyOf", ()) if branch != {"type": "null"}]
        inner = _resolved(root, branches[0] if len(branches) == 1 else declared)
        yield place, _kind(root, declared, branches, inner), declared.get("description") or inner.get("description", "")
        for below, step in ((inner, ""), (_resolved(root, inner.get("items", {})), "[]"), (_named(root, inner), ".*")):
            if "properties" in below:
                yield from _rows(root, below, place + step)


def _named(root: Schema, node: Schema) -> Schema:
    """What a map from names holds."""
    found: Schema = node.get("additionalProperties") or {}
    return _resolved(root, found)


def _resolved(root: Schema, node: Schema) -> Schema:
    return root["$defs"][str(node["$ref"]).removeprefix("#/$defs/")] if "$ref" in node else node


def _kind(root: Schema, declared: Schema, branches: list[Schema], inner: Schema) -> str:
    """A type as people say it; an open enumeration with the values of today."""
    if len(branches) == 2:
        return "text: " + ", ".join(f"`{value}`" for value in branches[0]["enum"])
    if inner["type"] == "array":
        said = PLURAL[_resolved(root, inner["items"])["type"]]
    else:
        said = "map" if "additionalProperties" in inner else NAMES[inner["type"]]
    return f"{said} or null" if {"type": "null"} in declared.get("anyOf", ()) else said
