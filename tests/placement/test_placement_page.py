"""docs/placement.md has what the planner knows (what it shows of `ops plan` is held against the program in tests/ops)."""

from typing import get_args

from placement.fleet import Policy
from tests.settings.documents import ROOT

PAGE = ROOT / "docs" / "placement.md"


def test_every_policy_is_on_the_page() -> None:
    rows = [line.split("|")[1].strip() for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert {f"`{policy}`" for policy in get_args(Policy)} <= set(rows)
