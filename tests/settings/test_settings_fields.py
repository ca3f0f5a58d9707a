"""The models themselves: every field is explained, defaults obey their own rules, checks say truly what they read."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, create_model

from settings import Environment, load
from settings.base import Settings
from settings.bgp import Filter
from settings.checks import MISTAKES, Check
from settings.document import document
from settings.hypervisor import Attachment
from settings.shape import Place, places
from tests.settings.documents import ROOT, STACKS, minimal, stack

PLACES = list(places(Environment))
CHECKS = [entry[0].__name__ for entry in MISTAKES]
GROUPS = {place.group.__name__: place.group for place in PLACES if place.group is not None} | {"Environment": Environment}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.path)
def test_every_setting_is_explained_in_whole_sentences(place: Place) -> None:
    assert place.description.endswith(".")
    assert len(place.description.split()) > 1


def test_every_group_refuses_what_it_does_not_know_and_never_changes() -> None:
    for group in GROUPS.values():
        assert issubclass(group, Settings)
        assert group.model_config.get("extra") == "forbid"
        assert group.model_config.get("frozen")
        assert group.model_config.get("hide_input_in_errors")
        assert group.__doc__


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
def test_defaults_obey_the_limits_of_their_fields(group: type[BaseModel]) -> None:
    optional: dict[str, Any] = {name: (field.annotation, field) for name, field in group.model_fields.items() if not field.is_required()}
    checked = create_model("Defaults", __config__=ConfigDict(validate_default=True), **optional)()
    assert set(type(checked).model_fields) == set(optional)
    if len(optional) == len(group.model_fields) and group not in (Attachment, Filter):  # an attachment has to be chosen, a filter has rules
        assert group.model_validate(group().model_dump()) == group()


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_settings_survive_being_written_and_read(path: Path) -> None:
    environment = load(stack(path))
    assert load(environment.model_dump(mode="json", exclude_unset=True)) == environment


@pytest.mark.parametrize(("check", "areas"), MISTAKES, ids=CHECKS)
def test_a_check_reads_no_area_that_it_does_not_name(check: Check, areas: frozenset[str]) -> None:
    ingress = {"replicas": 1, "nodes": {"kubernetes.io/os": "linux"}, "exposure": {"kind": "host-network"}, "expected_connections": 100}
    dependencies = {"db": {"host": "192.0.2.7", "port": 5432, "country": "NO", "round_trip_ms": 1.5}}
    for source in (minimal(), minimal(ingress=ingress), minimal(dependencies=dependencies), *(stack(path) for path in STACKS)):
        environment = load(source)
        alone = environment.model_copy()
        for name in set(Environment.model_fields) - areas:
            object.__delattr__(alone, name)
        assert list(check(alone)) == []


def test_the_settings_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == document(), "run: python -m settings.document > docs/settings.md"


def test_the_settings_page_names_every_setting() -> None:
    page = document()
    for place in PLACES:
        assert f"| `{place.path.rpartition('.')[2]}` |" in page
