"""The shape of the settings: which model or value stands at which path, and what its docstring says."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel

MAP_KEY = "<name>"
ENTRY = "[]"
MOST_SUGGESTED = 2
"""More places of the same name would say nothing."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """One setting: its dotted path (`<name>` for keys of a map, `[]` for entries of a list) and what is declared there."""

    path: str
    annotation: Any
    metadata: tuple[Any, ...]
    """What the annotation says beside the type: limits, checks, words."""
    group: type[BaseModel] | None
    """The model that stands here, itself or as entry of a map or list."""
    inner_path: str
    """Path of what is in that model."""
    description: str
    default: Any
    required: bool


def places(model: type[BaseModel], prefix: str = "") -> Iterator[Place]:
    """Every setting below a model, each group before what is in it."""
    for name, field in model.model_fields.items():
        description = " ".join((field.description or "").split())
        path = f"{prefix}{name}"
        inner, steps = _inner(field.annotation)
        yield Place(
            path=path,
            annotation=field.annotation,
            metadata=tuple(field.metadata),
            group=inner,
            inner_path=path + steps,
            description=description,
            default=field.default,
            required=field.is_required(),
        )
        if inner is not None:
            yield from places(inner, f"{path}{steps}.")


def description_of(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """First sentence of a field's docstring, without its full stop; empty where there is no such field."""
    owner = _model_at(location[:-1], model)
    field = owner.model_fields.get(str(location[-1])) if owner else None
    return " ".join(((field.description if field else None) or "").split()).split(". ")[0].rstrip(".")


def suggestion(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """What to do about a key that nobody knows: the nearest one here, the same one elsewhere, or all that are allowed here."""
    owner, key = _model_at(location[:-1], model), str(location[-1])
    known = list(owner.model_fields) if owner else []
    elsewhere = [place.path for place in places(model) if place.path.rpartition(".")[2] == key]
    if 1 <= len(elsewhere) <= MOST_SUGGESTED:
        return f"did you mean {' or '.join(elsewhere)}?"
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"allowed here: {', '.join(known)}; remove it"


def _model_at(location: tuple[int | str, ...], model: type[BaseModel]) -> type[BaseModel] | None:
    """The model at this location; keys of maps and places in lists are stepped through."""
    current: Any = model
    for step in location:
        current = _without_none(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(step))
            current = field.annotation if field else None
        else:
            current = _element(current)
    current = _without_none(current)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model inside a map, list or optional field, and the steps to it in a path."""
    current, steps = _without_none(annotation), ""
    while get_origin(current) in (dict, tuple):
        steps += f".{MAP_KEY}" if get_origin(current) is dict else ENTRY
        current = _without_none(_element(current))
    return (current if isinstance(current, type) and issubclass(current, BaseModel) else None), steps


def _element(annotation: Any) -> Any:
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1]
    return arguments[0] if get_origin(annotation) is tuple else None


def _without_none(annotation: Any) -> Any:
    """The type itself of an optional or annotated one."""
    if hasattr(annotation, "__metadata__"):
        return _without_none(get_args(annotation)[0])
    rest = [argument for argument in get_args(annotation) if argument is not type(None)]
    return _without_none(rest[0]) if len(rest) == 1 and get_origin(annotation) not in (dict, tuple) else annotation
