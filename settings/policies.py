"""How strictly an environment is held to the rules of policy/."""

import difflib
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from settings.base import Settings
from settings.forms import Words, wrong_form

RULES: Final = (
    "no-encapsulation",
    "cpu-overcommit",
    "cpu-pins",
    "control-plane-nvme",
    "conntrack-load",
    "proxy-mode",
    "residency-machines",
    "residency-sources",
    "residency-state",
    "residency-dependencies",
    "public-address",
    "ssh-host-keys",
    "secrets",
    "protection",
    "images-by-digest",
    "retired-software",
)
"""Rules by their ids; what each demands, and why: docs/policies.md."""


def _rule(value: str) -> str:
    if value not in RULES:
        close = difflib.get_close_matches(value, RULES, 1)
        raise wrong_form("expected the id of a rule (docs/policies.md)", f"write {close[0]}" if close else f"write one of: {', '.join(RULES)}")
    return value


RuleId = Annotated[str, AfterValidator(_rule), Words("rule")]


class Policies(Settings):
    """The rules that previews are held to. A change alters nothing that runs."""

    levels: dict[RuleId, Literal["mandatory", "advisory", "disabled"]] = Field(default={})
    """Level of a rule where it is not the rule's own (docs/policies.md): `mandatory` refuses, `advisory` warns, `disabled` is not asked."""
