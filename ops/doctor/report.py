"""What doctor found, as lines for people or as JSON, and the exit code that stands for it."""

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ops.doctor.model import Finding
from ops.verify.model import Status

WIDTH = 100
"""Columns where nobody says how many there are."""
LEAST = 60
"""Columns below which it cannot be read."""
MOST = 140
"""Columns above which lines are too long to read."""
MARKS = {"error": ("✗", "bold red"), "warning": ("!", "bold yellow"), "not checked": ("?", "bold magenta"), "ok": ("✓", "green")}
"""Each mark's sign and style, the worst first."""
VERDICTS = {
    0: "Nothing stands in the way of `pulumi up`.",
    10: "`pulumi up` works; the warnings make the result slower or less safe.",
    20: "What was not checked may stop `pulumi up`.",
    30: "Mend the errors before `pulumi up`.",
}


def mark(finding: Finding) -> str:
    """One word for a finding."""
    if finding.status is Status.PASSED:
        return "ok"
    return "not checked" if finding.status is Status.NOT_CHECKED else finding.severity


def exit_code(findings: Sequence[Finding]) -> int:
    """0: all is well; 10: warnings alone; 20: something that can stop `up` could not be checked; 30: an error. No crash (1) or misuse (2) looks so."""
    codes = {Status.PASSED: (0, 0), Status.NOT_CHECKED: (10, 20)}
    return max((codes.get(finding.status, (10, 30))[finding.severity == "error"] for finding in findings), default=0)


def as_json(stack: str, findings: Sequence[Finding]) -> str:
    """One document with every finding."""
    counts = Counter(mark(finding) for finding in findings)
    document = {
        "stack": stack,
        "exit_code": exit_code(findings),
        "counts": {name: counts[name] for name in MARKS},
        "findings": [asdict(finding) for finding in findings],
    }
    return f"{json.dumps(document, indent=2)}\n"


def as_text(findings: Sequence[Finding], *, every: bool, colour: bool, width: int = WIDTH) -> str:
    """What is wrong, the worst first; with `every` then a line for each thing that is well. The last line counts."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=colour, color_system="standard" if colour else None, legacy_windows=False, _environ={})
    ranks = list(MARKS)
    for finding in sorted((each for each in findings if each.status is not Status.PASSED), key=lambda each: ranks.index(mark(each))):
        for part in _wrong(finding):
            console.print(part)
        console.print()
    if every:
        console.print(_well([finding for finding in findings if finding.status is Status.PASSED]))
        console.print()
    console.print(Text(_summary(findings)))
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def _wrong(finding: Finding) -> Iterator[RenderableType]:
    name = mark(finding)
    sign, style = MARKS[name]
    yield Text.assemble((f"{sign} {name.upper()} ", style), (finding.id, "bold"), f"  {finding.where}")
    rows = {"declared": finding.declared, "found": finding.found, "limit": finding.limit if finding.limit not in finding.found else ""}
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=8, style="dim")
    table.add_column(overflow="fold")
    for word, text in rows.items():
        if text:
            table.add_row(word, Text(text))
    if finding.remedy:
        table.add_row(Text("→", style="cyan", justify="right"), Text(finding.remedy, style="cyan"))
    yield Padding(table, (0, 0, 0, 2))


def _well(findings: Sequence[Finding]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in ("sign", "id", "where"):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    sign, style = MARKS["ok"]
    for finding in findings:
        table.add_row(
            Text(sign, style=style), Text(finding.id), Text(finding.where), Text("; ".join(filter(None, (finding.declared, finding.found))))
        )
    return table


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(mark(finding) for finding in findings)
    parts = [f"{counts[name]} {name}{'s' if name in ('error', 'warning') and counts[name] != 1 else ''}" for name in MARKS]
    return f"{', '.join(parts)}. {VERDICTS[exit_code(findings)]}"
