"""Figures of a check as small plots: bars against the limit for a few places, their distribution for many."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ops.preview.effects import natural
from ops.verify.report import words
from ops.verify.report.model import MARKS, CheckLine, Line, Mark

MOST_BARS: Final = 16
"""With more places than these, their distribution is drawn."""
BINS: Final = 48
_FAR: Final = 4
"""A limit so many times further than every value is written and not drawn: beside it all values would be one stroke."""
_ROOM: Final = 1.06
_EXTREMES: Final = 3
_SEEN: Final = 0.07
"""Height of the lowest column: one node among hundreds is what a reader looks for."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One place. `start` and `length` are percent of the width."""

    where: str
    shown: str
    start: str
    length: str
    mark: Mark
    limit: str
    """Where the limit's line is; empty where there is none to draw."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """Values between two borders, in percent of the plot."""

    start: str
    width: str
    height: str
    top: str
    mark: Mark
    said: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One figure of one check at all its places."""

    name: str
    said: str
    """The limit and what is typical, in words."""
    bars: tuple[Bar, ...]
    columns: tuple[Column, ...]
    limit: str
    low: str
    high: str
    extremes: str


@dataclass(frozen=True, kw_only=True)
class _Value:
    where: str
    value: float
    limit: float | None
    mark: Mark


def plots(check: CheckLine) -> tuple[Plot, ...]:
    """A plot for each name and unit among the check's figures, in their order. A value that is no finite number is left out: its finding says it."""
    found: dict[tuple[str, str], list[_Value]] = {}
    for line in sorted(check.lines, key=lambda line: natural(line.where)):
        for figure in line.figures:
            if math.isfinite(figure.value):
                limit = figure.limit if figure.limit is not None and math.isfinite(figure.limit) else None
                found.setdefault((figure.name, figure.unit), []).append(_value(line, figure.value, limit))
    return tuple(_plot(name, unit, values) for (name, unit), values in sorted(found.items()))


def _value(line: Line, value: float, limit: float | None) -> _Value:
    return _Value(where=line.where, value=value, limit=limit, mark=line.mark)


def _plot(name: str, unit: str, values: Sequence[_Value]) -> Plot:
    limits = sorted({value.limit for value in values if value.limit is not None})
    few = len(values) <= MOST_BARS
    low, high = _scale([value.value for value in values], limits, from_zero=few)
    one_limit = limits[0] if len(limits) == 1 and low <= limits[0] <= high else None
    return Plot(
        name=name,
        said=_said(unit, values, limits) + (", beyond what is drawn" if not few and len(limits) == 1 and one_limit is None else ""),
        bars=tuple(_bar(value, unit, low, high) for value in values) if few else (),
        columns=() if few else tuple(_columns(values, unit, low, high)),
        limit="" if few or one_limit is None else _percent(one_limit, low, high),
        low=words.quantity(low, unit),
        high=words.quantity(high, unit),
        extremes="" if few else _extremes(values, unit),
    )


def _scale(values: Sequence[float], limits: Sequence[float], *, from_zero: bool) -> tuple[float, float]:
    """From where to where; bars begin at zero, because their length is what is compared."""
    furthest = max(map(abs, values)) * _FAR
    drawn = [*values, *(limit for limit in limits if from_zero or abs(limit) <= furthest), *([0.0] if from_zero else [])]
    low, high = min(drawn), max(drawn)
    if low == high:
        return (low, low + (abs(low) or 1.0)) if low >= 0 else (low * 2, low)
    room = (high - low) * (_ROOM - 1)
    wider = (low if low == 0 else low - room, high if high == 0 else high + room)
    return (max(0.0, wider[0]) if low >= 0 else wider[0], min(0.0, wider[1]) if high <= 0 else wider[1])


def _percent(value: float, low: float, high: float) -> str:
    return f"{min(1.0, max(0.0, (value - low) / (high - low))):.2%}"


def _bar(value: _Value, unit: str, low: float, high: float) -> Bar:
    begin, end = sorted((0.0, value.value))
    start = (begin - low) / (high - low)
    return Bar(
        where=value.where,
        shown=words.quantity(value.value, unit),
        start=f"{start:.2%}",
        length=f"{(end - low) / (high - low) - start:.2%}",
        mark=value.mark,
        limit="" if value.limit is None else _percent(value.limit, low, high),
    )


def _columns(values: Sequence[_Value], unit: str, low: float, high: float) -> Iterable[Column]:
    bins: list[list[_Value]] = [[] for _ in range(BINS)]
    for value in values:
        bins[min(BINS - 1, int((value.value - low) / (high - low) * BINS))].append(value)
    most = max(map(len, bins))
    for number, members in enumerate(bins):
        borders = " to ".join(words.quantity(low + (high - low) * edge / BINS, unit) for edge in (number, number + 1))
        base = 0.0
        for mark, part in _by_mark(members):
            tall = max(_SEEN, part / most)
            yield Column(
                start=f"{number / BINS:.2%}",
                width=f"{0.86 / BINS:.2%}",
                height=f"{tall:.2%}",
                top=f"{max(0.0, 1 - base - tall):.2%}",
                mark=mark,
                said=f"{borders}: {part} {'place' if part == 1 else 'places'}",
            )
            base += tall


def _by_mark(members: Sequence[_Value]) -> Iterable[tuple[Mark, int]]:
    """How many values there are of each mark, the worst first: they stand at the foot, where they are seen."""
    counts = Counter(member.mark for member in members)
    return [(mark, counts[mark]) for mark in MARKS if counts[mark]]


def _said(unit: str, values: Sequence[_Value], limits: Sequence[float]) -> str:
    numbers = [value.value for value in values]
    parts: list[str] = []
    if len(numbers) > MOST_BARS:
        parts.append(f"{len(numbers)} places, median {words.quantity(statistics.median(numbers), unit)}")
    if len(limits) == 1:
        parts.append(f"limit {words.quantity(limits[0], unit)}")
    elif limits:
        parts.append(f"limits {words.quantity(limits[0], unit)} to {words.quantity(limits[-1], unit)}")
    return ", ".join(parts)


def _extremes(values: Sequence[_Value], unit: str) -> str:
    """Lowest and highest with their places, equal ones together."""
    return f"lowest {_ends(values, unit, highest=False)}; highest {_ends(values, unit, highest=True)}"


def _ends(values: Sequence[_Value], unit: str, *, highest: bool) -> str:
    edges = sorted({value.value for value in values}, reverse=highest)[: _EXTREMES if highest else 1]
    said: list[str] = []
    for edge in edges:
        places = sorted((value.where for value in values if value.value == edge), key=natural)
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        said.append(f"{words.quantity(edge, unit)} ({places[0]}{more})")
    return ", ".join(said)
