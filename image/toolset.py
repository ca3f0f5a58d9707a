"""Cutting a few programs, with all they need, out of a Debian tree."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from image.command import run

_FOLDERS = ("bin", "sbin", "lib", "lib64")
"""Links into /usr since Debian 12."""

_LINKS = {
    "usr/bin/sh": "dash",
    **{f"usr/sbin/{name}{verb}": "xtables-nft-multi" for name in ("iptables", "ip6tables") for verb in ("", "-save", "-restore")},
}
"""What Debian makes while a package is set up, and so is in no package's list of files."""


def cut_out(tree: Path, packages: Sequence[str], target: Path) -> None:
    """Copy the files of `packages`, and of the packages they depend on, from `tree` to the new folder `target`."""
    for name in _FOLDERS:
        (target / "usr" / name).mkdir(parents=True)
        (target / name).symlink_to(f"usr/{name}")
    for name in sorted(closure(_dependencies(tree), packages)):
        for listed in _package_files(tree, name):
            _copy(tree, listed, target)
    for link, pointee in _LINKS.items():
        (target / link).unlink(missing_ok=True)
        (target / link).symlink_to(pointee)
    for name in ("dev", "proc", "run", "sys", "tmp", "var", "etc"):
        (target / name).mkdir(exist_ok=True)
    (target / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (target / "etc/group").write_text("root:x:0:\n")
    run(["ldconfig", "-r", str(target)])
    shutil.rmtree(target / "var/cache", ignore_errors=True)


def closure(dependencies: Mapping[str, Iterable[str]], wanted: Iterable[str]) -> set[str]:
    """`wanted` and everything it depends on, directly or not."""
    found: set[str] = set()
    left = list(wanted)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left.extend(dependencies.get(name, ()))
    return found


def _dependencies(tree: Path) -> dict[str, list[str]]:
    """Package to the installed packages among its dependencies."""
    form = "${Package}\t${Pre-Depends}, ${Depends}\\n"
    lines = run(["dpkg-query", f"--admindir={tree}/var/lib/dpkg", "--show", f"--showformat={form}"]).splitlines()
    stated = {name: re.split(r"[,|]", text) for name, _, text in (line.partition("\t") for line in lines)}
    names = {package: [re.sub(r"[\s(:].*", "", item.strip()) for item in items] for package, items in stated.items()}
    return {package: [name for name in needs if name in stated and name not in _NOT_NEEDED] for package, needs in names.items()}


_NOT_NEEDED = ("debconf", "dpkg", "perl-base", "init-system-helpers", "gcc-12-base")
"""Needed to set a package up, not to run its programs. netbase is not among them: without its /etc/protocols ipset takes no entry that names tcp."""


def _package_files(tree: Path, package: str) -> list[str]:
    info = tree / "var/lib/dpkg/info"
    lists = [path for path in (info / f"{package}.list", info / f"{package}:amd64.list") if path.exists()]
    return [line for path in lists for line in path.read_text().splitlines() if not line.startswith("/usr/share/") and "/gconv" not in line]


def _copy(tree: Path, listed: str, target: Path) -> None:
    source = tree / listed.lstrip("/")
    if source.is_dir() or not (source.is_symlink() or source.is_file()):
        return
    copy = target / source.parent.resolve().relative_to(tree.resolve()) / source.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    shutil.copy2(source, copy, follow_symlinks=False)
