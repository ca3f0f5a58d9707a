"""The Debian system of the node, made by mmdebstrap from the package sources of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from image.cache import ensure_entry
from image.command import Progress, run
from image.key import content_key, file_digest, tree_digest
from image.pins import EXCLUDED_PATHS, NODE_PACKAGES, SOURCE_DATE_EPOCH

_INITRAMFS = Path(__file__).parent / "initramfs"
_ACQUIRE = re.compile(r'^Acquire::(https?::|Check-|Max-ValidTime|Min-ValidTime|Retries).*".+";$')


def debian_key(suite: str, packages: Sequence[str]) -> str:
    """The content key of the Debian system.

    Where packages are fetched from is no part of it: Debian's archive keys say what is genuine.
    """
    names = [*NODE_PACKAGES, *sorted(packages)]
    recipe = file_digest(Path(__file__))
    return content_key(
        suite=suite, packages=names, excluded=EXCLUDED_PATHS, initramfs=tree_digest(_INITRAMFS), epoch=SOURCE_DATE_EPOCH, recipe=recipe
    )


def ensure_debian(root: Path, suite: str, packages: Sequence[str], progress: Progress) -> Path:
    """The Debian system as `rootfs.tar`, made now or found in the cache at `root`; the caller holds the build lock.

    Raises `BuildError` if mmdebstrap fails.
    """
    entry = root / "debian" / f"{suite}-{debian_key(suite, packages)}"
    begun = time.monotonic()

    def fill(folder: Path) -> None:
        progress(f"Debian {suite}: fetching and installing packages")
        with tempfile.TemporaryDirectory() as temporary:
            sources, apt_options = Path(temporary, "sources.list"), Path(temporary, "apt.conf")
            sources.write_text(_machine_sources(suite))
            apt_options.write_text(_machine_acquire_options())
            mirror = [str(sources)] if sources.stat().st_size else []
            command = [*_command(packages), f"--aptopt={apt_options}", suite, str(folder / "rootfs.tar"), *mirror]
            run(command, env={**os.environ, "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH)})

    if ensure_entry(entry, fill):
        progress(f"Debian {suite}: installed ({time.monotonic() - begun:.0f} s)")
    return entry / "rootfs.tar"


def unpack(archive: Path, tree: Path) -> None:
    """Unpack a root file system with owners, permissions and capabilities."""
    tree.mkdir(mode=0o755)
    run(
        [
            "tar",
            "--extract",
            "--numeric-owner",
            "--preserve-permissions",
            "--xattrs",
            "--xattrs-include=*",
            f"--file={archive}",
            f"--directory={tree}",
        ]
    )


def installed_packages(tree: Path) -> dict[str, str]:
    """Name to version of every Debian package in `tree`."""
    lines = run(["dpkg-query", f"--admindir={tree}/var/lib/dpkg", "--show", "--showformat=${Package} ${Version}\\n"]).splitlines()
    return dict(line.split(" ", 1) for line in sorted(lines))


def _command(packages: Sequence[str]) -> list[str]:
    names = ",".join([*NODE_PACKAGES, *sorted(packages)])
    return [
        "mmdebstrap",
        "--quiet",
        "--mode=root",
        "--variant=minbase",
        "--architectures=amd64",
        f"--include={names}",
        *(f"--dpkgopt=path-exclude={path}" for path in EXCLUDED_PATHS),
        '--aptopt=APT::Install-Recommends "false"',
        # Before the kernel is installed, so that its initrd is made once and as wanted.
        "--essential-hook=mkdir -p $1/usr/share/initramfs-tools/modules.d $1/etc/initramfs-tools/conf.d",
        f"--essential-hook=copy-in {_INITRAMFS}/modules /usr/share/initramfs-tools/modules.d",
        f"--essential-hook=copy-in {_INITRAMFS}/underlay.conf /etc/initramfs-tools/conf.d",
    ]


def _machine_sources(suite: str) -> str:
    """The sources of this machine for `suite`, one a line; empty if it has none (mmdebstrap then takes Debian's own)."""
    if not shutil.which("apt-get"):
        return ""
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    found = {tuple(line.split()) for line in run(["apt-get", "indextargets", "--format", form, "Identifier: Packages"]).splitlines()}
    wanted = (suite, f"{suite}-updates", f"{suite}-security")
    lines = sorted((release, f"deb {uri} {release} {component}\n") for uri, release, component in found if release in wanted and component == "main")
    return "".join(line for _, line in lines) if any(release == suite for release, _ in lines) else ""


def _machine_acquire_options() -> str:
    """How this machine's apt fetches: proxies, certificates, retries."""
    if not shutil.which("apt-config"):
        return ""
    lines = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout.splitlines()
    return "".join(f"{line}\n" for line in lines if _ACQUIRE.match(line))
