"""A running domain's definition, as far as the stack declares it. What is not there is empty, never an error."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

MARK = "metadata/{https://underlay.dev/libvirt/1}machine"
"""Where underlay writes whose machine it is."""
UNITS = {"KiB": 1, "k": 1, "K": 1, "MiB": 1024, "M": 1024, "GiB": 1024**2, "G": 1024**2}


@dataclass(frozen=True, kw_only=True)
class FoundDisk:
    """A disk of a domain."""

    type: str
    """file, block, volume, network, nvme ..."""
    driver: Mapping[str, str]
    """Attributes of its driver."""
    source: Mapping[str, str]
    address: str
    """PCI address of an nvme disk's drive."""
    bus: str
    serial: str
    threads: tuple[str, ...]
    """I/O threads that serve it, by number."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A running domain."""

    disk_type: str = ""
    """file, block, volume, network ..."""
    disk_source: dict[str, str] = field(default_factory=dict[str, str])
    disks: dict[str, FoundDisk] = field(default_factory=dict[str, FoundDisk])
    """All disks, by what the guest calls them: vda."""
    passed_through: frozenset[str] = frozenset()
    """PCI addresses of the host's devices that it has itself."""
    nic: dict[str, str] = field(default_factory=dict[str, str])
    """Attributes of the NIC's driver."""
    io_threads: str = ""
    page_kib: str = ""
    """Size of the huge pages behind its memory; empty: none."""
    locked: bool = False
    """Whether its memory is kept in the host's."""
    vcpus: str = ""
    memory_kib: str = ""
    emulator: str = ""
    """CPUs of QEMU's own threads."""
    vcpu_pins: dict[str, str] = field(default_factory=dict[str, str])
    """CPUs of each vCPU that is held to any."""
    io_thread_pins: dict[str, str] = field(default_factory=dict[str, str])
    numa: dict[str, str] = field(default_factory=dict[str, str])
    """How its memory is bound to NUMA nodes: mode and nodeset."""
    cpu_mode: str = ""
    cpu_model: str = ""
    cpu_topology: dict[str, str] = field(default_factory=dict[str, str])
    cpu_features: dict[str, str] = field(default_factory=dict[str, str])
    """Policy of each feature that is named."""
    balloon: str = ""
    """Model of the memory balloon."""
    mark: dict[str, str] = field(default_factory=dict[str, str])
    """What underlay wrote of it: environment, node, cpu-policy."""


def machine_of(definition: str) -> tuple[Machine, str]:
    """A definition read, and why it cannot be."""
    try:
        root = ElementTree.fromstring(definition)  # noqa: S314 - its own hypervisor's answer; expat has no network and bounds entities
    except (ElementTree.ParseError, ValueError):
        return Machine(), "virsh's answer is no definition of a machine"
    disk = next((item for item in root.findall("devices/disk") if item.get("device", "disk") == "disk" and item.find("readonly") is None), None)
    if root.tag != "domain" or disk is None or not disk.get("type"):
        return Machine(), "its definition has no disk"
    cpu = root.find("cpu")
    return Machine(
        disk_type=disk.get("type", ""),
        disk_source=_attributes(disk.find("source")),
        disks={_attributes(item.find("target")).get("dev", ""): _disk(item) for item in root.findall("devices/disk")},
        passed_through=frozenset(_pci(source) for source in root.findall("devices/hostdev[@type='pci']/source")),
        nic=_attributes(root.find("devices/interface/driver")),
        io_threads=(root.findtext("iothreads") or "").strip(),
        page_kib=_page(root.find("memoryBacking/hugepages/page")),
        locked=root.find("memoryBacking/locked") is not None,
        vcpus=_current(root.find("vcpu")),
        memory_kib=_amount(root.find("memory")),
        emulator=_attributes(root.find("cputune/emulatorpin")).get("cpuset", ""),
        vcpu_pins=dict(_pins(root, "vcpupin", "vcpu")),
        io_thread_pins=dict(_pins(root, "iothreadpin", "iothread")),
        numa=_attributes(root.find("numatune/memory")),
        cpu_mode=_attributes(cpu).get("mode", ""),
        cpu_model=(cpu.findtext("model") or "").strip() if cpu is not None else "",
        cpu_topology=_attributes(cpu.find("topology")) if cpu is not None else {},
        cpu_features={each.get("name", ""): each.get("policy", "") for each in root.findall("cpu/feature")},
        balloon=_attributes(root.find("devices/memballoon")).get("model", ""),
        mark=_attributes(root.find(MARK)),
    ), ""


def _attributes(element: ElementTree.Element | None) -> dict[str, str]:
    return dict(element.attrib) if element is not None else {}


def _disk(element: ElementTree.Element) -> FoundDisk:
    source, driver = element.find("source"), element.find("driver")
    several = tuple(thread.get("id", "") for thread in element.findall("driver/iothreads/iothread"))
    one = (_attributes(driver)["iothread"],) if "iothread" in _attributes(driver) else ()
    return FoundDisk(
        type=element.get("type", ""),
        driver=_attributes(driver),
        source=_attributes(source),
        address=_pci(source) if source is not None and element.get("type") == "nvme" else "",
        bus=_attributes(element.find("target")).get("bus", ""),
        serial=(element.findtext("serial") or "").strip(),
        threads=several or one,
    )


def _pci(source: ElementTree.Element) -> str:
    """A PCI address as Linux writes it; libvirt writes its parts in hexadecimal with 0x."""
    parts = _attributes(source.find("address"))
    try:
        domain, bus, slot, function = (int(parts.get(name, "0"), 0) for name in ("domain", "bus", "slot", "function"))
    except ValueError:
        return ""
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _pins(root: ElementTree.Element, tag: str, key: str) -> Iterator[tuple[str, str]]:
    return ((pin.get(key, ""), pin.get("cpuset", "")) for pin in root.findall(f"cputune/{tag}"))


def _current(vcpu: ElementTree.Element | None) -> str:
    """vCPUs that it has now; libvirt names them apart where more can be added."""
    return (_attributes(vcpu).get("current") or (vcpu.text or "")).strip() if vcpu is not None else ""


def _amount(element: ElementTree.Element | None) -> str:
    return _kib(element.text or "", element.get("unit", "KiB")) if element is not None else ""


def _page(page: ElementTree.Element | None) -> str:
    """A page's size in KiB, in whatever unit it is written."""
    attributes = _attributes(page)
    return _kib(attributes.get("size", ""), attributes.get("unit", "KiB"))


def _kib(size: str, unit: str) -> str:
    return str(int(size) * UNITS.get(unit, 1)) if re.fullmatch(r"\d{1,15}", size.strip(), re.ASCII) else ""
