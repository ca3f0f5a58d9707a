"""Stand-ins driven without an engine: the calls it would make, and what handlers log."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lab.plugins.base import Call, Path, Properties, Resource, State

Answer = TypeVar("Answer")


@dataclass
class Log:
    """What handlers sent to the engine."""

    messages: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    statuses: list[str] = field(default_factory=list[str])

    def call(self, secrets: frozenset[Path] = frozenset(), timeout_s: float = 0) -> Call:
        """A call that logs here."""

        async def log(severity: str, message: str) -> None:
            self.messages.append((severity, message))

        async def status(message: str) -> None:
            self.statuses.append(message)

        return Call(urn="urn:pulumi:test::p::t:m:T::name", timeout_s=timeout_s, log=log, status=status, secrets=secrets)


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    """The coroutine's result."""
    return asyncio.run(work)


def checked(resource: Resource, inputs: Properties) -> Properties:
    """The inputs as `check` completes them; it must find nothing wrong."""
    complete, failures = resource.check(inputs, {})
    assert not failures
    return complete


def refusals(resource: Resource, inputs: Properties) -> list[str]:
    """What `check` finds wrong."""
    return [f"{failure.property}: {failure.reason}" for failure in resource.check(inputs, {})[1]]


def created(resource: Resource, inputs: Properties, log: Log | None = None) -> State:
    """The resource after check and create, with its inputs beside it as the engine keeps them."""
    complete = checked(resource, inputs)
    state = run(resource.create((log or Log()).call(), complete))
    return State(state.id, state.outputs, complete)


def replaced_by(resource: Resource, old: State, inputs: Properties) -> set[str]:
    """The inputs whose change would replace the resource; "" for none of a change in place."""
    difference = resource.diff(old, checked(resource, inputs))
    if not difference.changes:
        return set()
    return {str(path[0]) for path in difference.replaces} or {""}
