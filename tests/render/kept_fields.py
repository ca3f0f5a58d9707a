"""What an API server did not keep of an object."""

from typing import Any, cast


def lost(sent: Any, kept: Any, path: str = "") -> list[str]:
    """Paths of what was sent and is not there unchanged; what the server added is no loss."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        there = cast("dict[str, Any]", kept)
        return [loss for key, value in cast("dict[str, Any]", sent).items() for loss in lost(value, there.get(key, "(nothing)"), f"{path}.{key}")]
    if isinstance(sent, list) and isinstance(kept, list):
        ones, others = cast("list[Any]", sent), cast("list[Any]", kept)
        if len(ones) == len(others):
            pairs = zip(ones, others, strict=True)
            return [loss for index, (one, other) in enumerate(pairs) for loss in lost(one, other, f"{path}[{index}]")]
    return [] if (sent, _type(sent)) == (kept, _type(kept)) else [f"{path}: {sent!r} became {kept!r}"]


def _type(value: Any) -> str:
    return type(value).__name__  # True is no 1
