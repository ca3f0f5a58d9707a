"""Why a machine is made anew, in the words of the settings."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from ops.preview.document import Change
from ops.preview.values import Difference, differences, plain, text_at

_FIELDS: Final = {
    "memory": ("memory", " MiB"),
    "vcpu": ("vCPUs", ""),
    "type": ("domain type", ""),
    "machine": ("machine type", ""),
    "kernel": ("kernel", ""),
    "initrd": ("initrd", ""),
}
_DRIVERS: Final = (
    (r"underlay:machine", "CPU policy"),
    (r"vcpupin|emulatorpin|iothreadpin|cputune", "CPU pins"),
    (r"numatune", "NUMA node"),
    (r"hugepages|memoryBacking|page size|nosharepages", "huge pages"),
    (r"<locked", "memory locking"),
    (r"<cpu mode|<model|<feature", "CPU model"),
    (r"<topology", "guest topology"),
    (r"<disk |<serial>|<hostdev|<source", "data disks"),
    (r'"cache"|"io"|"discard"|"iothread"|"queue_size"|<iothreads|<iothread |<driver name="qemu"', "disk driver"),
    (r'<driver(?! name="qemu")|rx_queue_size|interface', "NIC driver"),
)
"""What a changed line of the domain's stylesheet (render/templates/domain.xslt.j2) is about; `queues` is in both drivers."""


def of_domain(domain: Change, seed: Change | None) -> str:
    """What changed of a machine whose root volume stays."""
    found = [reason for path in _names(domain) for reason in _domain_reason(domain, path, seed)]
    return ", ".join(dict.fromkeys(found)) or "the engine replaces its domain"


def of_volume(volume: Change, image: Mapping[str, str]) -> str:
    """What changed of a machine whose root volume is made anew."""
    names = _names(volume)
    found: list[str] = []
    if {"baseVolumeId", "source"} & set(names):
        found.append("the image changed" + (f" ({plain(image['before'])} → {plain(image['after'])})" if image else ""))
    if "size" in names or "xml" in names:
        old, new = _gib(volume.before), _gib(volume.after)
        found.append(f"its disk size changed ({old} → {new} GiB)" if old and new and old != new else "its disk changed")
    return ", ".join(found) or "its root volume is replaced"


def _gib(inputs: Mapping[str, Any]) -> str:
    size = inputs.get("size")
    return f"{size / 2**30:g}" if isinstance(size, (int, float)) else ""


def _names(change: Change) -> tuple[str, ...]:
    """Top-level properties for which a resource is replaced; what differs where nobody says why."""
    named = [re.split(r"[.\[]", path)[0] for path in change.reasons]
    return tuple(dict.fromkeys(named or [re.split(r"[.\[]", item.path)[0] for item in change.differences()]))


def _domain_reason(domain: Change, name: str, seed: Change | None) -> Iterator[str]:
    old: Any = domain.before.get(name)
    new: Any = domain.after.get(name)
    if name in _FIELDS:
        label, unit = _FIELDS[name]
        known = old != new and not _unknown(new)
        yield f"{label} changed ({plain(old)} → {plain(new)}{unit})" if known else f"{label} changed"
    elif name == "xml":
        yield from _stylesheet(text_at(domain.before, "xml.xslt"), text_at(domain.after, "xml.xslt"))
    elif name == "cloudinit":
        yield from _seed_reasons(seed)
    elif name == "cpu":
        yield f"CPU changed ({'; '.join(str(item) for item in differences(old, new))})"
    elif name == "networkInterfaces":
        yield "its NIC's attachment or MAC changed"
    elif name == "cmdlines":
        yield "kernel command line changed"
    elif name != "disks":  # they change with the volume, which says so itself
        yield f"{name} changed"


def _unknown(value: object) -> bool:
    return isinstance(value, str) and value.startswith("[")


def _stylesheet(before: str, after: str) -> Iterator[str]:
    changed = [line for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="") if line[:1] in "+-"]
    found = [label for pattern, label in _DRIVERS if any(re.search(pattern, line) for line in changed)]
    if any('"queues"' in line for line in changed) and "NIC driver" not in found and "disk driver" not in found:
        found.append("queues")
    if found:
        yield f"{', '.join(found)} changed"
    else:
        yield "its libvirt definition changed"


def _seed_reasons(seed: Change | None) -> Iterator[str]:
    if seed is None:
        yield "its seed changed"
        return
    found = list(link_differences(seed))
    if found:
        yield "; ".join(f"network configuration: {item.path.rpartition('.')[2]} {item}" for item in found)
    if any(item.path.startswith(("userData", "metaData")) for item in seed.differences()) or not found:
        yield "its identity (host name, host key or first SSH key) changed"


def link_differences(seed: Change) -> Iterator[Difference]:
    """What differs of the node's own network, from the seed's network configuration."""
    sides: list[Any] = [_yaml(text_at(side, "networkConfig")) for side in (seed.before, seed.after)]
    yield from differences(sides[0], sides[1])


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError:
        return {}
