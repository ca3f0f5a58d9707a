"""The lab's Pulumi project: generated beside the state, so that the tracked stack files are never written to."""

import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from lab import stackfile
from lab.places import Lab, write_private
from lab.stackfile import Machine

PASSPHRASE_BYTES = 32
PASSED_ON = frozenset({"PULUMI_ENABLE_STREAMING_JSON_PREVIEW"})
"""What a person may tell the engine by its own variables; all others of the machine are kept away from the lab."""


def project_dir(lab: Lab) -> Path:
    """The directory that the engine runs in."""
    return lab.root / "project"


def generated_file(lab: Lab, stack: str) -> Path:
    """The stack file that the engine reads and writes."""
    return project_dir(lab) / "stacks" / f"Pulumi.{stack}.yaml"


def passphrase_file(lab: Lab) -> Path:
    """The passphrase of the stack's secrets, mode 0600; made at random when it is missing."""
    path = lab.root / "passphrase"
    if not path.exists():
        write_private(path, f"{secrets.token_hex(PASSPHRASE_BYTES)}\n")
    return path


def write(lab: Lab, stack: str, machine: Machine, settings: Iterable[tuple[str, Any]] = ()) -> stackfile.Tree:
    """Make project and stack file anew from the tracked ones; gives the environment as the engine will see it.

    `settings` are dotted paths and values that come on top of the tracked file, and before the machine's own.
    """
    project = stackfile.yaml_object(lab.checkout / "Pulumi.yaml")
    project["main"] = str(lab.checkout)
    project["runtime"]["options"]["virtualenv"] = str(lab.checkout / project["runtime"]["options"]["virtualenv"])
    project["stackConfigDir"] = "stacks"
    write_private(project_dir(lab) / "Pulumi.yaml", yaml.safe_dump(project, sort_keys=False))
    tracked = stackfile.read(stackfile.tracked(lab, stack))
    generated = generated_file(lab, stack)
    before = stackfile.yaml_object(generated) if generated.exists() else None
    content = stackfile.completed(tracked, before, stackfile.on_top(lab, machine, stackfile.environment(tracked), settings))
    write_private(generated, yaml.safe_dump(content, sort_keys=False))
    return stackfile.environment(content)


def engine_environment(lab: Lab, *, path_first: Iterable[Path], stand_ins: bool) -> dict[str, str]:
    """The environment of an engine run: state, secrets and plugins are the lab's own, nothing is sent anywhere."""
    kept: Mapping[str, str] = {key: value for key, value in os.environ.items() if key in PASSED_ON or not key.startswith("PULUMI_")}
    return {
        **kept,
        "PATH": os.pathsep.join([*map(str, path_first), os.environ.get("PATH", os.defpath)]),
        "PULUMI_HOME": str(lab.root / "home"),
        "PULUMI_BACKEND_URL": f"file://{lab.root / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase_file(lab)),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true" if stand_ins else "false",
    }
