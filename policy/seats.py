"""Where a domain's vCPUs run, read from the stylesheet that completes its definition."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from policy.facts import machine_of
from policy.model import Resource, Stack

DOMAIN: Final = "libvirt:index/domain:Domain"
_PIN: Final = re.compile(r"<vcpupin\b([^>]*)>")
_OWN_THREADS: Final = re.compile(r"<(?:emulatorpin|iothreadpin)\b([^>]*)>")
_ATTRIBUTE: Final = re.compile(r"""([\w-]+)\s*=\s*["']([^"']*)["']""")
_POLICY: Final = re.compile(r"""cpu-policy=["']([a-z]+)["']""")


@dataclass(frozen=True, kw_only=True)
class Seat:
    """The CPUs of one domain."""

    name: str
    policy: str
    """dedicated, shared, emulated; empty where nothing says it."""
    overcommit: float
    vcpus: int
    pins: tuple[frozenset[int], ...]
    """CPUs of each vCPU that is pinned."""
    own_threads: frozenset[int]
    """CPUs of QEMU's emulator and I/O threads, where they are pinned."""

    @property
    def cpus(self) -> frozenset[int]:
        """All CPUs that its vCPUs may run on."""
        return frozenset[int]().union(*self.pins)


def seat_of(domain: Resource, stack: Stack) -> Seat:
    """The seat of a domain; its policy is the one in its definition, else its machine's."""
    stylesheet = domain.text("xml", "xslt")
    pins, own_threads, policy = _read(stylesheet)
    machine = machine_of(domain, stack)
    return Seat(
        name=domain.text("name") or domain.name,
        policy=policy or (machine.cpu_policy if machine else ""),
        overcommit=machine.overcommit if machine else 1.0,
        vcpus=int(domain.number("vcpu")) or 1,
        pins=pins,
        own_threads=own_threads,
    )


def cpu_set(text: str) -> frozenset[int]:
    """CPUs of libvirt's form `0-3,^2,8`; none of what is no such form."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.strip().lstrip("^").partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            return frozenset()
        cpus = range(int(first), int(last or first) + 1)
        found = found - set(cpus) if part.strip().startswith("^") else found | set(cpus)
    return frozenset(found)


def ranges(cpus: frozenset[int]) -> str:
    """CPUs for people: 4-7,36."""
    groups: list[list[int]] = []
    for cpu in sorted(cpus):
        if groups and cpu == groups[-1][-1] + 1:
            groups[-1].append(cpu)
        else:
            groups.append([cpu])
    return ",".join(str(group[0]) if len(group) == 1 else f"{group[0]}-{group[-1]}" for group in groups)


def counted(cpus: frozenset[int]) -> str:
    """The same as a noun: CPU 5, CPUs 4-7,36."""
    return f"{'CPU' if len(cpus) == 1 else 'CPUs'} {ranges(cpus)}"


@lru_cache(maxsize=4096)
def _read(stylesheet: str) -> tuple[tuple[frozenset[int], ...], frozenset[int], str]:
    pins = {attributes.get("vcpu", ""): cpu_set(attributes.get("cpuset", "")) for attributes in _attributes(_PIN, stylesheet)}
    own = frozenset[int]().union(*(cpu_set(attributes.get("cpuset", "")) for attributes in _attributes(_OWN_THREADS, stylesheet)))
    policy = _POLICY.search(stylesheet)
    return tuple(pins.values()), own, policy.group(1) if policy else ""


def _attributes(element: re.Pattern[str], text: str) -> list[dict[str, str]]:
    return [dict(_ATTRIBUTE.findall(found)) for found in element.findall(text)]
