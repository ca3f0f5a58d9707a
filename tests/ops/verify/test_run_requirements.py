"""What the product imports is what its requirements name, each pinned."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = {
    "requirements": {"components", "hosts", "ops", "outputs", "placement", "plan", "render", "settings", "sources"},
    "policy/requirements": {"policy"},
}
"""Rooms by the requirements of the environment that they run in."""
BROUGHT = {"annotated-types": "pydantic", "pydantic-core": "pydantic"}
"""Parts of another library that it exports itself: they go with its version."""


def imported(here: set[str]) -> set[str]:
    """Top-level modules that these rooms' files import."""
    found: set[str] = set()
    for room in here:
        for path in (path for path in (ROOT / room).rglob("*.py") if ".venv" not in path.relative_to(ROOT).parts):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                    found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {room for rooms in ROOMS.values() for room in rooms}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_libraries_are_found_where_they_are_imported() -> None:
    assert "cryptography" in imported(ROOMS["requirements"])
    assert imported(ROOMS["policy/requirements"]) == {"pulumi_policy"}


@pytest.mark.parametrize("of", ROOMS)
def test_every_library_that_is_imported_is_required_by_name_and_version(of: str) -> None:
    lines = [line.split("#")[0].strip() for line in (ROOT / f"{of}.in").read_text().splitlines()]
    required = {normal(re.split(r"[=<>]", line)[0]): line for line in lines if line}
    libraries = packages_distributions()
    for module in imported(ROOMS[of]):
        names = {BROUGHT.get(normal(name), normal(name)) for name in libraries.get(module, [module])}
        assert names & required.keys(), f"{module} is of {names}: pin it in {of}.in"
        assert "==" in required[next(iter(names & required.keys()))]


@pytest.mark.parametrize("of", ROOMS)
def test_the_locked_versions_are_those_that_are_required(of: str) -> None:
    locked = dict(line.split("==") for line in (ROOT / f"{of}.txt").read_text().splitlines() if re.match(r"\w", line))
    for line in (ROOT / f"{of}.in").read_text().splitlines():
        name, exact, version = line.partition("==")
        if exact:
            assert locked[name.lower()] == version
