"""What was expected of a value and what to do, in words, for each kind of mistake that pydantic tells apart."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

Context = Mapping[str, Any]


def worded(kind: str, context: Context, value: object) -> str:
    """Limit and remedy; `value` is what was given, None where it is secret."""
    wording = WORDINGS.get(kind)
    return wording(context, value) if wording else "expected another kind of value; correct it"


def _whole_number(_: Context, value: object) -> str:
    remedy = f"write {value} without quotes" if isinstance(value, str) and value.isdecimal() else "write a whole number such as 4"
    return f"expected a whole number; {remedy}"


def _string(_: Context, value: object) -> str:
    reason = " (YAML reads no, off, yes and on as false and true)" if isinstance(value, bool) else ""
    return "expected text; write one value" if isinstance(value, dict | list) else f"expected text; put it in quotes{reason}"


def _choice(context: Context, value: object) -> str:
    allowed = str(context["expected"])
    near = difflib.get_close_matches(value, allowed.replace(" or ", ", ").replace("'", "").split(", "), n=1) if isinstance(value, str) else []
    return f"allowed: {allowed}; {f'did you mean {near[0]!r}?' if near else 'write one of them'}"


def _entries(limit: str, remedy: str) -> Callable[[Context, object], str]:
    def wording(context: Context, _: object) -> str:
        number = context["min_length"] if "min_length" in context else context["max_length"]
        return f"has {context['actual_length']} entries, limit: {limit} {number}; {remedy}"

    return wording


def _fixed(text: str) -> Callable[[Context, object], str]:
    return lambda context, _: text.format(**context)


A_MAP = _fixed("expected a map; write keys and values")
A_LIST = _fixed("expected a list; write it like [one, two]")

WORDINGS: dict[str, Callable[[Context, object], str]] = {
    "form": _fixed("{expected}; {remedy}"),
    "greater_than": _fixed("limit: more than {gt}; raise it"),
    "greater_than_equal": _fixed("limit: at least {ge}; raise it"),
    "less_than": _fixed("limit: less than {lt}; lower it"),
    "less_than_equal": _fixed("limit: at most {le}; lower it"),
    "too_short": _entries("at least", "add one"),
    "too_long": _entries("at most", "remove some"),
    "literal_error": _choice,
    "int_type": _whole_number,
    "float_type": _fixed("expected a number; write it without quotes"),
    "finite_number": _fixed("expected a finite number; write one such as 30"),
    "bool_type": _fixed("expected true or false; write one of them without quotes"),
    "string_type": _string,
    "model_type": A_MAP,
    "dict_type": A_MAP,
    "tuple_type": A_LIST,
}
