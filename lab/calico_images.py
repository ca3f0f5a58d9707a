"""Calico's container images as archives that the person has: with all of them the lab runs Calico itself, without them BIRD."""

import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from lab import stackfile
from lab.places import Lab, LabError, cache_dir
from lab.stackfile import Tree
from settings.calico import Calico

NAMES = ("apiserver", "cni", "kube-controllers", "node")
"""The images that Calico's manifests ask for."""
REGISTRY = "quay.io/calico"
NAME_KEYS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
"""Annotations of an OCI index that tell an image's name; the second may hold no more than a tag."""


@dataclass(frozen=True, kw_only=True)
class PodNetworkChoice:
    """What makes the pods' network in the lab: Calico from these archives, or (none) the lab's own BIRD."""

    archives: tuple[Path, ...] = ()

    @property
    def calico(self) -> bool:
        """Whether nodes run Calico."""
        return bool(self.archives)


def folder(lab: Lab, named: str | None) -> Path:
    """Where archives are looked for: as named now, as named at the last `up`, or the cache."""
    noted = lab.root / "images"
    if named:
        found = Path(named).expanduser().resolve()
        if not found.is_dir():
            raise LabError(f"IMAGES={named}: there is no such folder")
        return found
    return Path(noted.read_text().strip()) if noted.exists() else cache_dir() / "images"


def note(lab: Lab, chosen: Path) -> None:
    """Keep the folder for the commands that follow: another pod network would need another cluster."""
    (lab.root / "images").write_text(f"{chosen}\n")


def wanted(declared: Mapping[str, Any]) -> list[str]:
    """Full names of the images that Calico's manifests ask for under these settings."""
    calico = cast("Mapping[str, Any]", cast("Mapping[str, Any]", declared.get("pod_network") or {}).get("calico") or {})
    registry, version = calico.get("registry") or REGISTRY, calico.get("version") or Calico.model_fields["version"].default
    return [f"{registry}/{name}:v{version}" for name in NAMES]


def names_in(archive: Path) -> set[str]:
    """Names of the images in an OCI or Docker archive; none where it is no such thing."""
    try:
        with tarfile.open(archive) as tar:
            return _oci_names(tar) | _docker_names(tar)
    except (tarfile.TarError, OSError, ValueError):
        return set()


def _oci_names(tar: tarfile.TarFile) -> set[str]:
    index = cast("dict[str, Any]", _json(tar, "index.json") or {})
    return {str(entry.get("annotations", {}).get(key, "")) for entry in index.get("manifests", []) for key in NAME_KEYS} - {""}


def _docker_names(tar: tarfile.TarFile) -> set[str]:
    manifest = cast("list[dict[str, Any]]", _json(tar, "manifest.json") or [])
    return {name for entry in manifest for name in cast("list[str]", entry.get("RepoTags") or [])}


def _json(tar: tarfile.TarFile, name: str) -> object:
    for path in (name, f"./{name}"):
        try:
            member = tar.extractfile(path)
        except KeyError:
            continue
        return json.load(member) if member else None
    return None


def choose(declared: Mapping[str, Any], where: Path, *, external: bool = False, needed: bool = True) -> tuple[PodNetworkChoice, str]:
    """What makes the pods' network, and a line that says why; LabError where Calico is declared and an image of it that is needed is missing.

    `external`: somebody asks for the lab's BIRD whatever archives there are. `needed`: nodes are to run; a preview needs no image.
    """
    names = wanted(declared)
    found = {name: archive for archive in sorted(where.glob("*.tar*")) if archive.is_file() for name in names_in(archive)}
    missing = [name for name in names if name not in found]
    kind = cast("Mapping[str, Any]", declared.get("pod_network") or {}).get("kind", "calico")
    if not missing and not external:
        return PodNetworkChoice(archives=tuple(sorted({found[name] for name in names}))), f"pod network: Calico, its images from {where}"
    if kind == "calico" and needed:
        raise LabError(f"pod_network.kind is calico, and these images are in no archive of {where}: {', '.join(missing)}")
    some = f"; {where} has no archive of {', '.join(missing)}" if 0 < len(missing) < len(names) else ""
    return PodNetworkChoice(), f"pod network: the lab's own BIRD on each node{some}"


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What a command works with: the environment as declared, the settings over the stack file's, and who makes the pods' network."""

    declared: Tree
    settings: tuple[tuple[str, Any], ...]
    pods: PodNetworkChoice
    line: str
    folder: Path


def resolve(lab: Lab, stack: str, settings: Sequence[tuple[str, Any]], images: str | None, *, needed: bool = False) -> Resolved:
    """Settings of a command with the kind of pod network that the archives at hand allow."""
    where = folder(lab, images)
    declared = stackfile.declared(lab, stack, settings)
    pods, line = choose(declared, where, external=("pod_network.kind", "external") in settings, needed=needed)
    if pods.calico:
        settings = [("pod_network.kind", "calico"), *settings]
        declared = stackfile.declared(lab, stack, settings)
    return Resolved(declared=declared, settings=tuple(settings), pods=pods, line=line, folder=where)
