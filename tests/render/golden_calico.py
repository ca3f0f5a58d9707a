"""What a renderer changed in a manifest, as a flat map of paths: the manifest itself stays out of the project."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from calico_plans import parsed

Path = str
GONE = "(gone)"


def changes(text: str, things: Sequence[dict[str, Any]]) -> dict[str, dict[Path, Any]]:
    """For each object its new values by path; lists of named things go by name, others as a whole."""
    before = {identity(thing): dict(leaves(thing)) for thing in parsed(text) if thing["kind"] != "CustomResourceDefinition"}
    after = {identity(thing): dict(leaves(thing)) for thing in things if thing["kind"] != "CustomResourceDefinition"}
    assert len({identity(thing) for thing in things}) == len(things), "an object is there twice"
    found = {name: _difference(before.get(name, {}), after.get(name, {})) for name in (*before, *(name for name in after if name not in before))}
    return {name: values if name in after else {"(object)": GONE} for name, values in found.items() if values}


def identity(thing: dict[str, Any]) -> str:
    """Kind, namespace and name."""
    metadata = thing["metadata"]
    return "/".join(part for part in (thing["kind"], metadata.get("namespace", ""), metadata["name"]) if part)


def leaves(value: Any, path: str = "") -> Iterator[tuple[Path, Any]]:
    """Every value with its path."""
    if isinstance(value, dict) and value:
        entries = cast("dict[str, Any]", value)
        for key, inner in entries.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and all(isinstance(entry, dict) and "name" in entry for entry in value):  # pyright: ignore[reportUnknownVariableType]
        named = cast("list[dict[str, Any]]", value)
        for entry in named:
            for key, inner in entry.items():
                yield from leaves(inner, f"{path}[{entry['name']}]" if key == "name" else f"{path}[{entry['name']}].{key}")
    elif value is not None:
        yield path, value


def _difference(before: dict[Path, Any], after: dict[Path, Any]) -> dict[Path, Any]:
    new = {path: value for path, value in after.items() if path not in before or before[path] != value}
    return new | {path: GONE for path in before if path not in after}
