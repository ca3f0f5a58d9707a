"""Managed fields and quantities: what a patch owns, and what counts as drift."""

from __future__ import annotations

from typing import Any

import pytest

from lab.plugins.kubernetes.fields import observed, owned, owned_tree
from lab.plugins.kubernetes.quantities import amount, same_quantity

MINE: dict[str, Any] = {
    "f:metadata": {"f:annotations": {"f:mine": {}}, "f:finalizers": {".": {}, 'v:"mine"': {}}},
    "f:spec": {
        "f:template": {
            "f:spec": {
                "f:containers": {'k:{"name":"main"}': {".": {}, "f:name": {}, "f:resources": {"f:requests": {"f:cpu": {}}}}},
                "f:args": {},
            }
        }
    },
}
OTHERS: dict[str, Any] = {
    "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"side"}': {".": {}, "f:image": {}}}}}},
    "f:ports": {'k:{"port":53,"protocol":"UDP"}': {}, 'k:{"port":53,"protocol":"TCP"}': {}},
}


def live(**requests: str) -> dict[str, Any]:
    side = {"name": "side", "image": "s:1"}
    main = {"name": "main", "image": "m:1", "resources": {"requests": requests}}
    return {
        "metadata": {
            "annotations": {"mine": "a", "others": "b"},
            "finalizers": ["others", "mine"],
            "managedFields": [
                {"manager": "me", "operation": "Update", "fieldsV1": {"f:data": {}}},
                {"manager": "me", "operation": "Apply", "fieldsV1": {"f:status": {}}, "subresource": "status"},
                {"manager": "me", "operation": "Apply", "fieldsV1": MINE},
                {"manager": "other", "operation": "Update", "fieldsV1": OTHERS},
            ],
        },
        "spec": {"template": {"spec": {"containers": [side, main], "args": ["x", "y"], "dnsPolicy": "None"}}},
    }


def test_a_field_manager_owns_its_own_fields_of_shared_lists_and_maps() -> None:
    thing = live(cpu="100m", memory="1Gi")
    assert owned(owned_tree(thing, "me"), thing) == {
        "metadata": {"annotations": {"mine": "a"}, "finalizers": ["mine"]},
        "spec": {"template": {"spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": "100m"}}}], "args": ["x", "y"]}}},
    }


def test_only_the_apply_entry_of_the_object_itself_counts() -> None:
    assert owned_tree(live(), "me") == MINE
    assert owned_tree(live(), "nobody") == {}
    assert owned_tree({"metadata": {}}, "me") == {}


def declared(cpu: Any = "0.1", image: str | None = None) -> dict[str, Any]:
    main: dict[str, Any] = {"name": "main", "resources": {"requests": {"cpu": cpu}}}
    return {"spec": {"template": {"spec": {"containers": [{**main, "image": image} if image else main]}}}}


@pytest.mark.parametrize(("written", "stored"), [("0.1", "100m"), ("1000m", "1"), (1, "1"), ("100m", "100m")])
def test_a_quantity_written_in_another_way_is_no_drift(written: Any, stored: str) -> None:
    assert observed(declared(written), live(cpu=stored), {}) == declared(written)


def test_the_declared_fields_are_read_from_the_item_of_the_same_name() -> None:
    assert observed(declared("0.1"), live(cpu="200m"), {}) == declared("200m")
    assert observed(declared("0.1", "m:0"), live(cpu="100m"), {}) == declared("0.1", "m:1")


def test_a_field_or_item_that_is_gone_is_drift() -> None:
    gone = observed(declared("0.1"), live(memory="1Gi"), {})
    assert gone["spec"]["template"]["spec"]["containers"] == [{"name": "main", "resources": {"requests": {}}}]
    thing = live(cpu="100m")
    thing["spec"]["template"]["spec"]["containers"].pop()
    assert observed(declared("0.1"), thing, {})["spec"]["template"]["spec"]["containers"] == []


def test_an_item_whose_key_is_left_to_its_default_is_found() -> None:
    ports = [{"port": 53, "protocol": "UDP", "nodePort": 1}, {"port": 53, "protocol": "TCP", "nodePort": 2}]
    thing = {"metadata": {"managedFields": [{"manager": "x", "fieldsV1": OTHERS}]}, "ports": ports}
    assert observed({"ports": [{"port": 53, "protocol": "TCP", "nodePort": 3}]}, thing, {}) == {
        "ports": [{"port": 53, "protocol": "TCP", "nodePort": 2}]
    }
    assert observed({"ports": [{"port": 53}]}, thing, {}) == {"ports": [{"port": 53}]}


def test_a_set_shows_its_declared_members_that_are_there() -> None:
    thing = live()
    wanted = {"metadata": {"finalizers": ["gone", "mine"]}}
    assert observed(wanted, thing, {}) == {"metadata": {"finalizers": ["mine"]}}


def test_a_list_that_is_one_value_is_compared_as_a_whole() -> None:
    way = {"spec": {"template": {"spec": {"args": ["x"]}}}}
    assert observed(way, live(), {})["spec"]["template"]["spec"]["args"] == ["x", "y"]


def test_a_value_that_the_server_has_held_since_it_was_written_is_no_drift() -> None:
    wanted, stored = {"spec": {"clusterIP": "fd00:0::1"}}, {"spec": {"clusterIP": "fd00::1"}}
    assert observed(wanted, {**stored, "metadata": {}}, stored) == wanted
    assert observed(wanted, {"spec": {"clusterIP": "fd00::2"}, "metadata": {}}, stored) == {"spec": {"clusterIP": "fd00::2"}}


@pytest.mark.parametrize("empty", [{}, [], "", False, 0])
def test_an_empty_value_that_the_server_does_not_keep_is_no_drift(empty: Any) -> None:
    assert observed({"spec": {"field": empty}}, {"metadata": {}, "spec": {}}, {}) == {"spec": {"field": empty}}


def test_a_field_that_the_server_never_kept_is_no_drift_and_one_that_it_lost_is() -> None:
    declared, thing = {"spec": {"kept": 1, "typo": 2}}, {"metadata": {}, "spec": {"kept": 1}}
    assert observed(declared, thing, {"spec": {"kept": 1}}) == declared
    assert observed(declared, thing, {"spec": {"kept": 1, "typo": 2}}) == {"spec": {"kept": 1}}


@pytest.mark.parametrize(
    ("one", "other"), [("0.1", "100m"), ("1Gi", "1024Mi"), ("1e3", "1k"), ("1E", "1000P"), (".5", "500m"), ("1E2", "100"), ("1000000n", "1m")]
)
def test_equal_amounts(one: str, other: str) -> None:
    assert amount(one) is not None
    assert amount(one) == amount(other)


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "1Gb", True, None, [1]])
def test_what_is_no_quantity(text: Any) -> None:
    assert amount(text) is None


def test_text_that_looks_like_a_quantity_is_compared_as_text() -> None:
    assert same_quantity("1000m", "1", ("spec", "containers", "resources", "limits", "cpu"))
    assert same_quantity("1024Ki", "1Mi", ("spec", "volumes", "emptyDir", "sizeLimit"))
    assert not same_quantity("1000m", "1", ("data", "limits", "cpu"))
    assert not same_quantity("1.0", "1", ("metadata", "labels", "version"))
    assert not same_quantity("1.0", "1", ("spec", "template", "spec", "containers", "args"))
