"""A summary for a terminal or a log."""

from collections.abc import Iterable
from itertools import groupby

from ops.preview import wording
from ops.preview.effects import Line, Section
from ops.preview.summary import Summary


def write(summary: Summary) -> str:
    """The summary without the diff."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(summary: Summary) -> Iterable[str]:
    yield f"Preview of {summary.stack}: {wording.TITLES[summary.severity]}"
    yield f"{wording.resources(summary)}; gate: {wording.gate(summary)}"
    if summary.refusals:
        yield from ("", "Refused (the preview is not whole):", *(f"  {line}" for line in summary.refusals))
    for section, lines in groupby(summary.lines, key=_section):
        yield from ("", f"{section.value}:", *(f"  {line.subjects}: {wording.cut(line.text)}" for line in lines))
    costs = list(wording.costs(summary))
    if costs and not summary.refusals:
        yield from ("", "Cost:", *(f"  {line}" for line in costs))
    if summary.outputs and not summary.refusals:
        yield from ("", "Outputs that applications see:", *(f"  {path} {text}" for path, text in wording.outputs(summary)))
    elif summary.outputs is None and summary.counts and not summary.refusals:
        yield from ("", f"Outputs: {wording.NO_OUTPUTS}")
    if summary.warnings:
        yield from ("", "Warnings:", *(f"  {line}" for line in summary.warnings))


def _section(line: Line) -> Section:
    return line.section
