"""A stack file, read without Pulumi: its settings and its plan. Nothing is decrypted."""

from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """A stack file as it was read."""

    text: str
    """Its text, line ends and all."""
    document: dict[str, Any]
    """Its environment, with something unknown for all that is encrypted."""
    encrypted: frozenset[str]
    """Paths of that."""

    def mistakes(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems, or what is behind them where a value could not be known."""
        return [_encrypted(problem, self.encrypted) for problem in problems]


def plan_of(folder: Path, stack: str) -> Plan:
    """The plan of a stack; OpsError with all that is wrong. `folder` holds Pulumi.<stack>.yaml."""
    found = read(path_of(folder, stack))
    try:
        return make(load(found.document))
    except SettingsError as error:
        problems = found.mistakes(error.problems)
    raise OpsError(str(SettingsError(problems)))


def path_of(folder: Path, stack: str) -> Path:
    """Where a stack's file is; OpsError where there is none."""
    name = stack.rpartition("/")[2]  # Pulumi's full name has organization and project before it
    path = folder / f"Pulumi.{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in folder.glob("Pulumi.*.yaml")))
        raise OpsError(f"no stack {name!r}: there is no {path}; known stacks: {known or 'none'}")
    return path


def read(path: Path) -> StackFile:
    """A stack file; OpsError where it declares no environment."""
    try:
        text = path.read_bytes().decode()
        content = yaml.safe_load(text)
    except OSError as error:
        raise OpsError(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OpsError(f"{path} is not YAML: {error}") from error
    document, encrypted = _without_secrets(_environment(path, content))
    return StackFile(text=text, document=document, encrypted=frozenset(encrypted))


def _environment(path: Path, content: object) -> dict[str, Any]:
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


def _encrypted(problem: Problem, encrypted: frozenset[str]) -> Problem:
    """The problem, or what is behind it where the value could not be known."""
    if problem.path not in encrypted:
        return problem
    return Problem(problem.path, "is encrypted, and nothing is decrypted here; write it plainly, it is no secret")
