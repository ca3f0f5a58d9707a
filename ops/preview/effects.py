"""What a change means for the running environment: the words that a reviewer reads."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final, Literal


class Severity(IntEnum):
    """How deep a change cuts; the number is the exit code for gates."""

    NOTHING = 0
    IN_PLACE = 10
    """Something is made or changed, and nothing that runs stops."""
    RESTARTS = 20
    """A program, a session or a service restarts; machines and data stay."""
    REPLACEMENTS = 30
    """A machine, a key or an object goes, for good or to be made anew."""
    REFUSED = 40
    """The program or the engine says no, or a node is known to."""


class Section(Enum):
    """Where a line stands, in this order."""

    DATA_PLANE = "Data plane"
    PROTECTED = "Protected"
    NODES = "Nodes"
    CLUSTER = "Cluster"
    KEYS = "Keys and certificates"
    HOSTS = "Hypervisors"
    OTHER = "Other resources"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One line: what it is about, and what happens to it."""

    section: Section
    subject: str
    """A node, or what in the cluster it is about."""
    text: str
    severity: Severity


WorkKind = Literal["redefine", "rebuild", "join", "leave", "prepare", "proxy"]


@dataclass(frozen=True, kw_only=True)
class Work:
    """Something that takes time on one node."""

    kind: WorkKind
    node: str


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """All that some changes mean."""

    effects: tuple[Effect, ...] = ()
    work: tuple[Work, ...] = ()


@dataclass(kw_only=True)
class Lines:
    """Effects as they are found."""

    effects: list[Effect] = field(default_factory=list[Effect])
    work: list[Work] = field(default_factory=list[Work])

    def say(self, section: Section, subject: str, text: str, severity: Severity) -> None:
        """Add a line."""
        self.effects.append(Effect(section=section, subject=subject, text=text, severity=severity))

    def take(self, meaning: Meaning) -> None:
        """Add all of another finding."""
        self.effects += meaning.effects
        self.work += meaning.work

    def meaning(self) -> Meaning:
        """What was found."""
        return Meaning(effects=tuple(self.effects), work=tuple(self.work))


@dataclass(frozen=True, kw_only=True)
class Run:
    """One name, or consecutive ones."""

    first: str
    last: str
    count: int

    def __str__(self) -> str:
        """`worker-1`, or `worker-1 ... worker-280 (280)`."""
        return self.first if self.count == 1 else f"{self.first} ... {self.last} ({self.count})"


MOST: Final = 6
"""Names and runs of names on one line."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """The same for several subjects."""

    section: Section
    runs: tuple[Run, ...]
    text: str
    severity: Severity

    @property
    def subjects(self) -> str:
        """The subjects in words, as many as a line has room for."""
        return ", ".join([*(str(run) for run in self.shown), *([f"{self.more} more"] if self.more else [])])

    @property
    def shown(self) -> tuple[Run, ...]:
        """Those that are named."""
        return self.runs if len(self.runs) <= MOST else self.runs[: MOST - 1]

    @property
    def more(self) -> int:
        """How many subjects are not named."""
        return sum(run.count for run in self.runs[len(self.shown) :])


def grouped(effects: Iterable[Effect]) -> tuple[Line, ...]:
    """One line for all subjects that the same happens to; by section, the deepest cut first."""
    order = {section: number for number, section in enumerate(Section)}
    found: dict[tuple[int, int, str], list[str]] = {}
    for effect in effects:
        subjects = found.setdefault((order[effect.section], -effect.severity, effect.text), [])
        if effect.subject not in subjects[-1:]:
            subjects.append(effect.subject)
    sections = tuple(Section)
    return tuple(
        Line(section=sections[section], runs=runs(subjects), text=text, severity=Severity(-severity))
        for (section, severity, text), subjects in sorted(found.items(), key=lambda item: item[0][:2])
    )


LEAST: Final = 4
"""From so many consecutive names on, only the first and the last are named."""


def runs(names: Iterable[str]) -> tuple[Run, ...]:
    """Names in their natural order, consecutive ones together."""
    found: list[list[str]] = []
    last = ("", -1)
    for position, name in enumerate(sorted(dict.fromkeys(names), key=natural)):
        key = _run_key(position, name)
        if not found or key != last:
            found.append([])
        found[-1].append(name)
        last = key
    return tuple(run for members in found for run in _shortened(members))


def _shortened(members: Sequence[str]) -> Iterable[Run]:
    if len(members) < LEAST:
        return [Run(first=name, last=name, count=1) for name in members]
    return [Run(first=members[0], last=members[-1], count=len(members))]


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts worker-9 before worker-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _run_key(position: int, name: str) -> tuple[str, int]:
    """Equal for consecutive names: the number less the position does not change along a run."""
    found = re.fullmatch(r"(.*?)(\d+)", name)
    return (found[1], int(found[2]) - position) if found else (name, -1)
