"""The policy pack: `pulumi preview --policy-pack policy`. It runs in its own virtual environment (requirements.txt)."""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pulumi-policy pins an older protobuf than Pulumi's SDK in the checkout's environment: the two cannot share one.

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi_policy
from pulumi_policy import policy as library

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policy.crossguard import Registrations
from policy.rules import RULES

URL = "docs/policies.md"


def marked(read: Any) -> Any:
    """The library's reader of inputs, told to keep the marks of secrets: it drops them for validations and keeps them for remediations."""

    def with_marks(inputs: Mapping[str, Any], proxy_secrets: bool = True) -> Any:  # noqa: FBT001, FBT002 - the library's own signature
        del proxy_secrets
        return read(inputs, True)  # noqa: FBT003

    return with_marks


def main() -> None:
    """Serve the rules until the engine closes the pack."""
    library.deserialize_properties = marked(library.deserialize_properties)
    registrations = Registrations(pulumi_policy.Secret)
    pulumi_policy.PolicyPack(
        name="underlay",
        enforcement_level=pulumi_policy.EnforcementLevel.MANDATORY,
        policies=[
            pulumi_policy.ResourceValidationPolicy(
                name=rule.id,
                description=rule.demand,
                enforcement_level=pulumi_policy.EnforcementLevel(rule.level),
                validate=registrations.policy(rule),
                url=f"{URL}#{rule.id}",
            )
            for rule in RULES
        ],
    )


main()
