"""Named fleets as tables: what changes in a placement shows in a diff that people can read."""

import os
from pathlib import Path

import pytest

from placement import place
from tests.placement.fleets import FLEETS
from tests.placement.tables import page

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", FLEETS)
def test_a_fleet_is_placed_as_its_table_says(name: str) -> None:
    made = page(place(FLEETS[name]()))
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(made)
    assert made == path.read_text()


def test_every_table_has_its_fleet() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(FLEETS)
