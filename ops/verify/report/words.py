"""Sentences and numbers that all forms of a report have in common."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from ops.verify.report.model import Digest, Mark

AREAS: Final = {
    "services": "Services",
    "pods": "Pods",
    "conntrack": "Connection tracking",
    "nodes": "Nodes",
    "machines": "Machines",
    "ingress": "Ingress",
    "dependencies": "Dependencies",
    "residency": "Residency",
}
SIGNS: Final = {Mark.FAILED: "✗", Mark.NOT_CHECKED: "?", Mark.WARNING: "!", Mark.PASSED: "✓", Mark.SKIPPED: "–"}  # noqa: RUF001 - a dash, and no hyphen
_EXPONENT_FROM: Final = 1e15
_WHOLE_FROM: Final = 1000


def area(name: str) -> str:
    """The area as a heading."""
    return AREAS.get(name, name)


def verdict(found: Digest) -> str:
    """`oslo: 2 of 41 checks failed, 1 could not look everywhere`."""
    asked = sum(check.mark is not Mark.SKIPPED for check in found.checks)
    if not asked:
        return f"{found.environment}: no check applies"
    checks = "check" if asked == 1 else "checks"
    if found.verdict is Mark.PASSED:
        return f"{found.environment}: {'the one check' if asked == 1 else f'all {asked} checks'} passed"
    phrases = {Mark.FAILED: "failed", Mark.NOT_CHECKED: "could not look everywhere", Mark.WARNING: "warned"}
    first, *more = [f"{found.marks[mark]}{{}} {phrase}" for mark, phrase in phrases.items() if mark in found.marks]
    return f"{found.environment}: {', '.join([first.format(f' of {asked} {checks}'), *(part.format('') for part in more)])}"


def circumstances(found: Digest) -> str:
    """`12 nodes, 2026-11-23 15:40:07 UTC, 42.3 s`, and the stack where it is called differently."""
    stack = [] if found.stack == found.environment else [f"stack {found.stack}"]
    nodes = f"{found.nodes} {'node' if found.nodes == 1 else 'nodes'}"
    return ", ".join([*stack, nodes, f"{moment(found.started_s):%Y-%m-%d %H:%M:%S} UTC", f"{found.seconds:.1f} s"])


def moment(seconds: float) -> datetime:
    """The time to the second."""
    return datetime.fromtimestamp(int(seconds), UTC)


def counts(counted: Mapping[Mark, int]) -> str:
    """`2 failed, 9 passed`."""
    return ", ".join(f"{count} {'warnings' if mark is Mark.WARNING and count > 1 else mark.value}" for mark, count in counted.items())


def number(value: float) -> str:
    """A number for people: three digits that count, thousands apart, no exponent before it is needed."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    if abs(value) >= _EXPONENT_FROM:
        return f"{value:.3g}"
    if value == int(value) or abs(value) >= _WHOLE_FROM:
        return f"{value:,.0f}"
    shown = f"{value:.3g}"
    return f"{value:.6f}".rstrip("0") if "e" in shown and abs(value) >= 1e-6 else shown


def quantity(value: float, unit: str) -> str:
    """A number with its unit: `1.4 ms`, `87%`."""
    return f"{number(value)}{'' if unit in ('', '%') else ' '}{unit}"
