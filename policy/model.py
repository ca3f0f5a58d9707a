"""What rules look at: the resources that a stack registers, wherever they were read from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, cast


class Unknown(Enum):
    """A value that is known after `up` only."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True)
class Secret:
    """A value that the engine keeps encrypted."""

    value: Any = field(repr=False)


Path = tuple[str, ...]
NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource as it was registered."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    protect: bool = False
    parent: str = ""
    """URN; empty for the stack."""
    provider: str = ""
    """URN; empty where it has none."""

    def value(self, *path: str) -> Any:
        """An input, or one within it, whether secret or not; None where there is none, UNKNOWN where it or what holds it is not known yet."""
        found: Any = self.inputs
        for key in path:
            found = _open(found)
            if found is UNKNOWN:
                return UNKNOWN
            found = cast("Mapping[str, Any]", found).get(key) if isinstance(found, Mapping) else None
        return _open(found)

    def text(self, *path: str) -> str:
        """An input that is a text; empty where there is none or it is not known."""
        found = self.value(*path)
        return found if isinstance(found, str) else ""

    def number(self, *path: str) -> float:
        """An input that is a number; 0 where there is none or it is not known."""
        found = self.value(*path)
        return found if isinstance(found, int | float) and not isinstance(found, bool) else 0

    def tree(self, *path: str) -> Mapping[str, Any]:
        """An input that holds others; empty where there is none or it is not known."""
        return tree(self.value(*path))

    def each(self, *path: str) -> Sequence[Any]:
        """The entries of an input that is a list; none where there is none or it is not known."""
        return entries(self.value(*path))

    def leaves(self) -> Iterator[tuple[Path, Any]]:
        """Every value within the inputs with its path; a secret is one value and is not opened."""
        return _leaves((), self.inputs)


class Stack:
    """The resources that are known of, in the order of their registration."""

    def __init__(self) -> None:
        self._by_urn: dict[str, Resource] = {}
        self._by_type: dict[str, dict[str, int]] = {}

    def __contains__(self, urn: str) -> bool:
        return urn in self._by_urn

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._by_urn.values()))

    def add(self, resource: Resource) -> None:
        """One more; under a URN that is there already it takes that one's place."""
        place = self._by_type.setdefault(resource.type, {}).get(resource.urn, len(self._by_urn))
        self._by_urn[resource.urn] = resource
        self._by_type[resource.type][resource.urn] = place

    def get(self, urn: str) -> Resource | None:
        """The resource of this URN."""
        return self._by_urn.get(urn)

    def of_type(self, *types: str) -> Iterator[Resource]:
        """All of these types."""
        for kind in types:
            for urn in tuple(self._by_type.get(kind, ())):
                yield self._by_urn[urn]

    def before(self, resource: Resource, *types: str) -> Iterator[Resource]:
        """Those of these types that were registered before `resource`; of its own type where none is named."""
        own = self._by_type[resource.type][resource.urn]
        for kind in types or (resource.type,):
            for urn, place in tuple(self._by_type.get(kind, {}).items()):
                if place < own:
                    yield self._by_urn[urn]

    def above(self, resource: Resource, kind: str) -> Resource | None:
        """The nearest of this type that it belongs to."""
        parent = self.get(resource.parent)
        while parent is not None and parent.type != kind:
            parent = self.get(parent.parent)
        return parent


def tree(value: Any) -> Mapping[str, Any]:
    """The value, where it holds others by name; else nothing."""
    found = _open(value)
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else NOTHING


def entries(value: Any) -> Sequence[Any]:
    """The entries of the value, where it is a list; else none."""
    found = _open(value)
    return cast("Sequence[Any]", found) if isinstance(found, list | tuple) else ()


def _open(value: Any) -> Any:
    while isinstance(value, Secret):
        value = value.value
    return value


def _leaves(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, Any]", value).items():
            yield from _leaves((*path, key), inner)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(cast("Sequence[Any]", value)):
            yield from _leaves((*path, str(index)), inner)
    else:
        yield path, value
