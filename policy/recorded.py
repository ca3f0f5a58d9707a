"""A stack read from what the engine wrote for `pulumi preview --json --show-sames`, in either of its forms."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from policy.facts import ENVIRONMENT, HYPERVISOR, MACHINE
from policy.marks import INTERNAL, OF_SECRETS, SHOWN_SECRET, SIGNATURE, UNKNOWN_MARKS
from policy.model import UNKNOWN, Resource, Secret, Stack

_GOES: Final = frozenset({"delete", "delete-replaced", "discard", "discard-replaced", "remove-pending-replace"})
_FIRST: Final = (ENVIRONMENT, HYPERVISOR, MACHINE)
"""Components whose facts rules look up, in the order in which they are registered."""

Tree = Mapping[str, Any]


class RecordError(Exception):
    """The text does not say what a stack holds; the message is for people."""


def read(text: str) -> Stack:
    """The stack as it would be after the preview's `up`; what precedes the JSON (the CLI's notes) is passed over."""
    start = re.search(r"(?m)^\{", text)
    if start is None:
        raise RecordError("holds no JSON of `pulumi preview --json --show-sames`")
    body = text[start.start() :]
    try:
        first: Any = json.JSONDecoder().raw_decode(body)[0]
        if "sequence" in first and "timestamp" in first:
            return _stack(*_from_events(json.loads(line) for line in body.splitlines() if line.startswith("{")))
    except json.JSONDecodeError as error:
        raise RecordError(f"is no JSON: {error}") from None
    if not {"steps", "changeSummary"} <= first.keys():
        raise RecordError("is JSON, but no document of `pulumi preview --json --show-sames`")
    steps = [(str(step["op"]), str(step["urn"]), step.get("newState")) for step in first["steps"] or ()]
    return _stack(steps, first["changeSummary"] or {})


def _from_events(events: Iterable[Tree]) -> tuple[list[tuple[str, str, Tree | None]], Tree]:
    steps: list[tuple[str, str, Tree | None]] = []
    counts: Tree = {}
    for event in events:
        if found := event.get("resourcePreEvent"):
            metadata: Tree = found["metadata"]
            steps.append((str(metadata["op"]), str(metadata["urn"]), metadata.get("new")))
        elif found := event.get("summaryEvent"):
            counts = found.get("resourceChanges") or {}
    return steps, counts


def _stack(steps: Iterable[tuple[str, str, Tree | None]], counts: Tree) -> Stack:
    """Facts first, then everything in the order of the steps."""
    states = {urn: (op, state) for op, urn, state in steps if op not in _GOES and state}
    hidden = int(counts.get("same") or 0) - sum(op == "same" for op, _ in states.values())
    if hidden > 0:
        raise RecordError(
            f"leaves out {hidden} resources that do not change, by which others are judged; record it with `pulumi preview --json --show-sames`"
        )
    resources = [_resource(urn, state) for urn, (_, state) in states.items() if state]
    stack = Stack()
    for resource in (*_in_order(resources), *(other for other in resources if other.type not in _FIRST)):
        stack.add(resource)
    return stack


def _in_order(resources: Iterable[Resource]) -> Iterator[Resource]:
    known = tuple(resources)
    for kind in _FIRST:
        yield from (resource for resource in known if resource.type == kind)


def _resource(urn: str, state: Tree) -> Resource:
    provider = str(state.get("provider") or "")
    inputs = _plain(state.get("inputs") or {})
    return Resource(
        urn=urn,
        type=str(state["type"]),
        name=urn.rpartition("::")[2],
        inputs={key: value for key, value in inputs.items() if key not in INTERNAL},
        protect=bool(state.get("protect")),
        parent=str(state.get("parent") or ""),
        provider=provider.rpartition("::")[0],
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        tree = cast("Tree", value)
        if tree.get(SIGNATURE) == OF_SECRETS:
            return Secret(UNKNOWN)
        return {key: _plain(inner) for key, inner in tree.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, str):
        return UNKNOWN if value in UNKNOWN_MARKS else Secret(UNKNOWN) if value == SHOWN_SECRET else value
    return value
