"""What a program registered under the recorder (tests/components/recorder.py), as rules see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from google.protobuf.json_format import MessageToDict

from policy.marks import OF_SECRETS, SIGNATURE, UNKNOWN_MARKS
from policy.model import UNKNOWN, Resource, Secret, Stack


def stack_of(requests: Mapping[str, Any]) -> Stack:
    """All of them, in the order in which they came."""
    stack = Stack()
    for urn, request in requests.items():
        stack.add(
            Resource(
                urn=urn,
                type=request.type,
                name=request.name,
                inputs=plain(MessageToDict(request.object)),
                protect=request.protect,
                parent=request.parent,
                provider=str(request.provider).rpartition("::")[0],
            )
        )
    return stack


def plain(value: Any) -> Any:
    """A value with the SDK's marks read."""
    if isinstance(value, dict):
        tree = cast("dict[str, Any]", value)
        return Secret(plain(tree["value"])) if tree.get(SIGNATURE) == OF_SECRETS else {key: plain(inner) for key, inner in tree.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in cast("list[Any]", value)]
    return UNKNOWN if isinstance(value, str) and value in UNKNOWN_MARKS else value
