"""All rules."""

from collections.abc import Iterator, Mapping
from typing import Final

from policy.model import Stack
from policy.rule import Level, Rule, Violation
from policy.rules import access, conntrack, cpus, encapsulation, images, protection, proxy_mode, residency, secrets, storage

RULES: Final[tuple[Rule, ...]] = (
    encapsulation.RULE,
    *cpus.RULES,
    storage.RULE,
    conntrack.RULE,
    proxy_mode.RULE,
    *residency.RULES,
    *access.RULES,
    secrets.RULE,
    protection.RULE,
    *images.RULES,
)
NO_LEVELS: Final[Mapping[str, Level]] = {}


def level_of(rule: Rule, levels: Mapping[str, Level]) -> Level:
    """The level of a rule in a stack whose file says `levels`."""
    return levels.get(rule.id, rule.level)


def violations(stack: Stack, levels: Mapping[str, Level] = NO_LEVELS) -> Iterator[Violation]:
    """Everything that is wrong with a stack all of which is known, without the rules that are switched off."""
    asked = [rule for rule in RULES if level_of(rule, levels) != "disabled"]
    for resource in stack:
        for rule in asked:
            for message in rule.judge(resource, stack):
                yield Violation(rule=rule, urn=resource.urn, name=resource.name, message=message)
