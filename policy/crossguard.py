"""Rules as policies of a pack: the engine hands on one resource after the other, before anything is done with it.

Rules see inputs, because outputs come too late (a pack hears of them when `up` has made everything) and a component's inputs are not among
them. What was registered before is kept, so a rule can compare: a machine with a CPU of another is refused before it is made.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

from policy.marks import INTERNAL, UNKNOWN_MARKS
from policy.model import UNKNOWN, Resource, Secret, Stack
from policy.rule import Rule

_TARGET = "__target"
"""By this key pulumi-policy's wrappers of inputs give what they wrap."""


class Options(Protocol):
    """What pulumi-policy tells of a resource's options."""

    @property
    def protect(self) -> bool: ...  # noqa: D102 - as Pulumi calls it
    @property
    def parent(self) -> str | None: ...  # noqa: D102


class Provider(Protocol):
    """What it tells of a resource's provider."""

    @property
    def urn(self) -> str: ...  # noqa: D102


class Registration(Protocol):
    """What it tells of a resource: its ResourceValidationArgs."""

    @property
    def resource_type(self) -> str: ...  # noqa: D102
    @property
    def props(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def urn(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def opts(self) -> Options: ...  # noqa: D102
    @property
    def provider(self) -> Provider | None: ...  # noqa: D102


Report = Callable[[str], None]


class Registrations:
    """What the engine has registered in this run."""

    def __init__(self, secret: type) -> None:
        """`secret` is pulumi-policy's class of values that are marked."""
        self._secret = secret
        self._stack = Stack()
        self._asked: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def policy(self, rule: Rule) -> Callable[[Registration, Report], None]:
        """The rule as a policy's validation."""

        def validate(args: Registration, report: Report) -> None:
            with self._lock:
                for message in rule.judge(self._resource(rule, args), self._stack):
                    report(message)

        return validate

    def _resource(self, rule: Rule, args: Registration) -> Resource:
        """The resource, read once for all rules; the same rule asking again means that it was registered again."""
        asked = self._asked.setdefault(args.urn, set())
        found = self._stack.get(args.urn)
        if found is None or rule.id in asked:
            asked.clear()
            found = self._read(args)
            self._stack.add(found)
        asked.add(rule.id)
        return found

    def _read(self, args: Registration) -> Resource:
        inputs = self._plain(args.props)
        return Resource(
            urn=args.urn,
            type=args.resource_type,
            name=args.name,
            inputs={key: value for key, value in inputs.items() if key not in INTERNAL},
            protect=args.opts.protect,
            parent=args.opts.parent or "",
            provider=args.provider.urn if args.provider is not None else "",
        )

    def _plain(self, value: Any) -> Any:
        """The value without wrappers; secrets stay marked, and what is not known becomes UNKNOWN."""
        if isinstance(value, self._secret):
            return Secret(self._plain(value.value))
        if isinstance(value, Mapping):
            bare = cast("Mapping[str, Any]", value)
            return {key: self._plain(inner) for key, inner in bare.items()} if isinstance(value, dict) else self._plain(bare[_TARGET])
        if isinstance(value, str):
            return UNKNOWN if value in UNKNOWN_MARKS else value
        if isinstance(value, Sequence):
            bare_list = cast("Any", value)
            return [self._plain(inner) for inner in bare_list] if isinstance(value, list) else self._plain(bare_list[_TARGET])
        return value
