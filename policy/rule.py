"""What a rule is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from policy.model import Resource, Stack

Level = Literal["mandatory", "advisory", "disabled"]
"""`mandatory` refuses the preview and, with the engine, the `up`; `advisory` warns; `disabled` is not asked."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One demand on a stack."""

    id: str
    """Its name in stack files and in messages."""
    level: Level
    """Where a stack file says nothing else."""
    demand: str
    """What must be, in one sentence; the engine shows it above each message."""
    reason: str
    """Why."""
    source: str
    """Who says so."""
    judge: Callable[[Resource, Stack], Iterable[str]]
    """What is wrong with one resource, beside those that were registered before it: value, limit, remedy; never a secret."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One thing that is wrong."""

    rule: Rule
    urn: str
    name: str
    """Of the resource."""
    message: str
