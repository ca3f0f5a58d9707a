"""The image's manifest: what is in it, in which version, from where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict

from image.containers import Preloaded
from image.parts import Program
from image.pins import KUBERNETES_VERSION


class PartEntry(TypedDict):
    """A program; `source` is `go:<module>@<version>` or a URL."""

    name: str
    version: str
    sha256: str
    source: str


class ContainerEntry(TypedDict):
    """A container image in the node's store; `version` is the program's own."""

    name: str
    version: str
    digest: str


class Manifest(TypedDict):
    """What `/etc/underlay/image.json` and `manifest.json` hold."""

    kubernetes: str
    key: str
    suite: str
    kernel: str
    go: str
    parts: list[PartEntry]
    containers: list[ContainerEntry]
    boot: dict[str, str]
    """File name to SHA-256 of kernel and initrd."""
    debian: dict[str, str]
    """Package to version."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a build has put into an image."""

    key: str
    suite: str
    kernel: str
    go: str
    programs: Iterable[Program]
    containers: Iterable[Preloaded]
    boot: Mapping[str, str]
    packages: Mapping[str, str]


def manifest_of(contents: Contents) -> Manifest:
    """The manifest of an image with `contents`, in a fixed order."""
    parts = sorted(contents.programs, key=lambda program: program.name)
    images = sorted(contents.containers, key=lambda image: image.name)
    return {
        "kubernetes": KUBERNETES_VERSION.removeprefix("v"),
        "key": contents.key,
        "suite": contents.suite,
        "kernel": contents.kernel,
        "go": contents.go,
        "parts": [{"name": part.name, "version": part.version, "sha256": part.sha256, "source": part.source} for part in parts],
        "containers": [{"name": image.name, "version": image.version, "digest": image.digest} for image in images],
        "boot": dict(sorted(contents.boot.items())),
        "debian": dict(sorted(contents.packages.items())),
    }


def manifest_text(manifest: Manifest) -> str:
    """The manifest as it is written to files."""
    return json.dumps(manifest, indent=2) + "\n"


def summary(manifest: Manifest) -> list[str]:
    """The manifest in short, for people: a line for each program, container image and boot file, with its SHA-256."""
    lines = [f"Debian {manifest['suite']}, {len(manifest['debian'])} packages, kernel {manifest['kernel']}"]
    lines += [f"{part['name']} {part['version']} sha256:{part['sha256']} from {part['source']}" for part in manifest["parts"]]
    lines += [f"{image['name']} ({image['version']}) {image['digest']}" for image in manifest["containers"]]
    return lines + [f"{name} sha256:{digest}" for name, digest in manifest["boot"].items()]
