"""Laying the product's files, units and programs over the Debian tree."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from image.command import run
from image.parts import Program
from image.pins import DISABLED_UNITS, ENABLED_UNITS, MASKED_UNITS, NODE_PROGRAMS

_FILES = Path(__file__).parent / "files"

_IDENTITY = (
    "etc/ssh/ssh_host_*",  # the seed brings them
    "etc/apt/apt.conf.d/99mmdebstrap",  # this machine's proxy
    "etc/hostname",
    "etc/resolv.conf",
    "etc/keepalived/*.sample",
    "var/log/*.log",
    "var/log/apt/*",
    "var/cache/ldconfig/*",
    "var/cache/debconf/*-old",
    "var/lib/dpkg/*-old",
    "var/lib/systemd/random-seed",
    "boot/System.map-*",
    "vmlinuz*",
    "initrd.img*",
)
"""What belongs to the machine that built the tree, or to nobody."""


_USER_INFO = re.compile(r"://[^/@\s]+@")
"""A name and password in a package source."""


def lay_programs(tree: Path, programs: Mapping[str, Program]) -> None:
    """Put kubeadm's and containerd's programs where the node looks for them."""
    for folder, names in NODE_PROGRAMS.items():
        target = tree / folder.lstrip("/")
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(programs[name].path, target / name)
            (target / name).chmod(0o755)


def lay_files(tree: Path, overlays: Iterable[Path]) -> None:
    """Lay the product's own files, then each overlay, over `tree`; later ones win."""
    _lay(_FILES, tree, modes=False)
    for overlay in overlays:
        _lay(overlay, tree, modes=True)


def set_up_units(tree: Path) -> None:
    """Enable, disable and mask systemd units, offline."""
    for verb, units in (("enable", ENABLED_UNITS), ("disable", DISABLED_UNITS), ("mask", MASKED_UNITS)):
        run(["systemctl", f"--root={tree}", "--quiet", verb, *units])


def clean(tree: Path) -> None:
    """Remove what would make two nodes alike, or tell about the machine that built them."""
    for pattern in _IDENTITY:
        # A link to nothing is not found by glob when it is named in full.
        for path in tree.glob(pattern) if "*" in pattern else [tree / pattern]:
            path.unlink(missing_ok=True)
    for sources in (tree / "etc/apt").rglob("*"):
        if sources.suffix in (".list", ".sources") and sources.is_file():
            sources.write_text(_USER_INFO.sub("://", sources.read_text()))
    (tree / "etc/machine-id").write_text("")  # empty, not missing: an id is made at boot, without a first-boot round of presets
    (tree / "etc/hostname").write_text("localhost\n")
    (tree / "etc/resolv.conf").symlink_to("/run/systemd/resolve/resolv.conf")
    generator = tree / "etc/systemd/system-generators/cloud-init-generator"
    generator.parent.mkdir(parents=True, exist_ok=True)
    generator.symlink_to("/dev/null")  # it looks for a seed with a hundred forks; a node always has one
    wants = tree / "etc/systemd/system/sysinit.target.wants/cloud-init-local.service"
    wants.symlink_to("/lib/systemd/system/cloud-init-local.service")


def take_boot_files(tree: Path, folder: Path) -> None:
    """Move the kernel and its initrd out of `tree` into `folder` as `vmlinuz` and `initrd.img`."""
    for name in ("vmlinuz", "initrd.img"):
        found = sorted((tree / "boot").glob(f"{name}-*"))
        shutil.copyfile(found[-1], folder / name)
        for path in found:
            path.unlink()


def kernel_release(tree: Path) -> str:
    """The release of the kernel in `tree`, as `uname -r` will print it."""
    return max(path.name for path in (tree / "lib/modules").iterdir())


def _lay(source: Path, tree: Path, *, modes: bool) -> None:
    for path in sorted(source.rglob("*")):
        target = tree / path.relative_to(source)
        if path.is_symlink():
            target.unlink(missing_ok=True)
            target.symlink_to(path.readlink())
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if not modes:  # a checkout keeps only whether a file may be executed
            mode = 0o755 if path.is_dir() or mode & 0o100 else 0o644
        if path.is_dir():
            if not target.is_dir():
                target.mkdir()
                target.chmod(mode)
            continue
        target.unlink(missing_ok=True)
        shutil.copyfile(path, target)
        target.chmod(mode)
        os.chown(target, 0, 0)
