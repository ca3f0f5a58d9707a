"""The application's Pulumi project on the lab's engine, backend and passphrase; what it knows of the environment it reads from the environment's stack."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import yaml

from lab.app.image import AppImage
from lab.places import Lab, write_private
from lab.session import Session, open_stack, own_name
from lab.stackfile import yaml_object

PACKAGES = "packages"
"""Folder with what the project's requirements.txt would install and the checkout's virtual environment does not have."""


def source(lab: Lab) -> Path:
    """The project as people copy it."""
    return lab.checkout / "examples" / "app"


def _folder(lab: Lab) -> Path:
    return lab.root / "app"


def session(environment: Session) -> Session:
    """The engine on the application's stack, which is called as the environment's is."""
    folder = _folder(environment.lab)
    return dataclasses.replace(environment, folder=folder, variables={"PYTHONPATH": str(folder / PACKAGES)})


def exists(lab: Lab) -> bool:
    """Whether the application was ever brought up in this lab."""
    return (_folder(lab) / "Pulumi.yaml").exists()


def write(app: Session, image: AppImage) -> None:
    """Make project and stack file anew, the program itself where it lies; the caller holds `exclusive`."""
    lab, folder = app.lab, _folder(app.lab)
    project = yaml_object(source(lab) / "Pulumi.yaml")
    project["main"] = str(source(lab))
    project["runtime"]["options"]["virtualenv"] = str(lab.checkout / ".venv")
    write_private(folder / "Pulumi.yaml", yaml.safe_dump(project, sort_keys=False))
    path = folder / f"Pulumi.{app.stack}.yaml"
    before: dict[str, Any] = yaml_object(path) if path.exists() else {}
    readers = folder / PACKAGES / "outputs"
    readers.parent.mkdir(exist_ok=True)
    if not readers.is_symlink():
        readers.symlink_to(lab.checkout / "outputs")
    config = {"app:environment": f"organization/{own_name(lab)}/{app.stack}", "app:image": image.name}
    kept = {key: before[key] for key in ("encryptionsalt", "secretsprovider") if key in before}
    write_private(path, yaml.safe_dump({**kept, "config": config}, sort_keys=False))
    open_stack(app)


def remove(lab: Lab) -> None:
    """Remove the project; its stack must be gone."""
    shutil.rmtree(_folder(lab))
