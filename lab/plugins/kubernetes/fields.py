"""Which fields of an object a field manager owns, and what has become of the fields a program declared.

A `managedFields` entry is a tree: `f:name` is a map's key, `k:{...}` the item of a list with these key fields, `v:...` the member
of a set, `.` the thing itself. A node with nothing below it is a value that is owned as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from .objects import Object, blocks
from .quantities import same_quantity

Tree = dict[str, Any]

_GONE: Final = object()


def owned_tree(live: Object, manager: str) -> Tree:
    """What `manager` owns by server-side apply; empty when it owns nothing."""
    for entry in blocks(live, "metadata", "managedFields"):
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return entry.get("fieldsV1") or {}
    return {}


def whole_tree(live: Object) -> Tree:
    """What anybody owns: it tells which lists have keys, which are sets and which are one value."""
    merged: Tree = {}
    for entry in blocks(live, "metadata", "managedFields"):
        _merge(merged, entry.get("fieldsV1") or {})
    return merged


def _merge(into: Tree, other: Tree) -> None:
    for name, below in other.items():
        _merge(into.setdefault(name, {}), below)


def owned(tree: Tree, live: Any) -> Any:
    """The part of `live` that the tree names."""
    below = {name: sub for name, sub in tree.items() if name != "."}
    if not tree:
        return live
    if isinstance(live, dict):
        values = cast("Object", live)
        fields = {name[2:]: sub for name, sub in below.items() if name.startswith("f:")}
        return {name: owned(sub, values[name]) for name, sub in fields.items() if name in values}
    if isinstance(live, list):
        return _owned_items(below, cast("list[Any]", live))
    return live


def _owned_items(below: Tree, items: list[Any]) -> list[Any]:
    members = [json.loads(name[2:]) for name in below if name.startswith("v:")]
    found = [item for item in items if item in members]
    for keys, sub in _keyed(below):
        item = next((item for item in _maps(items) if keys.items() <= item.items()), None)
        if item is not None:
            found.append({**keys, **owned({".": {}, **sub}, item)})
    return found


def _keyed(tree: Tree) -> Iterator[tuple[Object, Tree]]:
    for name, sub in tree.items():
        if name.startswith("k:"):
            yield json.loads(name[2:]), sub


def observed(declared: Object, live: Object, recorded: Object) -> Object:
    """The declared fields as they are now, in the shape and order they were declared in.

    A value that the server writes in another way (`0.1` as `100m`), or that it has held since it was `recorded`, counts as declared.
    """
    return _observe(declared, live, recorded, whole_tree(live), ())


def _observe(declared: Any, live: Any, recorded: Any, tree: Tree, path: tuple[str, ...]) -> Any:
    if isinstance(declared, dict) and isinstance(live, dict):
        values, before = cast("Object", live), cast("Object", recorded) if isinstance(recorded, dict) else {}
        found: Object = {}
        for name, value in cast("Object", declared).items():
            if name in values:
                found[name] = _observe(value, values[name], before.get(name, _GONE), tree.get(f"f:{name}") or {}, (*path, name))
            elif not value or (before and name not in before):
                found[name] = value  # the server keeps no empty values, and this one it never kept
        return found
    if isinstance(declared, list) and isinstance(live, list):
        items, before = cast("list[Any]", live), cast("list[Any]", recorded) if isinstance(recorded, list) else []
        return _observe_list(cast("list[Any]", declared), items, before, tree, path)
    same = declared == live and isinstance(declared, bool) == isinstance(live, bool)
    if same or live == recorded or same_quantity(declared, live, path):
        return cast("Any", declared)
    return live


def _observe_list(declared: list[Any], live: list[Any], recorded: list[Any], tree: Tree, path: tuple[str, ...]) -> list[Any]:
    keys = _key_names(declared, live, tree)
    if keys:
        found: list[Any] = []
        for item in declared:
            now, sub = _matching(item, live, keys), _subtree(item, tree)
            if now is not None:
                found.append(_observe(item, now, _matching(item, recorded, keys), sub, path))
        return found
    if any(name.startswith("v:") for name in tree):
        return [item for item in declared if item in live]
    if len(declared) != len(live):
        return declared if live == recorded else live
    before = recorded if len(recorded) == len(live) else [_GONE] * len(live)
    return [_observe(item, now, then, {}, path) for item, now, then in zip(declared, live, before, strict=True)]


def _key_names(declared: list[Any], live: list[Any], tree: Tree) -> tuple[str, ...]:
    """The key fields of the list's items; `name` by custom where the server did not say, none for a plain list."""
    for keys, _ in _keyed(tree):
        return tuple(keys)
    by_custom = not tree and all(isinstance(item, dict) and "name" in item for item in [*declared, *live])
    return ("name",) if by_custom and len(declared) != len(live) else ()


def _matching(item: Any, items: list[Any], keys: tuple[str, ...]) -> Any:
    """The item of the same key; key fields that the program left to their defaults match anything."""
    wanted = _keys_of(item, keys)
    return next((other for other in _maps(items) if wanted.items() <= other.items()), None)


def _maps(items: list[Any]) -> list[Object]:
    return [cast("Object", item) for item in items if isinstance(item, dict)]


def _subtree(item: Any, tree: Tree) -> Tree:
    for keys, sub in _keyed(tree):
        if _keys_of(item, tuple(keys)).items() <= keys.items():
            return sub
    return {}


def _keys_of(item: Any, keys: tuple[str, ...]) -> Mapping[str, Any]:
    return {name: item[name] for name in keys if name in item} if isinstance(item, dict) else {}
