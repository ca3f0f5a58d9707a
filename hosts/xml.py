"""libvirt's XML in numbers. Nothing here raises for what a host said: what cannot be read is None, 0 or empty."""

import re
from typing import Final
from xml.etree import ElementTree

MOST_CPUS: Final = 4096
"""What the kernel has at most (CONFIG_NR_CPUS of x86-64 is 8192, of distributions less); a longer range is nonsense."""
UNITS: Final = {"b": 1, "bytes": 1, "KB": 1000, "k": 1024, "KiB": 1024, "MB": 10**6, "M": 2**20, "MiB": 2**20, "GB": 10**9, "G": 2**30, "GiB": 2**30}


def document(text: str) -> ElementTree.Element | None:
    """The document of an answer; None where it is none."""
    try:
        return ElementTree.fromstring(text.strip())  # noqa: S314 - a hypervisor's own answer; expat has no network and bounds entities
    except ElementTree.ParseError:
        return None


def number(text: str | None) -> int:
    """A whole number, 0 where it is none."""
    return int(text) if text is not None and re.fullmatch(r"\s*\d{1,18}\s*", text, re.ASCII) else 0


def kib(element: ElementTree.Element | None) -> int:
    """An amount with its unit, in KiB."""
    return 0 if element is None else kib_of(element.text, element.get("unit"))


def kib_of(text: str | None, unit: str | None) -> int:
    """The same in words."""
    return number(text) * UNITS.get(unit or "KiB", 1024) // 1024


def cpu_set(text: str | None) -> frozenset[int]:
    """CPUs as libvirt writes them: 0-3,^2,8."""
    found: set[int] = set()
    for part in (text or "").split(","):
        named = re.fullmatch(r"\s*(\^?)\s*(\d{1,4})(?:-(\d{1,4}))?\s*", part, re.ASCII)
        if named is None:
            continue
        cpus = {cpu for cpu in range(int(named[2]), int(named[3] or named[2]) + 1) if cpu < MOST_CPUS}
        found = found - cpus if named[1] else found | cpus
    return frozenset(found)
