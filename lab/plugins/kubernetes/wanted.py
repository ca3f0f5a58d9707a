"""The annotation `pulumi.com/waitFor`: a condition of the program's own, instead of what is known of the kind."""

from __future__ import annotations

import json
import re
from typing import Any, Final, cast

from lab.plugins.base import ProviderError

from .objects import Object
from .ready import READY, Check, Progress, condition

_STEP: Final = re.compile(r"\.([\w-]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)+)'\]")
_PATH: Final = re.compile(rf"\{{((?:{_STEP.pattern})+)\}}(?:=(.*))?", re.DOTALL)


def wanted(text: str) -> Check:
    """The check for an annotation's value: `condition=T[=S]`, `jsonpath={.a.b}[=v]`, or a JSON list of them. Raises ProviderError."""
    if not text.lstrip().startswith("["):
        return _single(text)
    try:
        terms = json.loads(text)
    except ValueError:
        terms = None
    if not isinstance(terms, list) or not all(isinstance(term, str) for term in cast("list[Any]", terms)):
        raise ProviderError("the annotation pulumi.com/waitFor is neither one term nor a JSON list of terms")
    checks = [_single(term) for term in cast("list[str]", terms)]

    def check(live: Object) -> Progress:
        return next((progress for progress in (single(live) for single in checks) if not progress.done), READY)

    return check


def _single(term: str) -> Check:
    kind, _, rest = term.partition("=")
    if kind == "condition" and rest:
        name, _, value = rest.partition("=")
        return _condition(name, value or "True")
    match = _PATH.fullmatch(rest) if kind == "jsonpath" else None
    if match is None:
        raise ProviderError(
            f"the annotation pulumi.com/waitFor has '{term}': condition=TYPE[=STATUS] or jsonpath={{.path.to[0].field}}[=VALUE] is taken"
        )
    steps: list[str | int] = [int(index) if index else name or quoted for name, index, quoted in _STEP.findall(match[1])]
    return _path(steps, match[1], match[match.re.groups])


def _condition(name: str, value: str) -> Check:
    def check(live: Object) -> Progress:
        found = str(condition(live, name).get("status", "not there"))
        return READY if found.lower() == value.lower() else Progress(done=False, text=f"condition {name} is {found}, not {value}")

    return check


def _path(steps: list[str | int], text: str, value: str | None) -> Check:
    def check(live: Object) -> Progress:
        found = _at(live, steps)
        if found is None:
            return Progress(done=False, text=f"{text} is not there")
        shown = found if isinstance(found, str) else json.dumps(found)
        return READY if value is None or shown == value else Progress(done=False, text=f"{text} is {shown}, not {value}")

    return check


def _at(value: Any, steps: list[str | int]) -> Any:
    for step in steps:
        if isinstance(step, int):
            items = cast("list[Any]", value) if isinstance(value, list) else []
            value = items[step] if step < len(items) else None
        else:
            value = cast("Object", value).get(step) if isinstance(value, dict) else None
    return value
