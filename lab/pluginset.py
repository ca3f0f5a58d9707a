"""The engine's plugins: the vendor's where they can be had, else the lab's stand-ins."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

import httpx

from lab.engine import CONNECT_S, vendor_url
from lab.places import Lab, offline
from lab.process import attempt

LANGUAGE_HOST = "pulumi-language-python"
SDKS = ("pulumi_command", "pulumi_kubernetes", "pulumi_libvirt", "pulumi_random", "pulumi_tls")
INSTALL_S = 300.0


@dataclass(frozen=True, kw_only=True)
class PluginSet:
    """Which plugins the engine finds: the engine to run, directories to put first on PATH, and whether they are the lab's stand-ins."""

    engine: Path
    path_first: tuple[Path, ...]
    stand_ins: bool


def ensure(lab: Lab, engine: Path, note: Callable[[str], None]) -> PluginSet:
    """The plugins of this lab. The choice holds until `down`: state that one set made is not for the other."""
    chosen = lab.root / "plugins"
    if not chosen.exists():
        kind = "vendor" if install_vendors(lab, engine, note) else "stand-in"
        lab.root.mkdir(parents=True, exist_ok=True)
        chosen.write_text(f"{kind}\n")
    if chosen.read_text().strip() == "vendor":
        return PluginSet(engine=engine, path_first=(engine.parent,), stand_ins=False)
    # Imported here: a lab with the vendor's plugins needs nothing of the stand-ins.
    from lab.plugins.install import install

    bin_dir = lab.root / "bin"
    install(bin_dir, Path(sys.executable), lab.checkout, pulumi=engine, pulumi_home=lab.root / "home")
    return PluginSet(engine=bin_dir / "pulumi", path_first=(bin_dir,), stand_ins=True)


def published(sdk: str) -> tuple[str, str, str | None]:
    """Name, version and download server of the plugin that a provider's SDK goes with."""
    about = json.loads((resources.files(sdk) / "pulumi-plugin.json").read_text())
    return about["name"], about.get("version") or metadata.version(sdk.replace("_", "-")), about.get("server")


def install_vendors(lab: Lab, engine: Path, note: Callable[[str], None]) -> bool:
    """Install the vendor's plugins into the lab; False where the vendor's host or one plugin cannot be had."""
    if offline() or not ((engine.parent / LANGUAGE_HOST).exists() or shutil.which(LANGUAGE_HOST)):
        return False
    try:
        httpx.head(vendor_url(), timeout=CONNECT_S)
    except httpx.HTTPError:
        return False
    environment: Mapping[str, str] = {**os.environ, "PULUMI_HOME": str(lab.root / "home"), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    for sdk in SDKS:
        name, version, server = published(sdk)
        note(f"installing the vendor's {name} plugin {version}")
        words = [engine, "plugin", "install", "resource", name, f"v{version}", *(["--server", server] if server else [])]
        if attempt(words, timeout_s=INSTALL_S, env=environment).returncode != 0:
            return False
    return True
