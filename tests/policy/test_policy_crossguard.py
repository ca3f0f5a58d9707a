"""The engine's registrations as rules see them: wrappers, marks and order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from policy.crossguard import Registrations
from policy.model import UNKNOWN, Resource, Secret, Stack
from policy.rule import Rule
from policy.rules import RULES
from tests.policy.defects import DEFECTS, broken
from tests.policy.stacks import Program, Registration, good, urn_of

UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@dataclass
class Marked:
    """Stands for pulumi_policy.Secret."""

    value: Any


class TreeWrapper(Mapping[str, Any]):
    """As pulumi-policy wraps inputs: entries are opened, `__target` is what is wrapped."""

    def __init__(self, target: dict[str, Any]) -> None:
        self._target = target

    def __getitem__(self, key: str) -> Any:
        return self._target if key == "__target" else self._target[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._target)

    def __len__(self) -> int:
        return len(self._target)


class ListWrapper(Sequence[Any]):
    """The same for lists."""

    def __init__(self, target: list[Any]) -> None:
        self._target = target

    def __getitem__(self, key: Any) -> Any:
        return self._target if key == "__target" else self._target[key]

    def __len__(self) -> int:
        return len(self._target)


@dataclass
class Options:
    protect: bool = False
    parent: str | None = None


@dataclass
class Provider:
    urn: str


@dataclass
class Arguments:
    """Stands for ResourceValidationArgs."""

    resource_type: str
    urn: str
    name: str
    props: Mapping[str, Any]
    opts: Options = field(default_factory=Options)
    provider: Provider | None = None


def wrapped(value: Any) -> Any:
    if isinstance(value, dict):
        tree = cast("dict[str, Any]", value)
        return Marked(wrapped(tree["secret"])) if list(tree) == ["secret"] else TreeWrapper({key: wrapped(inner) for key, inner in tree.items()})
    return ListWrapper([wrapped(inner) for inner in cast("list[Any]", value)]) if isinstance(value, list) else value


def arguments(item: Registration, program: Program) -> Arguments:
    options = Options(item.protect, urn_of(item.parent, program) or None)
    provider = Provider(urn_of(item.provider, program)) if item.provider else None
    return Arguments(item.type, urn_of(item.name, program), item.name, wrapped(item.inputs), options, provider)


def refused(program: Program) -> list[tuple[str, str]]:
    """Rules and names of resources, asked one after the other as the engine does."""
    registrations, found = Registrations(Marked), list[tuple[str, str]]()
    policies = {rule.id: registrations.policy(rule) for rule in RULES}
    for item in program.values():
        for rule, validate in policies.items():
            validate(arguments(item, program), lambda _, rule=rule, item=item: found.append((rule, item.name)))
    return found


def test_a_stack_that_is_right_is_refused_nothing() -> None:
    assert refused(good()) == []


def test_every_defect_is_refused_where_it_is_registered() -> None:
    assert sorted(refused(broken(*DEFECTS))) == sorted((defect.rule, defect.on) for defect in DEFECTS)


def test_marks_survive_and_wrappers_do_not() -> None:
    seen: list[Resource] = []

    def judge(resource: Resource, stack: Stack) -> list[str]:
        del stack
        seen.append(resource)
        return []

    rule = Rule(id="any", level="mandatory", demand="", reason="", source="", judge=judge)
    props = TreeWrapper(
        {"a": Marked(TreeWrapper({"b": UNKNOWN_TEXT})), "c": ListWrapper([1, UNKNOWN_TEXT, Marked("x")]), "__defaults": ListWrapper([])}
    )
    Registrations(Marked).policy(rule)(Arguments("a:b:C", "urn:1", "one", props), lambda _: None)
    assert seen[0].inputs == {"a": Secret({"b": UNKNOWN}), "c": [1, UNKNOWN, Secret("x")]}
    assert seen[0].value("a", "b") is UNKNOWN


def test_a_resource_that_is_registered_again_is_read_again() -> None:
    seen: list[str] = []

    def judge(resource: Resource, stack: Stack) -> list[str]:
        seen.append(resource.text("a") + str(len(list(stack))))
        return []

    registrations = Registrations(Marked)
    rules = [Rule(id=name, level="mandatory", demand="", reason="", source="", judge=judge) for name in ("one", "two")]
    policies = [registrations.policy(rule) for rule in rules]
    for value in ("old", "new"):
        for validate in policies:
            validate(Arguments("a:b:C", "urn:1", "one", TreeWrapper({"a": value})), lambda _: None)
    assert seen == ["old1", "old1", "new1", "new1"]
