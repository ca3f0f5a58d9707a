"""Sentences that every form of a summary has in common."""

from collections.abc import Iterator
from typing import Final

from ops.preview import measured
from ops.preview.cost import minutes
from ops.preview.effects import Severity
from ops.preview.summary import Summary
from ops.preview.values import MISSING, UNKNOWN, Difference, plain

TITLES: Final = {
    Severity.NOTHING: "nothing changes",
    Severity.IN_PLACE: "changes in place",
    Severity.RESTARTS: "something restarts",
    Severity.REPLACEMENTS: "something is replaced or removed",
    Severity.REFUSED: "refused",
}
GATES: Final = {
    Severity.NOTHING: "nothing",
    Severity.IN_PLACE: "in-place",
    Severity.RESTARTS: "restarts",
    Severity.REPLACEMENTS: "replacements",
    Severity.REFUSED: "refused",
}
"""Names of the exit codes."""
NO_OUTPUTS: Final = "not in this form of the engine's JSON; set PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true to have them"
LONGEST: Final = 300
"""Characters of one line of a summary."""


def gate(summary: Summary) -> str:
    """`replacements (exit code 30)`."""
    return f"{GATES[summary.severity]} (exit code {int(summary.severity)})"


def resources(summary: Summary) -> str:
    """How many resources come, change and go."""
    total = sum(count for _, count in summary.counts)
    parts = ", ".join(f"{count} {word}" for word, count in summary.counts)
    return f"{total} resource{'' if total == 1 else 's'}: {parts}" if parts else "no resource changes"


def costs(summary: Summary) -> Iterator[str]:
    """What it takes, and where the figures are from."""
    cost = summary.cost
    if not cost.lines:
        return
    yield from cost.lines
    yield f"about {minutes(cost.expected_s)}, by {measured.WHERE}"
    if cost.at_most_s is not None:
        yield f"at most {minutes(cost.at_most_s)} for the machines by the stack's own timeouts (cluster.timeouts), then `up` says what failed"


def outputs(summary: Summary) -> Iterator[tuple[str, str]]:
    """Path of an output and what of it changes."""
    for item in summary.outputs or ():
        yield item.path, _change(item)


def _change(item: Difference) -> str:
    if item.hidden:
        return "changes (secret)"
    if item.before == MISSING:
        text = f"new: {plain(item.after)}"
    elif item.after == MISSING:
        text = f"goes, it was {plain(item.before)}"
    else:
        text = str(item)
    return cut(text.replace(UNKNOWN, "known after `up`"))


def cut(text: str) -> str:
    """The text on one line of bounded length."""
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST else f"{flat[:LONGEST]}…"
