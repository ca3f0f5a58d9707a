"""The same at several places, said once."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ops.preview.effects import runs
from ops.verify.report.model import Line, Mark

_PAIR = " -> "


@dataclass(frozen=True, kw_only=True)
class Group:
    """Findings that differ in their places alone, or (what could not be looked at) in their checks."""

    mark: Mark
    checks: tuple[str, ...]
    places: tuple[str, ...]
    declared: str
    found: str
    remedy: str

    @property
    def names(self) -> str:
        """The places in words: `worker-1 ... worker-12 (12), worker-20`."""
        return ", ".join(map(str, runs(self.places)))


def grouped(lines: Iterable[Line]) -> tuple[Group, ...]:
    """Groups of one check's findings, in the order of their first ones."""
    found: dict[tuple[Mark, str, str, str], list[Line]] = {}
    for line in lines:
        declared, said, remedy = (_anywhere(text, line.where) for text in (line.declared, line.found, line.remedy))
        found.setdefault((line.mark, declared, said, remedy), []).append(line)
    return tuple(_group(members, key[1:]) for key, members in found.items())


def unchecked(lines: Iterable[Line]) -> tuple[Group, ...]:
    """What could not be looked at, by the reason: a node that cannot be reached is one line, with the pairs that it begins."""
    by_place: dict[tuple[str, str, str], list[Line]] = {}
    lines = tuple(lines)
    alone = {(line.where, line.found, line.remedy) for line in lines}
    for line in lines:
        first = line.where.partition(_PAIR)[0]
        where = first if (first, line.found, line.remedy) in alone else line.where
        by_place.setdefault((where, line.found, line.remedy), []).append(replace(line, where=where))
    found: dict[tuple[tuple[str, ...], str, str], list[Line]] = {}
    for (where, said, remedy), members in by_place.items():
        checks = tuple(sorted({line.check for line in members}))
        found.setdefault((checks, _anywhere(said, where), _anywhere(remedy, where)), []).append(members[0])
    return tuple(_group(members, ("", *key[1:]), key[0]) for key, members in found.items())


def _group(members: Sequence[Line], general: tuple[str, str, str], checks: tuple[str, ...] = ()) -> Group:
    first = members[0]
    declared, found, remedy = general if len(members) > 1 else (first.declared if general[0] else "", first.found, first.remedy)
    return Group(
        mark=first.mark,
        checks=checks or (first.check,),
        places=tuple(line.where for line in members),
        declared=declared,
        found=found,
        remedy=remedy,
    )


def _anywhere(text: str, where: str) -> str:
    """The text with its own place's name left open, so that it is the same at every place."""
    places = where.split(_PAIR, 1)
    if where == "cluster" or not any(place and place in text for place in places):
        return text
    names = dict(zip(places, ("<from>", "<to>") if len(places) > 1 else ("<node>",), strict=True))
    return _word(tuple(names)).sub(lambda found: names[found[0]], text)


@lru_cache(maxsize=4096)
def _word(names: tuple[str, ...]) -> re.Pattern[str]:
    """One of the names as a word of its own, and no part of a longer name."""
    choice = "|".join(re.escape(name) for name in sorted(filter(None, names), key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?<!\w\.)(?:{choice})(?![\w-]|\.\w)")
