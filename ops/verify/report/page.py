"""The report as one HTML page: no script, nothing from elsewhere, light and dark, fit for print. What is wrong stands first, what passed is folded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from ops.preview.effects import natural, runs
from ops.verify.report import words
from ops.verify.report.groups import Group, grouped, unchecked
from ops.verify.report.model import MARKS, CheckLine, Digest, Mark, Report, digest
from ops.verify.report.plots import Plot, plots

MOST_ROWS: Final = 12
"""Rows of one check that are seen at once; further ones are folded."""
MOST_FOLDED: Final = 300
"""Folded rows; of further places the names are given, and their values are in the JSON document."""
MOST_NAMES: Final = 12
MOST_IN_TABLE: Final = 16
"""With more places than these, the overview is a strip for each area and no table with a sign for each place."""
CLASSES: Final = {Mark.FAILED: "failed", Mark.NOT_CHECKED: "unseen", Mark.WARNING: "warned", Mark.PASSED: "passed", Mark.SKIPPED: "skipped"}
_FOLDER: Final = Path(__file__).parent
_PAIR: Final = " -> "


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A check with the rows that the page has room for."""

    check: CheckLine
    rows: tuple[Group, ...]
    folded: tuple[Group, ...]
    more: str
    """Places that have no row, in words."""
    plots: tuple[Plot, ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """What an area has to show of what passed."""

    area: str
    checks: tuple[Shown, ...]
    plots: tuple[tuple[CheckLine, Plot], ...]


@dataclass(frozen=True, kw_only=True)
class Strip:
    """An area at all places: a path of squares for each mark, or a sign for each place."""

    area: str
    paths: tuple[tuple[str, str], ...]
    cells: tuple[tuple[str, str, str], ...]
    """Class, sign, words."""


def write(report: Report) -> str:
    """The page."""
    found = digest(report)
    places = _places(found)
    return _template().render(
        style=(_FOLDER / "page.css").read_text(),
        found=found,
        verdict=words.verdict(found),
        circumstances=words.circumstances(found),
        counts=[(CLASSES[mark], words.SIGNS[mark], mark.value, found.marks.get(mark, 0)) for mark in MARKS],
        places=places,
        strips=list(_strips(found, places)),
        as_table=len(places) <= MOST_IN_TABLE,
        wrong=[_wrong(found, check) for check in found.wrong],
        unseen=unchecked(line for line in found.lines if line.mark is Mark.NOT_CHECKED),
        passed=list(_passed(found)),
        skipped=[check for check in found.checks if check.mark is Mark.SKIPPED],
        most_rows=MOST_ROWS,
    )


@cache
def _template() -> Template:
    templates = Environment(loader=FileSystemLoader(_FOLDER), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    filters: dict[str, Any] = {"area": words.area, "sign": words.SIGNS.__getitem__, "kind": CLASSES.__getitem__, "names": names}
    templates.filters.update(filters)
    return templates.get_template("page.html.j2")


def names(places: Iterable[str]) -> list[str]:
    """Places and runs of places, as many as a cell has room for."""
    found = runs(places)
    shown = found if len(found) <= MOST_NAMES else found[: MOST_NAMES - 1]
    more = sum(run.count for run in found[len(shown) :])
    return [*map(str, shown), *([f"{more} more"] if more else [])]


def _wrong(found: Digest, check: CheckLine) -> Shown:
    """What failed of a check, and its plots with all places in them."""
    whole = next(other for other in found.checks if other.id == check.id)
    return _shown(check, grouped(check.lines), MOST_FOLDED, plots(whole))


def _shown(check: CheckLine, groups: Sequence[Group], folded: int, drawn: tuple[Plot, ...]) -> Shown:
    rest = [place for group in groups[MOST_ROWS + folded :] for place in group.places]
    rows, more = tuple(groups[:MOST_ROWS]), tuple(groups[MOST_ROWS : MOST_ROWS + folded])
    return Shown(check=check, rows=rows, folded=more, more=f"{len(rest)} more places: {', '.join(names(rest))}" if rest else "", plots=drawn)


def _passed(found: Digest) -> Iterable[Section]:
    """Areas with checks of which something passed and nothing failed; plots of one that failed stand with what failed."""
    wrong = {check.id for check in found.wrong}
    for area in found.areas:
        checks = [check for check in found.checks if check.area == area and check.marked(Mark.PASSED) and check.id not in wrong]
        rows = tuple(_shown(check, grouped(check.marked(Mark.PASSED)), 0, ()) for check in checks)
        if rows:
            yield Section(area=area, checks=rows, plots=tuple((check, plot) for check in checks for plot in plots(check)))


def _places(found: Digest) -> tuple[str, ...]:
    """Every place that was looked at; of a pair, the one that looked."""
    seen = {_place(line.where) for line in found.lines if line.mark is not Mark.SKIPPED}
    return tuple(sorted(seen, key=lambda place: (place != "cluster", natural(place))))


def _place(where: str) -> str:
    return where.split(_PAIR, 1)[0]


def _strips(found: Digest, places: Sequence[str]) -> Iterable[Strip]:
    """The worst mark of each area at each place."""
    worst: dict[str, dict[str, Mark]] = {}
    for line in reversed(found.lines):  # the worst come first, so they are written last
        if line.mark is not Mark.SKIPPED:
            worst.setdefault(line.area, {})[_place(line.where)] = line.mark
    for area in found.areas:
        if area in worst:
            yield Strip(area=area, paths=tuple(_paths(worst[area], places)), cells=tuple(_cells(worst[area], places)))


def _paths(marks: Mapping[str, Mark], places: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Squares of one unit, one path for each mark, so that 200 nodes are a few hundred bytes."""
    for mark in MARKS:
        squares = "".join(f"M{number} 0h.86v1h-.86z" for number, place in enumerate(places) if marks.get(place) is mark)
        if squares:
            yield CLASSES[mark], squares


def _cells(marks: Mapping[str, Mark], places: Sequence[str]) -> Iterable[tuple[str, str, str]]:
    for place in places:
        mark = marks.get(place)
        yield (CLASSES[mark], words.SIGNS[mark], mark.value) if mark else ("", "", "not asked")
