"""What nodes and the API said, of unknown shape, read one step at a time: what is not there or is no such thing is empty, never an error."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any, cast

import yaml

from ops.verify.model import Said, Seen

SHOWN = 160
"""Characters of a strange answer that a finding repeats."""
DURATION = re.compile(r"(-?)((?:[0-9]+(?:\.[0-9]+)?(?:h|ms|us|µs|ns|m|s))+)")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def output_of(answers: Mapping[str, Said] | None, key: str) -> tuple[str, str]:
    """What one question was answered with, and why there is no answer."""
    said = answers.get(key) if answers is not None else None
    if said is None:
        return "", "it was not asked"
    if said.error:
        return "", said.error
    if said.exit_code != 0:
        return "", f"the question ended with exit code {said.exit_code}{': ' if said.output.strip() else ''}{shown(said.output)}"
    return said.output, ""


def node_output(seen: Seen, node: str, key: str) -> tuple[str, str]:
    """What a node answered, and why there is no answer."""
    return output_of(seen.nodes.get(node), key)


def node_json(seen: Seen, node: str, key: str) -> tuple[Any, str]:
    """The JSON that a node answered with, and why there is none."""
    output, why = node_output(seen, node, key)
    document = None if why else from_json(output)
    return document, f"it said {shown(output)!r}, expected JSON" if document is None and not why else why


def listed(seen: Seen, path: str) -> tuple[list[dict[str, Any]], str]:
    """The items of a list that the API gave, and why there is none."""
    if path in seen.api_errors:
        return [], f"the API's {path}: {seen.api_errors[path]}"
    if path not in seen.api:
        return [], f"the API's {path} was not read"
    found = items(seen.api[path])
    return ([], f"the API's {path} is no list") if found is None else (found, "")


def items(document: object) -> list[dict[str, Any]] | None:
    """The objects of a list from the API; None where it is no list."""
    found: object = mapping(document).get("items")
    return mappings(cast("list[Any]", found)) if isinstance(found, list) else None


def shown(said: str) -> str:
    """A strange answer as far as a person reads it."""
    line = " ".join(said.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."


def from_json(written: str) -> object:
    """A JSON document; None where it is none."""
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return None


def from_yaml(written: str) -> object:
    """A YAML document; None where it is none."""
    try:
        return yaml.safe_load(written)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def mapping(value: object) -> dict[str, Any]:
    """The object that it is."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """The list that it is."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def mappings(value: object) -> list[dict[str, Any]]:
    """The objects in the list that it is."""
    return [cast("dict[str, Any]", item) for item in sequence(value) if isinstance(item, dict)]


def at(value: object, *steps: str) -> Any:
    """What is below, None where there is nothing."""
    for step in steps:
        value = mapping(value).get(step)
    return value


def name_of(thing: object) -> str:
    """The name of an object of the API."""
    return text(at(thing, "metadata", "name"))


def text(value: object) -> str:
    """The text that it is."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> list[str]:
    """The texts in the list that it is."""
    return [item for item in sequence(value) if isinstance(item, str)]


def labels(value: object) -> dict[str, str]:
    """The texts by name that it is, as labels and annotations are."""
    return {key: entry for key, entry in mapping(value).items() if isinstance(entry, str)}


def whole(value: object) -> int | None:
    """A whole number, also one written as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    written = text(value).strip()
    return int(written) if re.fullmatch(r"-?[0-9]{1,19}", written, re.ASCII) else None


def number(value: object) -> float | None:
    """A finite number, also one written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def address(value: object) -> IPv4Address | None:
    """The IPv4 address that a text is."""
    try:
        return IPv4Address(text(value))
    except ValueError:
        return None


def network(value: object) -> IPv4Network | None:
    """The IPv4 network that a text is; an address is a network of one."""
    try:
        return IPv4Network(text(value))
    except ValueError:
        return None


def unlike(declared: object, found: object, path: str = "") -> Iterator[tuple[str, object, object]]:
    """Fields of `declared` that `found` has otherwise, with both values; what only `found` has is somebody's default."""
    if isinstance(declared, dict):
        has = mapping(found)
        for name, value in cast("dict[str, object]", declared).items():
            yield from unlike(value, has.get(name), f"{path}.{name}" if path else name)
    elif not same(declared, found):
        yield path, declared, found


def differences(declared: object, found: object) -> list[str]:
    """The same in words."""
    return [
        f"{path} is {'absent' if value is None else json.dumps(value, default=str)}, declared {json.dumps(wanted, default=str)}"
        for path, wanted, value in unlike(declared, found)
    ]


def same(declared: object, found: object) -> bool:
    """Equal; durations may be spelled otherwise (120s, 2m0s), and an empty list may be left out (Go's omitempty)."""
    if declared == found and isinstance(declared, bool) == isinstance(found, bool):
        return True
    if declared == [] or declared == ():
        return found is None
    left, right = duration_s(declared), duration_s(found)
    return left is not None and left == right


def duration_s(value: object) -> float | None:
    """A Go duration in seconds."""
    if value == "0":
        return 0.0
    found = DURATION.fullmatch(text(value))
    if found is None:
        return None
    parts = re.findall(r"([0-9.]+)(h|ms|us|µs|ns|m|s)", found[2])
    seconds = sum(float(amount) * SECONDS[unit] for amount, unit in parts)
    return round(-seconds if found[1] else seconds, 9)
