"""What the product imports is what its requirements name, each pinned."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[3]
OWN = {"components", "ops", "outputs", "plan", "render", "settings", "sources"}
BROUGHT = {"annotated-types": "pydantic", "pydantic-core": "pydantic"}
"""Parts of another library that it exports itself: they go with its version."""


def imported() -> set[str]:
    """Top-level modules that the product's files import."""
    found: set[str] = set()
    for room in OWN:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                    found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - OWN


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_library_that_is_imported_is_required_by_name_and_version() -> None:
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.in").read_text().splitlines()]
    required = {normal(re.split(r"[=<>]", line)[0]): line for line in lines if line}
    libraries = packages_distributions()
    assert "cryptography" in imported()
    for module in imported():
        names = {BROUGHT.get(normal(name), normal(name)) for name in libraries.get(module, [module])}
        assert names & required.keys(), f"{module} is of {names}: pin it in requirements.in"
        assert "==" in required[next(iter(names & required.keys()))]


def test_the_locked_versions_are_those_that_are_required() -> None:
    locked = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().splitlines() if re.match(r"\w", line))
    for line in (ROOT / "requirements.in").read_text().splitlines():
        name, exact, version = line.partition("==")
        if exact:
            assert locked[name.lower()] == version
