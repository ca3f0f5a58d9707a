"""The real controller's parser and template, built from its published module: what ingress-nginx itself makes of a ConfigMap."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import golang
from lab.places import cache_dir

MODULE = "k8s.io/ingress-nginx@v0.0.0-20240708192948-52c50467d67d"
"""The newest that Go's module proxy has: between controllers 1.10 and 1.11. Newer keys are not in it (NEWER)."""
SUM = "h1:tZui5g6S4GO1hxLm6yrEoIXLkl4QfeGytlmZqZ+DmdQ="
NEWER = frozenset({"proxy-busy-buffers-size"})
"""Keys of ours that came later: since 1.13.0, and without a default of their own since 1.13.2."""
SOURCE = Path(__file__).parent / "controller" / "main.go"
NEEDED = ("go.mod", "go.sum", "internal", "pkg", "version")
TEMPLATE = Path("rootfs/etc/nginx/template/nginx.tmpl")
FLAGS = ("-trimpath", "-ldflags=-s -w")
DOWNLOAD_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the controller makes of a ConfigMap."""

    configuration: Mapping[str, Any]
    """By the ConfigMap's keys; flags and numbers that are off or 0 may be missing (Go's `omitempty`)."""
    file: str
    """nginx.conf."""


def key() -> str:
    """What the program depends on, as a short hash."""
    return hashlib.sha256(b"\0".join((SOURCE.read_bytes(), MODULE.encode(), SUM.encode(), *(flag.encode() for flag in FLAGS)))).hexdigest()[:16]


def ensure(note: Callable[[str], None]) -> Path:
    """The folder with the program `controller` and its template; built once for each content, which takes minutes."""
    folder = cache_dir() / "controller" / key()
    if folder.exists():
        return folder
    begun = time.monotonic()
    module = _module(golang.command(note))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        copy, made = Path(scratch) / "module", Path(scratch) / "made"
        for name in NEEDED:
            (shutil.copytree if (module / name).is_dir() else shutil.copy)(module / name, _writable(copy) / name)
        place = copy / "cmd" / "underlay"
        place.mkdir(parents=True)
        shutil.copy(SOURCE, place)
        made.mkdir()
        golang.build("./cmd/underlay", made / "controller", module=copy, flags=FLAGS, note=lambda _: None)
        shutil.copy(module / TEMPLATE, made)
        for path in copy.rglob("*"):  # modules' folders are read-only, and so are their copies
            if path.is_dir():
                path.chmod(0o755)
        made.rename(folder)
    note(f"built {MODULE} in {time.monotonic() - begun:.0f} s")
    return folder


def _writable(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _module(go: str) -> Path:
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off"}
    words = [go, "mod", "download", "-json", MODULE]
    with tempfile.TemporaryDirectory() as elsewhere:
        said = subprocess.run(words, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False, timeout=DOWNLOAD_S)
    assert said.returncode == 0, said.stderr
    about = json.loads(said.stdout)
    assert about["Sum"] == SUM, f"{MODULE} has the sum {about['Sum']}, expected {SUM}"
    return Path(about["Dir"])


def answers(folder: Path, maps: Sequence[Mapping[str, str]]) -> list[Answer]:
    """What the controller makes of each ConfigMap's data."""
    words = [str(folder / "controller"), str(folder / TEMPLATE.name)]
    said = subprocess.run(words, input=json.dumps(list(maps)), capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 0, said.stderr
    assert "error" not in said.stderr.lower(), said.stderr  # what it cannot read it only logs
    return [Answer(configuration=answer["configuration"], file=answer["file"]) for answer in json.loads(said.stdout)]
