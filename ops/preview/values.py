"""Values of resources as the engine shows them: secrets stay masked, and how two of them differ."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

SECRET: Final = "[secret]"  # noqa: S105 - the mark, not a secret
"""What the engine writes for a secret."""
UNKNOWN: Final = "[unknown]"
MISSING: Final = "[none]"
_UNKNOWN_MARKS: Final = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""What the engine writes for a value that is known after the update only (sdk/go/common/resource/plugin/rpc.go)."""
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_OF_SECRETS: Final = "1b47061264138c4ac30d75fd1eb44270"
"""How the engine marks a secret in a state (sdk/go/common/resource/sig)."""
_PRIVATE: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_INTERNAL: Final = frozenset({"__internal", "__defaults"})


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One value that differs. Where either side is secret, both are."""

    path: str
    before: Any
    after: Any

    @property
    def hidden(self) -> bool:
        """Whether nothing may be said of the values."""
        return SECRET in (self.before, self.after)

    def __str__(self) -> str:
        """`1536 → 1792`, or as much as may be said."""
        if self.hidden:
            return "a secret"
        return f"{plain(self.before)} → {plain(self.after)}"


def plain(value: object) -> str:
    """A value on one line."""
    if value == MISSING:
        return "none"
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return ", ".join(plain(item) for item in cast("list[Any]", value)) or "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(inner)}" for key, inner in cast("dict[str, Any]", value).items()) or "nothing"
    return str(value)


def masked(value: Any) -> Any:
    """The value with plain marks for what is unknown, and nothing in it that looks like a private key."""
    if isinstance(value, dict):
        tree = cast("dict[str, Any]", value)
        if tree.get(_SIGNATURE) == _OF_SECRETS:  # the stream wraps a secret, whatever it holds
            return SECRET
        return {key: masked(inner) for key, inner in tree.items() if key not in _INTERNAL}
    if isinstance(value, list):
        return [masked(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, str):
        if value in _UNKNOWN_MARKS:
            return UNKNOWN
        return SECRET if _PRIVATE.search(value) else value
    return value


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """All values that differ, by their paths as the engine writes them."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key, MISSING), new.get(key, MISSING), _below(path, key))
    elif isinstance(before, list) and isinstance(after, list):
        first, second = cast("list[Any]", before), cast("list[Any]", after)
        for index in range(max(len(first), len(second))):
            yield from differences(_at(first, index), _at(second, index), f"{path}[{index}]")
    elif SECRET in (before, after):
        yield Difference(path=path, before=SECRET, after=SECRET)
    elif _holds_secret(before) or _holds_secret(after):
        yield Difference(path=path, before=_hidden(before), after=_hidden(after))
    else:
        yield Difference(path=path, before=before, after=after)


def _below(path: str, key: str) -> str:
    name = f'["{key}"]' if not re.fullmatch(r"[\w-]+", key) else key
    return f"{path}{'' if name.startswith('[') or not path else '.'}{name}"


def _at(items: Sequence[Any], index: int) -> Any:
    return items[index] if index < len(items) else MISSING


def _holds_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_secret(inner) for inner in cast("Mapping[str, Any]", value).values())
    if isinstance(value, list):
        return any(_holds_secret(inner) for inner in cast("list[Any]", value))
    return value == SECRET


def _hidden(value: Any) -> Any:
    return MISSING if value == MISSING else SECRET


def at(value: Any, path: str) -> Any:
    """What stands at a dotted path of names and list positions; None where there is nothing."""
    for part in path.split("."):
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value).get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[int(part)]
        else:
            return None
    return value


def text_at(value: Any, path: str) -> str:
    """The text at a path; empty where there is none, or nothing is known of it."""
    found = at(value, path)
    return found if isinstance(found, str) and found not in (SECRET, UNKNOWN) else ""
