"""The programs that Debian does not have in the version wanted: fetched from their project, else built from Go modules."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from image.cache import build_lock, cache_root, ensure_entry
from image.command import BuildError, Progress, run
from image.key import content_key, file_digest, tree_digest
from image.pins import GO_MINIMUM, MODULES, PARTS, UPSTREAM_URL, Part
from image.upstream import Upstream

Source = Literal["auto", "upstream", "modules"]
"""Where programs come from: the project's own release files, its Go modules, or the first of the two that can be had."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program in the cache."""

    name: str
    version: str
    source: str
    """`go:<module>@<version>` or the URL it was fetched from."""
    sha256: str
    path: Path


def ensure_programs(root: Path, source: Source, upstream_url: str, progress: Progress) -> dict[str, Program]:
    """Make all programs, or find them in the cache at `root`; the caller holds the build lock.

    Raises `BuildError` if a program cannot be had.
    """
    upstream = Upstream(upstream_url)
    return {name: _ensure_program(root, part, name, source, upstream, progress) for part in PARTS for name in part.programs}


def ensure_binaries(
    progress: Progress, *, source: Source = "auto", upstream_url: str = UPSTREAM_URL, out: Path | None = None, root: Path | None = None
) -> Path:
    """Make all programs for use on this machine and give the folder they are in (`out`, else one in the cache)."""
    root = root or cache_root()
    with build_lock(root, progress):
        programs = ensure_programs(root, source, upstream_url, progress)

        def link(folder: Path) -> None:
            for program in programs.values():
                _link_or_copy(program.path, folder / program.name)

        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            link(out)
            return out
        entry = root / "bin" / content_key(programs={name: program.sha256 for name, program in programs.items()})
        ensure_entry(entry, link)
        return entry


def program_key(part: Part, name: str, kind: str) -> str:
    """The content key of one program of `part` that comes from `kind` (an upstream URL, or "modules")."""
    if kind != "modules":
        return content_key(program=name, version=part.version, url=kind)
    return content_key(command=_go_command(part, name, "OUT"), module=tree_digest(MODULES / part.name), env=GO_ENV, go=go_version())


def go_version() -> str:
    """What `go env GOVERSION` says, or "" if there is no Go."""
    # Within a module, an older Go may answer with the newer one that it fetches for it.
    return run(["go", "env", "GOVERSION"], cwd=MODULES / "containerd").strip() if shutil.which("go") else ""


def _ensure_program(root: Path, part: Part, name: str, source: Source, upstream: Upstream, progress: Progress) -> Program:
    for kind in _kinds(part, source, upstream.url):
        entry = root / "programs" / f"{name}-{program_key(part, name, kind)}"
        if entry.is_dir():
            return _read_program(entry, name)
    for kind in _kinds(part, source, upstream.url):
        if kind != "modules" and not upstream.reachable(part.version, progress):
            continue
        entry = root / "programs" / f"{name}-{program_key(part, name, kind)}"
        begun = time.monotonic()
        progress(f"{name} {part.version}: {'building' if kind == 'modules' else 'fetching'}")
        ensure_entry(entry, lambda folder, kind=kind: _make_program(folder, part, name, kind, upstream))
        program = _read_program(entry, name)
        progress(f"{name} {part.version} from {program.source} ({time.monotonic() - begun:.0f} s)")
        return program
    raise BuildError(f"{name} {part.version} cannot be had from {upstream.url}: allow it to be built from its Go module (--source auto)")


def _kinds(part: Part, source: Source, url: str) -> list[str]:
    kinds = [url] if part.upstream and source != "modules" else []
    return kinds if kinds and source == "upstream" else [*kinds, "modules"]


def _make_program(folder: Path, part: Part, name: str, kind: str, upstream: Upstream) -> None:
    target = folder / name
    if kind == "modules":
        _check_go()
        run(_go_command(part, name, str(target)), cwd=MODULES / part.name, env={**os.environ, **GO_ENV})
        origin = f"go:{part.module}@{part.version}"
    else:
        origin = upstream.fetch(part.version, name, target)
    target.chmod(0o755)
    record = {"name": name, "version": part.version, "source": origin, "sha256": file_digest(target)}
    (folder / "program.json").write_text(json.dumps(record, indent=2) + "\n")


def _read_program(entry: Path, name: str) -> Program:
    record = json.loads((entry / "program.json").read_text())
    return Program(name=name, version=record["version"], source=record["source"], sha256=record["sha256"], path=entry / name)


GO_ENV = {"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v1", "GOFLAGS": "-mod=readonly"}


def _go_command(part: Part, name: str, target: str) -> list[str]:
    tags = ["-tags", part.tags] if part.tags else []
    return ["go", "build", "-trimpath", "-buildvcs=false", *tags, "-ldflags", part.ldflags, "-o", target, part.programs[name]]


def _check_go() -> None:
    found = re.fullmatch(r"go(\d+)\.(\d+).*", go_version())
    if not found or (int(found[1]), int(found[2])) < GO_MINIMUM:
        wanted = ".".join(map(str, GO_MINIMUM))
        raise BuildError(f"Go {wanted} or newer is needed ({found[0] if found else 'none'} found): install it from go.dev or Debian backports")


def _link_or_copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # another filesystem
        shutil.copy2(source, target)
