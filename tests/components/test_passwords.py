"""Passwords of BGP sessions: which are needed, which are wrong, and that none is ever said."""

import json
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
from recorder import document, run_alone

from components.passwords import MOST_BYTES, PasswordError, bgp_passwords
from plan import Plan, make
from settings import load

HUSH = "hush-hush-1"


def plan(kind: str = "calico", **passwords: str) -> Plan:
    """The lab's plan with a router for each name of a password."""
    environment = document("lab")
    routers = {
        name: {"address": f"10.77.0.{240 + index}", "as_number": 65001, "password": secret} for index, (name, secret) in enumerate(passwords.items())
    }
    environment["pod_network"] = {**environment["pod_network"], "kind": kind, "bgp": {"routers": routers}}
    return make(load(environment))


@pytest.fixture(autouse=True)
def warnings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    yield said
    pulumi.runtime.set_all_config({})


def config(**passwords: Any) -> pulumi.Config:
    pulumi.runtime.set_all_config({"underlay:bgp_passwords": json.dumps(passwords)} if passwords else {}, ["underlay:bgp_passwords"])
    return pulumi.Config("underlay")


def read(plan: Plan, config: pulumi.Config) -> set[str]:
    """The names of what is read: outputs are made in a loop alone."""

    async def work() -> set[str]:
        return set(bgp_passwords(plan, config))

    return run_alone(work())


def test_only_what_routers_use_is_read_and_the_rest_is_warned_of(warnings: list[str]) -> None:
    assert read(plan(left="tor", right="tor"), config(tor=HUSH, old="hush-hush-2")) == {"tor"}
    assert len(warnings) == 1
    assert warnings[0].startswith("underlay:bgp_passwords.old is used by no router")
    assert "hush" not in warnings[0]


def test_every_missing_one_is_named_with_who_wants_it_and_the_command(warnings: list[str]) -> None:
    with pytest.raises(PasswordError) as caught:
        read(plan(left="tor1", right="tor2", other="tor1"), config())
    first, second = str(caught.value).splitlines()
    assert first.startswith("underlay:bgp_passwords.tor1 is missing")
    assert "pod_network.bgp.routers.left.password, pod_network.bgp.routers.other.password" in first
    assert first.endswith("run `pulumi config set --secret --path underlay:bgp_passwords.tor1`")
    assert second.endswith("--path underlay:bgp_passwords.tor2`")
    assert warnings == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "has 0 bytes, limits 1 to 80"),
        ("hush" * 21, "has 84 bytes, limits 1 to 80"),
        (f'{HUSH}"', "has a character that BIRD cannot read"),
        (f"{HUSH}\n", "has a character that BIRD cannot read"),
        ({"hush": HUSH}, "is no text"),
        (12345678, "is no text"),
    ],
)
def test_what_cannot_be_a_password_is_refused_without_showing_it(value: object, expected: str) -> None:
    with pytest.raises(PasswordError) as caught:
        read(plan(left="tor"), config(tor=value))
    assert f"underlay:bgp_passwords.tor {expected}" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "12345678" not in str(caught.value)


def test_the_longest_password_that_the_kernel_takes_is_taken() -> None:
    assert read(plan(left="tor"), config(tor="x" * MOST_BYTES)) == {"tor"}


def test_a_map_that_is_none_is_refused() -> None:
    pulumi.runtime.set_all_config({"underlay:bgp_passwords": json.dumps([HUSH])})
    with pytest.raises(PasswordError) as caught:
        read(plan(left="tor"), pulumi.Config("underlay"))
    assert "is no map of names to passwords" in str(caught.value)
    assert HUSH not in str(caught.value)


def test_where_somebody_else_builds_the_network_no_password_is_needed(warnings: list[str]) -> None:
    assert read(plan("external", left="tor"), config()) == set()
    assert warnings == []
