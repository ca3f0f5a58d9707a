"""What differs between two `prepare` scripts of a node (render/templates/prepare.sh.j2): files, sysctls, modules, table sizes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_FILE: Final = re.compile(r"(?m)^put (?P<mode>\S+) (?P<path>\S+)(?: (?P<unit>[\w.-]+))? <<'(?P<end>\w+)'\n(?P<text>.*?)^(?P=end)$", re.DOTALL)
_SYSCTL: Final = re.compile(r"(?m)^  set_sysctl (?P<name>\S+) (?P<value>'[^']*'|\S+) ")
_MODULES: Final = re.compile(r"(?m)^  local wanted=\((?P<names>[^)]*)\)$")
_BUCKETS: Final = re.compile(r"(?m)^  if \[\[ \$buckets != (?P<buckets>\d+) ")
_VERSION: Final = re.compile(r"cluster\.kubernetes_version is (?P<version>[\d.]+):")


@dataclass(frozen=True, kw_only=True)
class NodeFile:
    """A file that the script keeps."""

    mode: str
    text: str
    unit: str
    """The systemd unit that restarts when the file changes; empty for none."""


@dataclass(frozen=True, kw_only=True)
class NodeScript:
    """What a script keeps on its node."""

    files: Mapping[str, NodeFile]
    sysctls: Mapping[str, str]
    modules: tuple[str, ...]
    buckets: str
    version: str


def read(script: str) -> NodeScript | None:
    """What stands in a script; None where it is not known or not of this form."""
    version = _VERSION.search(script)
    if version is None:
        return None
    modules, buckets = _MODULES.search(script), _BUCKETS.search(script)
    return NodeScript(
        files={found["path"]: NodeFile(mode=found["mode"], text=found["text"], unit=found["unit"] or "") for found in _FILE.finditer(script)},
        sysctls={found["name"]: found["value"].strip("'") for found in _SYSCTL.finditer(script)},
        modules=tuple(modules["names"].split()) if modules else (),
        buckets=buckets["buckets"] if buckets else "",
        version=version["version"],
    )


def changed_files(before: NodeScript, after: NodeScript) -> dict[str, str]:
    """Paths of files that differ, come or go, and the unit that restarts for them."""
    paths = sorted(before.files.keys() | after.files.keys())
    differing = [path for path in paths if before.files.get(path) != after.files.get(path)]
    return {path: (after.files.get(path) or before.files[path]).unit for path in differing}


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Names whose values differ, with both; an empty text where there is none."""
    names = [*after, *(name for name in before if name not in after)]
    return {name: (before.get(name, ""), after.get(name, "")) for name in names if before.get(name) != after.get(name)}
