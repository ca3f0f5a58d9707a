"""Property values on the wire, and the differences between them."""

from __future__ import annotations

import pytest
from google.protobuf import struct_pb2
from pulumi.runtime import rpc

from lab.plugins.base import UNKNOWN, Asset, Secret, changed_paths, has_unknown, wire_path
from lab.plugins.values import decode, encode


def test_a_message_survives_decoding_and_encoding() -> None:
    values = {"text": "a", "count": 3, "share": 0.5, "on": True, "list": [1, {"x": "y"}], "map": {"a.b/c": "d"}, "later": UNKNOWN}
    secrets = frozenset({("text",), ("list", 1, "x"), ("map",)})
    assert decode(encode(values, secrets)) == (values, secrets)


def test_whole_numbers_come_back_as_integers_and_nulls_not_at_all() -> None:
    values, _ = decode(encode({"count": 3.0, "nothing": None}))
    assert values == {"count": 3}
    assert isinstance(values["count"], int)


def test_an_unknown_is_the_sdks_unknown_on_the_wire_even_inside_a_secret() -> None:
    message = encode({"later": UNKNOWN, "hidden": Secret(UNKNOWN)})
    assert message.fields["later"].string_value == rpc.UNKNOWN
    assert decode(message) == ({"later": UNKNOWN, "hidden": UNKNOWN}, frozenset({("hidden",)}))


def test_an_unknown_has_no_truth() -> None:
    with pytest.raises(TypeError, match="no truth"):
        bool(UNKNOWN)


def test_assets_and_resource_references_are_read() -> None:
    signature = rpc._special_sig_key  # pyright: ignore[reportPrivateUsage]
    asset = {signature: rpc._special_asset_sig, "text": "t"}  # pyright: ignore[reportPrivateUsage]
    reference = {signature: rpc._special_resource_sig, "urn": "urn:x", "id": "i"}  # pyright: ignore[reportPrivateUsage]
    message = struct_pb2.Struct()
    message.update({"asset": asset, "reference": reference})
    assert decode(message)[0] == {"asset": Asset(text="t"), "reference": "i"}
    assert decode(encode({"asset": Asset(path="/p")}))[0] == {"asset": Asset(path="/p")}


def test_what_cannot_be_a_property_value_is_named_by_its_path() -> None:
    with pytest.raises(TypeError, match=r"a\.0: a set"):
        encode({"a": [{1}]})


def test_unknowns_are_found_wherever_they_are() -> None:
    assert has_unknown({"a": [{"b": Secret(UNKNOWN)}]})
    assert not has_unknown({"a": [{"b": Secret("x")}]})


def test_only_the_innermost_changes_are_named() -> None:
    old = {"same": 1, "map": {"a": 1, "gone": 2}, "list": ["x", "y"], "on": True, "count": 1}
    new = {"same": 1, "map": {"a": 2, "new": 3}, "list": ["x"], "on": 1, "count": UNKNOWN, "more": ""}
    assert changed_paths(old, new) == {
        ("map", "a"): "update",
        ("map", "gone"): "delete",
        ("map", "new"): "add",
        ("list", 1): "delete",
        ("on",): "update",
        ("count",): "update",
        ("more",): "add",
    }


def test_a_list_in_place_of_a_map_is_one_change() -> None:
    assert changed_paths({"a": {"b": 1}}, {"a": [1]}) == {("a",): "update"}


def test_paths_are_written_as_the_engine_reads_them() -> None:
    assert wire_path(("disks", 0, "volumeId")) == "disks[0].volumeId"
    assert wire_path(("metadata", "annotations", "a.b/c", 'q"')) == 'metadata.annotations["a.b/c"]["q\\""]'
