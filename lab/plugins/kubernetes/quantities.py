"""Kubernetes quantities: `0.1` and `100m` are the same amount, and the server writes the second."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

_SUFFIXES: Final = {
    "": Decimal(1),
    **{letter: Decimal(1000) ** power for letter, power in {"n": -3, "u": -2, "m": -1, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}.items()},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
_QUANTITY: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")

_HOLDERS: Final = frozenset(
    {"requests", "limits", "hard", "capacity", "allocatable", "podFixed", "default", "defaultRequest", "min", "max", "maxLimitRequestRatio"}
)
"""Maps whose values are quantities."""
_NAMES: Final = frozenset({"sizeLimit", "divisor", "averageValue"})
"""Fields that are quantities."""
_FREE_TEXT: Final = frozenset({"data", "stringData", "binaryData", "metadata"})


def amount(text: Any) -> Decimal | None:
    """The amount a quantity stands for, None for what is no quantity."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    return Decimal(number) * (Decimal(10) ** int(exponent) if exponent else _SUFFIXES[suffix or ""])


def same_quantity(one: Any, other: Any, path: tuple[str, ...]) -> bool:
    """Whether both are the same amount, at a path (map keys only) that holds a quantity."""
    if not path or path[0] in _FREE_TEXT or not (path[-1] in _NAMES or (len(path) > 1 and path[-2] in _HOLDERS)):
        return False
    first = amount(one)
    return first is not None and first == amount(other)
