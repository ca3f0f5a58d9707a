"""The Pulumi project that a stack belongs to: where its stack files, its program and its interpreter are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from ops.stack import OpsError

_PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Project:
    """What Pulumi.yaml says of places."""

    folder: Path
    """Where the engine is started."""
    stacks: Path
    main: Path
    """The program's folder, with requirements.txt."""
    python: Path


def read(folder: Path) -> Project:
    """The project in a folder; OpsError where there is none."""
    path = folder / "Pulumi.yaml"
    try:
        content: object = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise OpsError(f"--project {folder}: {error}") from error
    tree = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    runtime = _tree(tree.get("runtime"))
    main = folder / str(tree.get("main") or ".")
    venv = main / str(_tree(runtime.get("options")).get("virtualenv") or ".venv")
    return Project(folder=folder, stacks=folder / str(tree.get("stackConfigDir") or "."), main=main, python=venv / "bin" / "python")


def _tree(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def pinned(project: Project) -> dict[str, str]:
    """Package to version in the program's requirements.txt."""
    try:
        text = (project.main / "requirements.txt").read_text()
    except OSError as error:
        raise OpsError(f"{project.main}: {error}") from error
    return {canonical(name): version for name, version in _PIN.findall(text)}


def canonical(package: str) -> str:
    """A package's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def encryption(project: Project, stack: str) -> Mapping[str, str]:
    """Which of `encryptionsalt` and `secretsprovider` a stack file has; a salt stays out of it."""
    path = project.stacks / f"Pulumi.{stack.rpartition('/')[2]}.yaml"
    try:
        tree = _tree(yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return {}
    found = {"encryptionsalt": "there"} if tree.get("encryptionsalt") else {}
    provider = str(tree.get("secretsprovider") or "")
    # a URL of a key may hold credentials
    return found | ({"secretsprovider": provider.partition("://")[0]} if provider else {})
