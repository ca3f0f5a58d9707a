"""The stand-in for `random`."""

from __future__ import annotations

import base64
import string

import bcrypt
import pytest

from lab.plugins.base import UNKNOWN
from lab.plugins.random_ import RandomBytes, RandomId, RandomPassword, RandomString
from tests.plugins.calls import created, refusals, replaced_by


def test_a_string_has_its_length_its_classes_and_its_least_counts() -> None:
    for _ in range(50):
        inputs = {"length": 12, "special": False, "minUpper": 3, "minNumeric": 4, "lower": False}
        result = created(RandomString(), inputs).outputs["result"]
        assert len(result) == 12
        assert set(result) <= set(string.ascii_uppercase + string.digits)
        assert sum(character.isupper() for character in result) >= 3
        assert sum(character.isdigit() for character in result) >= 4


def test_special_characters_can_be_chosen() -> None:
    inputs = {"length": 20, "upper": False, "lower": False, "numeric": False, "overrideSpecial": "_%"}
    assert set(created(RandomString(), inputs).outputs["result"]) == {"_", "%"}


def test_two_strings_differ() -> None:
    assert created(RandomString(), {"length": 16}).outputs["result"] != created(RandomString(), {"length": 16}).outputs["result"]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, "Missing required property 'length'"),
        ({"length": 0}, "at least 1"),
        ({"length": 3, "minLower": 2, "minUpper": 2}, "at least 4"),
        ({"length": 3, "lower": False, "upper": False, "numeric": False, "special": False}, "at least one of"),
        ({"length": 3, "size": 3}, "'size' is not an input"),
    ],
)
def test_what_no_string_can_satisfy_is_refused(inputs: dict[str, object], reason: str) -> None:
    assert any(reason in refusal for refusal in refusals(RandomString(), inputs))


def test_an_unknown_length_is_not_refused() -> None:
    assert not refusals(RandomString(), {"length": UNKNOWN, "minLower": 2})


def test_every_change_replaces_and_spelling_out_a_default_is_none() -> None:
    old = created(RandomString(), {"length": 8, "keepers": {"a": "1"}})
    assert replaced_by(RandomString(), old, {"length": 8, "keepers": {"a": "2"}}) == {"keepers"}
    assert "length" in replaced_by(RandomString(), old, {"length": 9, "keepers": {"a": "1"}})
    assert replaced_by(RandomString(), old, {"length": 8, "keepers": {"a": "1"}, "upper": True, "minLower": 0}) == set()


def test_a_password_is_not_its_id_and_its_hash_fits() -> None:
    state = created(RandomPassword(), {"length": 80})
    assert state.id == "none"
    assert bcrypt.checkpw(state.outputs["result"].encode()[:72], state.outputs["bcryptHash"].encode())
    assert RandomPassword.secret_outputs == {"result", "bcryptHash"}


def test_bytes_are_the_same_in_both_forms() -> None:
    state = created(RandomBytes(), {"length": 32})
    assert base64.b64decode(state.outputs["base64"]) == bytes.fromhex(state.outputs["hex"])
    assert len(state.outputs["hex"]) == 64
    assert refusals(RandomBytes(), {"length": 0})


def test_an_id_is_the_same_in_all_forms_behind_its_prefix() -> None:
    state = created(RandomId(), {"byteLength": 5, "prefix": "p-"})
    drawn = bytes.fromhex(state.outputs["hex"].removeprefix("p-"))
    assert len(drawn) == 5
    assert base64.urlsafe_b64decode(state.id + "=") == drawn
    assert int(state.outputs["dec"].removeprefix("p-")) == int.from_bytes(drawn, "big")
    assert base64.b64decode(state.outputs["b64Std"].removeprefix("p-")) == drawn
