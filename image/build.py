"""The whole build: options in, a folder with the node image out."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from image.cache import build_lock, cache_root, ensure_entry, mark_used, prune
from image.command import BuildError, Progress, run
from image.containers import preload, write_images
from image.debian import debian_key, ensure_debian, installed_packages, unpack
from image.disk import write_disk, write_raw
from image.key import content_key, file_digest, tree_digest
from image.manifest import Contents, manifest_of, manifest_text
from image.parts import Program, Source, ensure_programs, go_version, program_key
from image.pins import PARTS, SUITE, UPSTREAM_URL
from image.tree import clean, kernel_release, lay_files, lay_programs, set_up_units, take_boot_files

_T = TypeVar("_T")
_RECIPE = Path(__file__).parent
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+")
_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-img": "qemu-utils",
    "mke2fs": "e2fsprogs",
    "tar": "tar",
    "dpkg-query": "dpkg",
    "systemctl": "systemd",
    "unshare": "util-linux",
}
"""Program to the Debian package that has it."""


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """What may differ between two images of one checkout."""

    overlays: tuple[Path, ...] = ()
    """Trees laid over the root, later ones winning; permissions are kept, root owns all."""
    packages: tuple[str, ...] = ()
    """Debian packages beside the node's own."""
    archives: tuple[Path, ...] = ()
    """OCI or Docker archives of container images that go into containerd's store beside the control plane's."""
    suite: str = SUITE
    source: Source = "auto"
    upstream_url: str = UPSTREAM_URL


@dataclass(frozen=True)
class ImageDir:
    """A finished image: one folder of the cache."""

    folder: Path

    @property
    def disk(self) -> Path:
        """The node's disk: qcow2, one ext4 filesystem labelled `root`."""
        return self.folder / "node.qcow2"

    @property
    def kernel(self) -> Path:
        """The kernel for direct boot."""
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The initrd for direct boot."""
        return self.folder / "initrd.img"

    @property
    def manifest(self) -> Path:
        """What is in the image, as JSON."""
        return self.folder / "manifest.json"

    def copy_to(self, folder: Path, *, raw: bool = False) -> None:
        """Copy the image's files to `folder`; with `raw` the disk as `node.raw` as well."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in (self.disk, self.kernel, self.initrd, self.manifest):
            run(["cp", "--reflink=auto", str(path), str(folder)])
        if raw:
            write_raw(self.disk, folder / "node.raw")


def image_key(options: ImageOptions) -> str:
    """The content key of the image that `options` give; needs no network and no build.

    Raises `BuildError` for options that cannot be built.
    """
    _check_options(options)
    kinds = {"auto": (options.upstream_url, "modules"), "upstream": (options.upstream_url,), "modules": ("modules",)}[options.source]
    return content_key(
        recipe=tree_digest(_RECIPE),
        programs=[program_key(part, name, kind) for part in PARTS for name in part.programs for kind in kinds],
        debian=debian_key(options.suite, options.packages),
        overlays=[tree_digest(overlay) for overlay in options.overlays],
        archives=[file_digest(archive) for archive in options.archives],
        source=options.source,
    )


def ensure_image(options: ImageOptions, progress: Progress, *, root: Path | None = None) -> ImageDir:
    """Build the image, or find it in the cache.

    Raises `BuildError` if this machine cannot build it, with what is missing.
    """
    root = root or cache_root()
    key = image_key(options)
    entry = root / "images" / key
    if entry.is_dir():
        progress(f"image {key} is in the cache")
        mark_used(entry)
        return ImageDir(entry)
    check_machine()
    with build_lock(root, progress):
        begun = time.monotonic()
        programs = ensure_programs(root, options.source, options.upstream_url, progress)
        debian = ensure_debian(root, options.suite, options.packages, progress)
        if ensure_entry(entry, lambda folder: _assemble(folder, key, options, programs, debian, progress)):
            progress(f"image {key} is built ({time.monotonic() - begun:.0f} s)")
    return ImageDir(entry)


def prune_images(keep: int, progress: Progress, *, root: Path | None = None) -> None:
    """Remove all images, and all Debian systems they are made from, from the cache but the `keep` last used of each."""
    root = root or cache_root()
    with build_lock(root, progress):
        for entry in [*prune(root / "images", keep), *prune(root / "debian", keep)]:
            progress(f"removed {entry.parent.name}/{entry.name}")


def check_machine() -> None:
    """Raise `BuildError`, one line for each thing missing, unless this machine can build an image."""
    wrong: list[str] = []
    if os.geteuid() != 0:
        wrong.append("building an image needs root: owners, device nodes and overlay mounts")
    if os.uname().machine != "x86_64":
        wrong.append(f"the image is for x86_64, this machine is {os.uname().machine}")
    wrong += [f"{tool} is not installed: apt-get install {package}" for tool, package in _TOOLS.items() if not shutil.which(tool)]
    if wrong:
        raise BuildError("\n".join(wrong))


def _check_options(options: ImageOptions) -> None:
    wrong = [f"--overlay {overlay}: no such folder" for overlay in options.overlays if not overlay.is_dir()]
    wrong += [f"archive {archive}: no such file" for archive in options.archives if not archive.is_file()]
    wrong += [f"--packages {name}: not a Debian package name" for name in options.packages if not _PACKAGE.fullmatch(name)]
    if not re.fullmatch(r"[a-z]+", options.suite):
        wrong.append(f"--suite {options.suite}: not a Debian release")
    if wrong:
        raise BuildError("\n".join(wrong))


def _assemble(folder: Path, key: str, options: ImageOptions, programs: dict[str, Program], debian: Path, progress: Progress) -> None:
    tree, archive = folder / "tree", folder / "containers.tar"
    step = _Steps(progress)
    step("Debian tree unpacked", lambda: unpack(debian, tree))
    packages = installed_packages(tree)
    lay_programs(tree, programs)
    containers = step("container images written", lambda: write_images(archive, tree, programs))
    step("container images in containerd's store", lambda: preload(tree, archive, programs, containers, options.archives))
    lay_files(tree, options.overlays)
    set_up_units(tree)
    clean(tree)
    take_boot_files(tree, folder)
    boot = {name: file_digest(folder / name) for name in ("vmlinuz", "initrd.img")}
    contents = Contents(
        key=key,
        suite=options.suite,
        kernel=kernel_release(tree),
        go=go_version(),
        programs=programs.values(),
        containers=containers,
        boot=boot,
        packages=packages,
    )
    text = manifest_text(manifest_of(contents))
    (tree / "etc/underlay").mkdir(exist_ok=True)
    (tree / "etc/underlay/image.json").write_text(text)
    (folder / "manifest.json").write_text(text)
    step("disk written", lambda: write_disk(tree, folder / "node.qcow2"))
    shutil.rmtree(tree)
    archive.unlink()


class _Steps:
    """Runs a step and says how long it took."""

    def __init__(self, progress: Progress) -> None:
        self._progress: Progress = progress

    def __call__(self, name: str, work: Callable[[], _T]) -> _T:
        begun = time.monotonic()
        result = work()
        self._progress(f"{name} ({time.monotonic() - begun:.0f} s)")
        return result
