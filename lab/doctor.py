"""`doctor`: asks the lab's own hypervisor and this machine what `make up` will find, as real ones are asked."""

import contextlib
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import calico_images, hypervisor, machine, project, stackfile
from lab.fabric import phases
from lab.fabric.declared import plan_from
from lab.places import Lab, LabError, write_private
from lab.process import in_namespace
from lab.progress import Progress
from lab.session import Session, exclusive, prepare


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to look at: a stack, values over those of its file, and words of `python -m ops doctor`."""

    stack: str
    settings: Sequence[tuple[str, Any]] = ()
    images: str | None = None
    more: Sequence[str] = ()


def doctor(lab: Lab, wish: Wish, progress: Progress) -> int:
    """Make this machine ready as `up` does (tools, image, hypervisor), then ask; nothing of the environment is made. Gives doctor's exit code."""
    hypervisor.refuse_foreign(lab)
    resolved = calico_images.resolve(lab, wish.stack, wish.settings, wish.images)
    network = stackfile.lab_network(resolved.declared)
    with exclusive(lab):
        tools = machine.tools(lab, progress)
        here = machine.host(lab, resolved.declared, machine.image(lab, network, progress, resolved.pods), progress)
        session = Session(lab=lab, stack=wish.stack, engine=tools.engine, plugins=tools.plugins, isolated=False)
        with progress.phase("state"):
            folder = project_for(session, here, resolved.settings)
            fetch_manifests(folder, wish.stack)
    words = [sys.executable, "-m", "ops", "doctor", "--stack", wish.stack, "--project", str(folder), *wish.more]
    return subprocess.run(in_namespace(lab.namespace, words), cwd=lab.checkout, env=session.environment, check=False).returncode


def fetch_manifests(folder: Path, stack: str) -> None:
    """As before `up`: the lab's namespace has no internet. What cannot be had, and settings that are wrong, are for doctor to say."""
    with contextlib.suppress(LabError):
        phases.fetch_manifests(plan_from(stackfile.environment(stackfile.read(folder / "stacks" / f"Pulumi.{stack}.yaml"))))


def project_for(session: Session, here: stackfile.Machine, settings: Iterable[tuple[str, Any]]) -> Path:
    """The project that is asked about: as `up` would write it, and beside the one that is there, on which `verify` and the others go on."""
    lab, stack = session.lab, session.stack
    generated = project.generated_file(lab, stack)
    if not generated.exists():
        prepare(session, here, settings)
        return project.project_dir(lab)
    tracked, folder = stackfile.read(stackfile.tracked(lab, stack)), lab.root / "doctor"
    content = stackfile.completed(tracked, stackfile.yaml_object(generated), stackfile.on_top(lab, here, stackfile.environment(tracked), settings))
    write_private(folder / "Pulumi.yaml", (project.project_dir(lab) / "Pulumi.yaml").read_text())
    write_private(folder / generated.relative_to(project.project_dir(lab)), yaml.safe_dump(content, sort_keys=False))
    return folder
