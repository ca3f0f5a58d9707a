"""docs/fabric.md: its stack files load, and the routers' excerpts are what is printed for them."""

import re

import pytest
import yaml

from ops import sessions
from plan import Plan, make
from render import router_config
from settings import load
from tests.settings.documents import ROOT, merged, stack

PAGE = (ROOT / "docs" / "fabric.md").read_text()
OSLO = stack(ROOT / "stacks" / "Pulumi.example-oslo.yaml")
NETWORKS = {name: yaml.safe_load(text) for name, text in re.findall(r"^```yaml (\w)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)}
EXCERPTS = re.findall(r"^```(bird|frr) (\w) (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FORMATS = {"bird": router_config.bird, "frr": router_config.frr}


def planned(name: str) -> Plan:
    """The plan of an example; b leaves out what is as in the project's own example, and says so."""
    return make(load(merged(OSLO, {"pod_network": NETWORKS[name]}) if name == "b" else {**OSLO, "pod_network": NETWORKS[name]}))


def test_there_are_three_examples() -> None:
    assert sorted(NETWORKS) == ["a", "b", "c"]
    assert {name for _, name, _, _ in EXCERPTS} == {"a", "b", "c"}


def test_the_second_example_is_the_projects_own() -> None:
    assert planned("b") == make(load(OSLO))


@pytest.mark.parametrize(
    ("form", "name", "router", "text"), EXCERPTS, ids=[f"{name}-{router}-{index}" for index, (_, name, router, _) in enumerate(EXCERPTS)]
)
def test_an_excerpt_is_what_is_printed(form: str, name: str, router: str, text: str) -> None:
    assert text in FORMATS[form](planned(name), router)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_page_counts_the_sessions_right(name: str) -> None:
    part = PAGE[PAGE.index(f"```yaml {name}") :]
    said = re.search(r"^(\d+) sessions", part, re.MULTILINE)
    assert said is not None
    assert f"\n{said[1]} sessions: " in sessions.table(planned(name))
