"""Documents that tests load: the minimal one, the stacks' and the invalid ones."""

import copy
from pathlib import Path
from typing import Any, cast

import yaml

ROOT = Path(__file__).parents[2]
STACKS = sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))
INVALID = sorted((ROOT / "tests" / "invalid").glob("*.yaml"))

Tree = dict[str, Any]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def minimal(**areas: Any) -> Tree:
    """The minimal document with changes merged in."""
    return merged(read(Path(__file__).with_name("minimal.yaml")), areas)


def stack(path: Path) -> Tree:
    return read(path)["config"]["underlay:environment"]


def invalid(path: Path) -> Any:
    """An invalid document: whole under `document`, or the minimal one with `change` merged in and the paths in `delete` left out."""
    file: Tree = read(path)
    if "document" in file:
        return file["document"]
    assert file["base"] == "minimal"
    tree = minimal(**file.get("change", {}))
    for place in file.get("delete", []):
        *groups, key = place.split(".")
        owner = tree
        for group in groups:
            owner = owner[group]
        del owner[key]
    return tree


def merged(base: Tree, change: Tree) -> Tree:
    """Both together: maps are merged, anything else is replaced."""
    result = copy.deepcopy(base)
    for key, value in copy.deepcopy(change).items():
        both_maps = isinstance(result.get(key), dict) and isinstance(value, dict)
        result[key] = merged(result[key], cast("Tree", value)) if both_maps else value
    return result
