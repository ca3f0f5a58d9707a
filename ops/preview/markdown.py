"""A summary as a comment of a pull or merge request."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from ops.preview import wording
from ops.preview.effects import Line, Run, Section, Severity
from ops.preview.summary import Summary

MOST_BYTES: Final = 65000
"""GitHub takes 65,536 characters in a comment; this many bytes are never more."""
DIFF_LEAST: Final = 200
MOST_LINES: Final = 60
"""Lines of one section."""
_SIGNS: Final = {Severity.REPLACEMENTS: "**", Severity.REFUSED: "**"}


def marker(stack: str) -> str:
    """The first line: what finds the comment again that is to be updated."""
    return f"<!-- underlay preview of {re.sub(r'[^A-Za-z0-9_./-]', '', stack)} -->"


def write(summary: Summary, diff: Iterable[str]) -> str:
    """The comment; of the diff as much as fits."""
    head = "\n".join(_head(summary))
    return head + _folded(diff, MOST_BYTES - len(head.encode()))


def _head(summary: Summary) -> Iterable[str]:
    yield marker(summary.stack)
    yield f"## Preview of {_code(summary.stack)}: {wording.TITLES[summary.severity]}"
    yield ""
    yield f"{wording.resources(summary)} · gate: {wording.gate(summary)}"
    if summary.refusals:
        yield from ("", "### Refused", "", "The preview is not whole: what follows is only what was looked at before.", "")
        yield from _fenced(summary.refusals)
    for section, lines in groupby(summary.lines, key=_section):
        yield from ("", f"### {section.value}", "")
        yield from _bounded([_line(line) for line in lines])
    costs = list(wording.costs(summary))
    if costs and not summary.refusals:
        yield from ("", "### Cost", "", *(f"- {line}" for line in costs))
    if not summary.refusals:
        yield from _outputs(summary)
    if summary.warnings:
        yield from ("", "<details><summary>Warnings of the program</summary>", "", *_fenced(summary.warnings), "", "</details>")
    yield ""


def _section(line: Line) -> Section:
    return line.section


def _line(line: Line) -> str:
    mark = _SIGNS.get(line.severity, "")
    subjects = ", ".join([*(_run(run) for run in line.shown), *([f"{line.more} more"] if line.more else [])])
    return f"- {mark}{subjects}{mark}: {_escaped(wording.cut(line.text))}"


def _run(run: Run) -> str:
    return _code(run.first) if run.count == 1 else f"{_code(run.first)} ... {_code(run.last)} ({run.count})"


def _outputs(summary: Summary) -> Iterable[str]:
    if summary.outputs is None:
        if summary.counts:
            yield from ("", f"Outputs: {wording.NO_OUTPUTS}.")
        return
    found = [f"- {_code(path)} {_escaped(text)}" for path, text in wording.outputs(summary)]
    if found:
        yield from ("", "### Outputs that applications see", "", *_bounded(found))


def _bounded(lines: Sequence[str]) -> Iterable[str]:
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"- and {len(lines) - MOST_LINES} more lines: see the diff"


def _fenced(lines: Sequence[str]) -> Iterable[str]:
    """Words of others as they are, so that nothing in them is read as markup."""
    shown = [wording.cut(line) if len(line) > 4 * wording.LONGEST else line for line in lines[:MOST_LINES]]
    fence = _fence(shown)
    yield f"{fence}text"
    yield from shown
    if len(lines) > MOST_LINES:
        yield f"... and {len(lines) - MOST_LINES} more lines"
    yield fence


def _fence(lines: Iterable[str]) -> str:
    longest = max((len(run) for line in lines for run in re.findall(r"`+", line)), default=0)
    return "`" * max(3, longest + 1)


def _folded(diff: Iterable[str], room: int) -> str:
    """The diff, folded, and cut where the comment is full."""
    shown: list[str] = []
    used, whole = DIFF_LEAST, True
    for line in diff:
        used += len(line.encode()) + 1
        if used > room:
            whole = False
            break
        shown.append(line)
    if not shown:
        return "" if whole else "\nThe diff does not fit: see `pulumi preview --diff`.\n"
    fence = _fence(shown)
    note = "" if whole else f"\nCut here: a comment holds {MOST_BYTES} bytes. All of it: `pulumi preview --diff`.\n"
    return "\n".join(["", "<details><summary>Full diff</summary>", "", f"{fence}diff", *shown, fence, note, "</details>", ""])


def _code(text: str) -> str:
    """Inline code, whatever is in it."""
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    return f"{fence}{text}{fence}" if fence == "`" else f"{fence} {text} {fence}"


def _escaped(text: str) -> str:
    """Our own words with values of others in them: no markup, and nobody is mentioned. Commands that we name stay inline code."""
    parts = re.split(r"(`up`|`kubeconfig`|`pulumi [^`]*`)", text)
    return "".join(part if number % 2 else _harmless(part) for number, part in enumerate(parts))


def _harmless(text: str) -> str:
    # a backslash keeps no name from being mentioned: GitHub looks for them when the page is made
    return re.sub(r"([@#])", "\\1\u200b", re.sub(r"([\\`*_<>\[\]|~])", r"\\\1", text))
