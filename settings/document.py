"""The settings table: `python -m settings.document > docs/settings.md`."""

import re
import sys
from collections.abc import Iterator
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel

from settings.environment import Environment
from settings.forms import Words
from settings.shape import Place, places

HEAD = """# Settings

Every value that an operator may set, under `underlay:environment` in `stacks/Pulumi.<env>.yaml`. Made from the docstrings in `settings/` by
`python -m settings.document > docs/settings.md`; a test holds it up to date.

`<name>` stands for a key that you choose, `[]` for each entry of a list. A setting without a default must be given. All mistakes of a stack
file are reported together, one line each, before anything is changed.
"""
COST = re.compile(r"(?<=[.)] )(?:A change|Changes|Changing)\b.*|^(?:A change|Changes|Changing)\b.*")
NAMES = {int: "whole number", float: "number", bool: "true or false", str: "text"}


def document() -> str:
    """The whole page, as Markdown."""
    groups = [("", Environment), *((place.inner_path, place.group) for place in places(Environment) if place.group is not None)]
    all_places = list(places(Environment))
    parts, shown = [HEAD], dict[type[BaseModel], str]()
    for path, group in groups:
        if group in shown:
            parts.append(f"## `{path}`\n\nAs [`{shown[group]}`](#{_anchor(shown[group])}).\n")
            continue
        shown[group] = path
        here = [place for place in all_places if place.path.rpartition(".")[0] == path]
        parts.append("\n".join(_section(path, group, here)))
    return "\n".join(parts)


def _anchor(heading: str) -> str:
    """GitHub's link to a heading."""
    return re.sub(r"[^a-z0-9_-]", "", heading.lower())


def _section(path: str, group: type[BaseModel], here: list[Place]) -> Iterator[str]:
    yield f"## `{path}`" if path else "## The environment"
    yield ""
    about, group_cost = _split(" ".join((group.__doc__ or "").split()))
    yield f"{about} {group_cost}".strip()
    yield ""
    yield "| Setting | Type | Default | What it is | What a change costs |"
    yield "|---|---|---|---|---|"
    for place in here:
        meaning, cost = _split(place.description)
        name = place.path.rpartition(".")[2]
        yield f"| `{name}` | {type_of(place)} | {_default(place)} | {_cell(meaning)} | {_cell(cost or ('' if place.group else group_cost))} |"
    yield ""


def _split(description: str) -> tuple[str, str]:
    """What a setting is, and what its docstring says of a change."""
    found = COST.search(description)
    return (description[: found.start()].strip(), found.group()) if found else (description, "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if "`" not in text else text.replace("|", "\\|")


def _default(place: Place) -> str:
    default: Any = place.default
    if place.required:
        return "required"
    if isinstance(default, BaseModel):
        return "as below"
    if default is None or default in ((), {}):
        return ""
    if isinstance(default, tuple):
        return " ".join(f"`{entry}`" for entry in default)  # pyright: ignore[reportUnknownVariableType] - a tuple of anything
    if default == "":
        return '`""`'
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def type_of(place: Place) -> str:
    """The kind of value that a setting takes, with its limits."""
    return _typed(place.annotation, place.metadata)


def _typed(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    if hasattr(annotation, "__metadata__"):
        return _typed(get_args(annotation)[0], (*annotation.__metadata__, *metadata))
    words = next((entry.text for entry in metadata if isinstance(entry, Words)), "")
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin is dict:
        return f"map of {_typed(arguments[0])} to {_typed(arguments[1])}"
    if origin is tuple:
        return f"list of {_typed(arguments[0])}"
    if NoneType in arguments:
        return _typed(next(argument for argument in arguments if argument is not NoneType), metadata)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "group"
    return (words or next((name for kind, name in NAMES.items() if annotation is kind), "anything")) + _limits(metadata)


def _limits(metadata: tuple[Any, ...]) -> str:
    least = next((f"{entry.ge:,}" if isinstance(entry, Ge) else f"more than {entry.gt:,}" for entry in metadata if isinstance(entry, Ge | Gt)), "")
    most = next((f"{entry.le:,}" if isinstance(entry, Le) else f"less than {entry.lt:,}" for entry in metadata if isinstance(entry, Le | Lt)), "")
    if least == most:
        return f", {least} only" if least else ""
    return f", {least} to {most}" if least and most else f", at least {least}" if least else f", at most {most}" if most else ""


if __name__ == "__main__":
    sys.stdout.write(document())
