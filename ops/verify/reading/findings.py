"""Findings, said briefly."""

from collections.abc import Iterable

from ops.verify.model import Figure, Finding, Status

MOST = 3
"""Places that one finding names before it counts the others."""


def passed(check: str, where: str, declared: str, found: str, *figures: Figure) -> Finding:
    """It is as declared."""
    return Finding(check=check, where=where, status=Status.PASSED, declared=declared, found=found, figures=figures)


def failed(check: str, where: str, declared: str, found: str, remedy: str, *figures: Figure) -> Finding:
    """It is not as declared."""
    return Finding(check=check, where=where, status=Status.FAILED, declared=declared, found=found, remedy=remedy, figures=figures)


def skipped(check: str, where: str, why: str) -> Finding:
    """Nothing is declared that it is about."""
    return Finding(check=check, where=where, status=Status.SKIPPED, found=why)


def several(things: Iterable[str], most: int = MOST) -> str:
    """Some of them by name, the others by number."""
    names = list(things)
    rest = len(names) - most
    return "; ".join(names[:most]) + (f"; and {rest} more" if rest > 0 else "")


def counted(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
