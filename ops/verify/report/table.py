"""The report for a terminal: what is wrong first, a line for each area then, the verdict last."""

import io
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.console import Group as Stack
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ops.preview.effects import runs
from ops.verify.report import words
from ops.verify.report.groups import Group, grouped, unchecked
from ops.verify.report.model import CheckLine, Digest, Mark, Report, counted, digest

MOST: Final = 12
"""Rows of one check; further places are named together."""
MOST_RUNS: Final = 6
"""Names and runs of names in one cell."""
_STYLES: Final = {Mark.FAILED: "bold red", Mark.NOT_CHECKED: "bold magenta", Mark.WARNING: "bold yellow", Mark.PASSED: "green", Mark.SKIPPED: "dim"}
_WIDEST_PLACE: Final = 30
_WIDEST_NAME: Final = 44


def write(report: Report, width: int = 80, *, colour: bool = False) -> str:
    """The table as text; with `colour`, with the escapes of a terminal. The same for the same report, whatever the environment's variables say."""
    said = io.StringIO()
    system = "standard" if colour else None
    Console(
        file=said,
        width=width,
        force_terminal=colour,
        color_system=system,
        legacy_windows=False,
        emoji=False,
        markup=False,
        highlight=False,
        _environ={},
    ).print(shown(report))
    return "".join(f"{line.rstrip()}\n" for line in said.getvalue().splitlines())


def shown(report: Report) -> RenderableType:
    """The table for a console of rich."""
    found = digest(report)
    parts: list[RenderableType] = [Text(line, style="dim") for line in (words.circumstances(found), *found.notes)]
    place = min(
        _WIDEST_PLACE, max((cell_len(line) for check in found.wrong for group in grouped(check.lines) for line in _names(group.places)), default=0)
    )
    for check in found.wrong:
        parts += [Text(), _heading(check), *_rows(check, place)]
    parts += list(_unchecked(found))
    parts += [Text(), _areas(found), Text(), Text(words.verdict(found), style=_STYLES[found.verdict] if found.checks else "bold")]
    return Stack(*parts)


def _heading(check: CheckLine) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(max_width=_WIDEST_NAME, overflow="fold")
    table.add_column(overflow="fold")
    name = Text.assemble((f"{words.SIGNS[check.mark]} {check.mark.value.upper()} ", _STYLES[check.mark]), (check.id, "bold"))
    table.add_row(name, Text(check.title))
    return table


def _rows(check: CheckLine, place: int) -> Iterable[RenderableType]:
    """Places with what was declared and found; the remedy once for all that share it."""
    groups = grouped(check.lines)
    for remedy, members in groupby(groups[:MOST], key=_remedy):
        table = Table.grid(padding=(0, 2, 0, 0), expand=False)
        table.add_column(width=place, overflow="fold")
        table.add_column(ratio=1, overflow="fold")
        declared = ""
        for group in members:
            table.add_row(Text("\n".join(_names(group.places)), style="bold"), _compared(group, again=group.declared == declared))
            declared = group.declared
        yield Padding(table, (0, 0, 0, 2))
        if remedy:
            yield _remedy_line(remedy)
    if len(groups) > MOST:
        places = [name for group in groups[MOST:] for name in group.places]
        yield Padding(Text(f"and {len(places)} more places, each with values of its own: {_named(places)}"), (0, 0, 0, 2))


def _remedy(group: Group) -> str:
    return group.remedy


def _compared(group: Group, *, again: bool) -> RenderableType:
    """Declared above found, so that both begin in the same column; not again what the row above says."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=8, style="dim")
    table.add_column(overflow="fold")
    if group.declared and not again:
        table.add_row("declared", Text(group.declared))
    table.add_row("found", Text(group.found, style=_STYLES[group.mark]))
    return table


def _remedy_line(remedy: str) -> RenderableType:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    table.add_row(Text("→", style="cyan"), Text(remedy, style="cyan"))
    return Padding(table, (0, 0, 0, 2))


def _unchecked(found: Digest) -> Iterable[RenderableType]:
    groups = unchecked(line for line in found.lines if line.mark is Mark.NOT_CHECKED)
    if not groups:
        return
    yield Text()
    yield Text(f"{words.SIGNS[Mark.NOT_CHECKED]} NOT CHECKED, which counts as not passed", style=_STYLES[Mark.NOT_CHECKED])
    for group in groups[:MOST]:
        checks = group.checks[0] if len(group.checks) == 1 else f"{len(group.checks)} checks: {', '.join(group.checks)}"
        yield Padding(Text.assemble((_named(group.places), "bold"), f"  {group.found}"), (0, 0, 0, 2))
        yield Padding(Text(checks, style="dim"), (0, 0, 0, 4))
        if group.remedy:
            yield Padding(_remedy_line(group.remedy), (0, 0, 0, 2))
    if len(groups) > MOST:
        places = {name for group in groups[MOST:] for name in group.places}
        yield Padding(Text(f"and for {len(groups) - MOST} more reasons at {_named(sorted(places))}"), (0, 0, 0, 2))


def _named(places: Sequence[str]) -> str:
    return ", ".join(_names(places))


def _names(places: Sequence[str]) -> list[str]:
    named = runs(places)
    shown_runs = named if len(named) <= MOST_RUNS else named[: MOST_RUNS - 1]
    more = sum(run.count for run in named[len(shown_runs) :])
    return [*map(str, shown_runs), *([f"{more} more"] if more else [])]


def _areas(found: Digest) -> RenderableType:
    """One line for each area; in one that passed, that is all there is to read."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for area in found.areas:
        checks = [check for check in found.checks if check.area == area]
        worst = min((check.mark for check in checks if check.mark is not Mark.SKIPPED), key=tuple(Mark).index, default=Mark.SKIPPED)
        said = words.counts(counted(checks))
        table.add_row(
            Text(words.SIGNS[worst], style=_STYLES[worst]), Text(words.area(area)), Text(said, style="" if worst is not Mark.SKIPPED else "dim")
        )
    return table
