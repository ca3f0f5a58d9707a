"""A domain's definition in libvirt's XML as facts: what it takes of its host. Nothing here raises for what a host said."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from hosts.xml import cpu_set, document, kib, kib_of, number

METADATA: Final = "https://underlay.dev/libvirt/1"
"""Namespace of the mark that says whose a domain is."""
_MARK: Final = f"metadata/{{{METADATA}}}machine"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A domain that a host has."""

    name: str
    running: bool
    kind: str
    vcpus: int
    memory_kib: int
    macs: frozenset[str]
    pinned: frozenset[int]
    """Host CPUs that its vCPUs and its other threads are held to."""
    vcpus_on: frozenset[int]
    """Host CPUs that those of its vCPUs are held to that are held to any."""
    floating: bool
    """Whether a vCPU of it may run on every CPU of the host."""
    alone: bool
    """Whether each of its vCPUs is held to one CPU of its own."""
    huge: bool
    page_kib: int
    """Size of its huge pages; 0 where it has none, or names no size."""
    numa: frozenset[int]
    """NUMA nodes that all its memory is bound to; empty: any."""
    environment: str
    """underlay's environment that made it; empty where none says so."""
    policy: str
    """CPU policy that underlay gave it; empty where none says so."""
    pci: frozenset[str]
    """PCI devices of the host that it has, as 0000:41:00.0."""
    blocks: frozenset[str]
    """Block devices of the host that it has, by the paths that it names."""


def machine(name: str, definition: str, *, running: bool) -> Machine | None:
    """A domain's definition in numbers; None where it cannot be read."""
    domain = document(definition)
    if domain is None:
        return None
    vcpu = domain.find("vcpu")
    vcpus = max(number(vcpu.text if vcpu is not None else None), 1)
    held = list(_held(domain, vcpu, vcpus))
    others = [cpu_set(pin.get("cpuset")) for path in ("emulatorpin", "iothreadpin") for pin in domain.iterfind(f"cputune/{path}")]
    page = domain.find("memoryBacking/hugepages/page")
    memory, mark = domain.find("numatune/memory"), domain.find(_MARK)
    bound = memory is not None and memory.get("mode", "strict") in ("strict", "restrictive")
    vcpus_on = frozenset[int]().union(*held)
    return Machine(
        name=name,
        running=running,
        kind=domain.get("type", ""),
        vcpus=vcpus,
        memory_kib=kib(domain.find("memory")),
        macs=frozenset(mac.get("address", "").lower() for mac in domain.iterfind("devices/interface/mac")),
        pinned=vcpus_on.union(*others),
        vcpus_on=vcpus_on,
        floating=not all(held),
        alone=len(vcpus_on) == vcpus and all(len(cpus) == 1 for cpus in held),
        huge=domain.find("memoryBacking/hugepages") is not None,
        page_kib=kib_of(page.get("size"), page.get("unit")) if page is not None else 0,
        numa=cpu_set(memory.get("nodeset")) if memory is not None and bound else frozenset[int](),
        environment=mark.get("environment", "") if mark is not None else "",
        policy=mark.get("cpu-policy", "") if mark is not None else "",
        pci=frozenset(_pci(domain)),
        blocks=frozenset(source.get("dev", "") for source in domain.iterfind("devices/disk[@type='block']/source")),
    )


def _held(domain: ElementTree.Element, vcpu: ElementTree.Element | None, vcpus: int) -> Iterator[frozenset[int]]:
    """The host CPUs of each vCPU; an empty set: all."""
    everywhere = cpu_set(vcpu.get("cpuset") if vcpu is not None else None)
    pins = {number(pin.get("vcpu")): cpu_set(pin.get("cpuset")) for pin in domain.iterfind("cputune/vcpupin")}
    return (pins.get(index, everywhere) for index in range(vcpus))


def _pci(domain: ElementTree.Element) -> Iterator[str]:
    sources = [*domain.iterfind("devices/hostdev[@type='pci']/source"), *domain.iterfind("devices/disk[@type='nvme']/source")]
    for source in sources:
        if (address := source.find("address")) is not None:
            yield pci_address(*(address.get(name) for name in ("domain", "bus", "slot", "function")))


def pci_address(domain: str | None, bus: str | None, slot: str | None, function: str | None) -> str:
    """A PCI address as Linux writes it, from numbers as libvirt does: decimal, or hexadecimal with 0x."""
    parts = [_whole(part) for part in (domain, bus, slot, function)]
    return f"{parts[0]:04x}:{parts[1]:02x}:{parts[2]:02x}.{parts[3]:x}"


def _whole(text: str | None) -> int:
    try:
        return int(text or "0", 16 if (text or "").lower().startswith("0x") else 10)
    except ValueError:
        return 0
