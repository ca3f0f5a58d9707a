"""What rules found, for people and for programs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from policy.rule import Level, Rule, Violation
from policy.rules import RULES, level_of

CODES: Final[Mapping[Literal["nothing", "advised", "refused"], int]] = {"nothing": 0, "advised": 10, "refused": 40}
"""As those of preview-summary: 40 is a refusal."""
PAGE: Final = "docs/policies.md"


@dataclass(frozen=True, kw_only=True)
class Held:
    """A record that was held against the rules."""

    violations: tuple[Violation, ...]
    levels: Mapping[str, Level]
    errors: tuple[str, ...]
    """Why its preview failed; what that did not come to is not in the record."""

    def of(self, rule: Rule) -> tuple[Violation, ...]:
        """What one rule found, in the order of the record."""
        return tuple(item for item in self.violations if item.rule is rule)

    @property
    def broken(self) -> list[Rule]:
        """Rules that found something, those that refuse first."""
        found = [rule for rule in RULES if self.of(rule)]
        return sorted(found, key=lambda rule: level_of(rule, self.levels) != "mandatory")

    @property
    def refused(self) -> int:
        """How often a rule found something that refuses."""
        return sum(level_of(item.rule, self.levels) == "mandatory" for item in self.violations)


def exit_code(held: Held) -> int:
    """The worst decides; a record that is not whole is never right."""
    if held.refused or held.errors:
        return CODES["refused"]
    return CODES["advised"] if held.violations else CODES["nothing"]


def as_text(held: Held) -> str:
    """Each rule that found something with all that it found, refusals first."""
    return "\n".join(_lines(held)) + "\n"


def _lines(held: Held) -> Iterator[str]:
    yield _summary(held)
    for rule in held.broken:
        yield from ("", f"[{level_of(rule, held.levels)}] {rule.id}: {rule.demand}")
        yield from (f"  - {_told(item)}" for item in held.of(rule))
    if held.errors:
        yield from ("", "The preview failed, so the record may not hold everything:")
        yield from (f"  {line}" for error in held.errors for line in error.splitlines())
    if held.violations:
        yield from ("", f"Reasons and sources: {PAGE}")


def _told(item: Violation) -> str:
    """The message, after its resource where it does not begin with that."""
    return item.message if item.message.startswith((f"{item.name}:", f"{item.name} ")) else f"{item.name}: {item.message}"


def as_json(held: Held) -> str:
    """One document."""
    entries = [
        {
            "rule": rule.id,
            "level": level_of(rule, held.levels),
            "resource": item.name,
            "urn": item.urn,
            "demand": rule.demand,
            "message": item.message,
        }
        for rule in held.broken
        for item in held.of(rule)
    ]
    levels = {rule.id: level_of(rule, held.levels) for rule in RULES}
    return json.dumps({"levels": levels, "violations": entries, "errors": list(held.errors)}, indent=2) + "\n"


def _summary(held: Held) -> str:
    off = [rule.id for rule in RULES if level_of(rule, held.levels) == "disabled"]
    asked = f"{len(RULES) - len(off)} rules asked" + (f", {len(off)} switched off ({', '.join(off)})" if off else "")
    found = len(held.violations)
    return f"{asked}: {f'{held.refused} refused, {found - held.refused} advised' if found else 'nothing to say'}"
