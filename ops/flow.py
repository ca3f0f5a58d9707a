"""Values as YAML on one line, in the manner in which stack files write them."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

import yaml

PLAIN: Final = re.compile(r"[A-Za-z0-9_./@+-]+")
"""What YAML takes for one word in a flow collection too."""


class Quoted(str):
    """A text that is quoted for people, also where YAML would not ask for it."""

    __slots__ = ()


def scalar(value: str | int) -> str:
    """A value as YAML, quoted only where it would be read as something else."""
    if isinstance(value, int):
        return str(value)
    plain = not isinstance(value, Quoted) and PLAIN.fullmatch(value) and _is_itself(value)
    return value if plain else json.dumps(value, ensure_ascii=False)


def flow(value: object) -> str:
    """A text, a whole number, or a mapping or list of them in YAML's flow style, as stack files write it; what is None is left out."""
    if isinstance(value, str | int):
        return scalar(value)
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, object]", value)
        inner = ", ".join(f"{scalar(key)}: {flow(entry)}" for key, entry in entries.items() if entry is not None)
        return f"{{ {inner} }}" if inner else "{}"
    return f"[{', '.join(flow(entry) for entry in cast('Sequence[object]', value))}]"


def line(value: str) -> str:
    """A text as the rest of a line, where more is plain than in a flow collection."""
    return value if _is_itself(value) else json.dumps(value, ensure_ascii=False)


def printable(text: str) -> str:
    """A line without what a YAML document may not hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _is_itself(value: str) -> bool:
    """Whether YAML reads the bare text as that text: neither as a number, a date, a flag nor as a collection."""
    try:
        return yaml.safe_load(value) == value
    except (yaml.YAMLError, ValueError):
        return False
