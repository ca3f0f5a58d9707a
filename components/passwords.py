"""Passwords of BGP sessions: the stack's secret map underlay:bgp_passwords, never settings."""

from collections.abc import Mapping
from typing import Any, Final, cast

import pulumi

from plan import Plan

KEY: Final = "bgp_passwords"
MOST_BYTES: Final = 80
"""What the kernel takes for TCP MD5 (TCP_MD5SIG_MAXKEYLEN)."""


class PasswordError(Exception):
    """A password is missing or cannot be one; the message names the key, never the value."""


def bgp_passwords(plan: Plan, config: pulumi.Config) -> dict[str, pulumi.Output[str]]:
    """The password of each name that routers use, secret. Raises PasswordError for all that are missing or wrong; warns of those not used."""
    users = plan.pod_network.bgp.password_users
    declared: object = config.get_object(KEY) or {}
    if not isinstance(declared, Mapping):
        raise PasswordError(f"{config.full_key(KEY)} is no map of names to passwords; remove it and {_command(config, 'NAME')}")
    found = cast("Mapping[str, Any]", declared)
    if plan.settings.pod_network.kind == "external":
        return {}
    mistakes = [
        f"{config.full_key(KEY)}.{name} {mistake} (named by {', '.join(f'pod_network.bgp.routers.{router}.password' for router in users[name])}); {_command(config, name)}"
        for name in sorted(users)
        if (mistake := _mistake(found.get(name)))
    ]
    if mistakes:
        raise PasswordError("\n".join(mistakes))
    for name in sorted(found.keys() - users.keys()):
        pulumi.log.warn(f"{config.full_key(KEY)}.{name} is used by no router of pod_network.bgp.routers; remove it or name it as a router's password")
    return {name: pulumi.Output.secret(str(found[name])) for name in sorted(users)}


def _mistake(value: object) -> str:
    """What is wrong with a password, without saying anything of it."""
    if value is None:
        return "is missing"
    if not isinstance(value, str):
        return "is no text"
    if not 1 <= len(value.encode()) <= MOST_BYTES:
        return f"has {len(value.encode())} bytes, limits 1 to {MOST_BYTES}"
    if any(character in '"\\' or not character.isprintable() or not character.isascii() for character in value):
        return "has a character that BIRD cannot read in its configuration, allowed: printable ASCII without quotes and backslashes"
    return ""


def _command(config: pulumi.Config, name: str) -> str:
    return f"run `pulumi config set --secret --path {config.full_key(KEY)}.{name}`"
