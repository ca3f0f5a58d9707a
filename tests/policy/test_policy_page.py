"""docs/policies.md is what the rules say."""

from policy.document import document
from tests.settings.documents import ROOT


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "policies.md").read_text() == document(), "run: python -m policy.document > docs/policies.md"
