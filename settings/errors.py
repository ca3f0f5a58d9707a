"""Mistakes in a stack file, one clear line each: where, what value (never a secret), what limit, what to do."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from settings.base import Problem, Problems
from settings.shape import description_of, suggestion
from settings.wording import worded

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SECRET_NAME = re.compile(r"pass|pwd|secret|token|private|credential|api.?key|^uri$", re.IGNORECASE)
SECRET_VALUE = re.compile(r"://\S*@|[^\s/:@]:[^\s@]+@|PRIVATE KEY|password|passwd|secret|token|credential|^[a-z0-9]{6}\.[a-z0-9]{16}$", re.IGNORECASE)
"""A URL with a user, user and password before an @, a private key, a text that speaks of a secret, a bootstrap token."""
KEY = "[key]"
"""pydantic's last step to the key of a map."""


class SettingsError(ValueError):
    """The stack's settings cannot be used; `problems` has one entry for each mistake."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        noun = "mistake" if count == 1 else "mistakes"
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"{count} {noun} in the stack's settings; nothing was changed:\n{lines}")


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every mistake that pydantic found in a document for `model`, in the order of the fields."""
    found: list[Problem] = []
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "too_short" and any(len(other["loc"]) > len(detail["loc"]) == _common(other["loc"], detail["loc"]) for other in details):
            continue  # pydantic counts the right entries only, and the wrong one has its own line
        cause = detail.get("ctx", {}).get("error")
        path = _path(detail["loc"])
        if isinstance(cause, Problems):
            found.extend(Problem(".".join(filter(None, (path, problem.path))) or "(root)", problem.message) for problem in cause.problems)
        elif detail["type"] != "default_factory_not_called":
            found.append(Problem(path or "(root)", _message(detail, model)))
    return list(dict.fromkeys(found))


def _common(one: tuple[int | str, ...], other: tuple[int | str, ...]) -> int:
    """Number of steps that two locations share from the start."""
    return next((index for index, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), min(len(one), len(other)))


def _path(location: tuple[int | str, ...]) -> str:
    """The dotted path; a wrong key is a mistake of its map."""
    steps = location[:-2] if location[-1:] == (KEY,) else location
    return ".".join(f"[{step}]" if isinstance(step, int) else step for step in steps).replace(".[", "[")


def _message(detail: "ErrorDetails", model: type[BaseModel]) -> str:
    kind, location = detail["type"], detail["loc"]
    if kind in ("extra_forbidden", "invalid_key"):
        secret = SECRET_NAME.search(str(location[-1]))
        return f"unknown key; {'a secret has no place in a stack file, remove it' if secret else suggestion(location, model)}"
    if kind == "missing":
        description = description_of(location, model)
        return f"is missing; add it ({description})" if description else "is missing; add it"
    if kind == "value_error":
        return str(detail.get("ctx", {})["error"])
    if kind in ("too_short", "too_long"):
        return worded(kind, detail.get("ctx", {}), None)
    verb = "has the key" if location[-1:] == (KEY,) else "is"
    return f"{verb} {_shown(detail)}, {worded(kind, detail.get('ctx', {}), None if _is_secret(detail) else detail['input'])}"


def _is_secret(detail: "ErrorDetails") -> bool:
    value: Any = detail["input"]
    return any(isinstance(step, str) and SECRET_NAME.search(step) for step in detail["loc"]) or (
        isinstance(value, str) and bool(SECRET_VALUE.search(value))
    )


def _shown(detail: "ErrorDetails") -> str:
    """The value as far as it may be shown: no secret, no whole map or list."""
    value: Any = detail["input"]
    if _is_secret(detail):
        return "(not shown)"
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list | tuple):
        return "a list"
    return repr(f"{value[:60]}..." if isinstance(value, str) and len(value) > 60 else value)
