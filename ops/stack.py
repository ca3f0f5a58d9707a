"""A stack file, read without Pulumi: its settings and its plan. Nothing is decrypted."""

from pathlib import Path
from typing import Any, cast

import yaml

from plan import Plan, make
from settings import SettingsError, load
from settings.base import Problem

ENVIRONMENT = "underlay:environment"
STAND_INS = {"uri": "qemu+ssh://unknown/system"}
"""What an encrypted value is taken for where a setting has a form of its own."""


class OpsError(Exception):
    """What was asked for cannot be given; the message is for people."""


def plan_of(folder: Path, stack: str) -> Plan:
    """The plan of a stack; OpsError with all that is wrong. `folder` holds Pulumi.<stack>.yaml."""
    document, encrypted = _without_secrets(_environment(folder, stack))
    try:
        return make(load(document))
    except SettingsError as error:
        problems = [_encrypted(problem, encrypted) for problem in error.problems]
    raise OpsError(str(SettingsError(problems)))


def _environment(folder: Path, stack: str) -> dict[str, Any]:
    name = stack.rpartition("/")[2]  # Pulumi's full name has organization and project before it
    path = folder / f"Pulumi.{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in folder.glob("Pulumi.*.yaml")))
        raise OpsError(f"no stack {name!r}: there is no {path}; known stacks: {known or 'none'}")
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OpsError(f"{path} is not YAML: {error}") from error
    config = cast("dict[str, Any]", content).get("config") if isinstance(content, dict) else None
    environment = cast("dict[str, Any]", config).get(ENVIRONMENT) if isinstance(config, dict) else None
    if not isinstance(environment, dict):
        raise OpsError(f"{path} has no object config: {ENVIRONMENT}; declare the environment there")
    tree = cast("dict[str, Any]", environment)
    if _is_secret(tree):
        raise OpsError(f"{path}: {ENVIRONMENT} is encrypted as a whole, and nothing is decrypted here; write it plainly, it holds no secrets")
    return tree


def _is_secret(value: object) -> bool:
    """Whether it is a value as `pulumi config set --secret --path` writes it."""
    return isinstance(value, dict) and list(cast("dict[str, Any]", value)) == ["secure"]


def _without_secrets(value: Any, path: str = "") -> tuple[Any, dict[str, None]]:
    """The value with something unknown for all that is encrypted, and the paths of that."""
    if _is_secret(value):
        return STAND_INS.get(path.rpartition(".")[2], "unknown"), {path: None}
    found: dict[str, None] = {}
    if isinstance(value, dict):
        tree = cast("dict[str, Any]", value)
        result: dict[str, Any] = {}
        for key, inner in tree.items():
            result[key], below = _without_secrets(inner, f"{path}.{key}" if path else str(key))
            found |= below
        return result, found
    if isinstance(value, list):
        entries: list[Any] = []
        for index, inner in enumerate(cast("list[Any]", value)):
            entry, below = _without_secrets(inner, f"{path}[{index}]")
            entries.append(entry)
            found |= below
        return entries, found
    return value, found


def _encrypted(problem: Problem, encrypted: dict[str, None]) -> Problem:
    """The problem, or what is behind it where the value could not be known."""
    if problem.path not in encrypted:
        return problem
    return Problem(problem.path, "is encrypted, and nothing is decrypted here; write it plainly, it is no secret")
