"""Machines as their hypervisor has them: virsh's dumpxml, vcpuinfo, domstats and nodeinfo."""

import re
from dataclasses import dataclass, field
from xml.etree import ElementTree

from ops.verify.model import Seen
from ops.verify.reading.document import output_of
from plan import NodePlan, Plan

VCPU = re.compile(r"^VCPU: +(\d{1,4})$.*?^CPU Affinity: +([y-]+)$", re.MULTILINE | re.DOTALL)
DOMAIN = re.compile(r"^Domain: '(?P<name>.+)'$")
CURRENT = re.compile(r"^ *vcpu\.current=(\d{1,5})$")
HOST_CPUS = re.compile(r"^CPU\(s\): +(\d{1,5})$", re.MULTILINE)
VCPUS, HOST = "domstats --vcpu", "nodeinfo"
LONGEST = 1 << 20
"""Characters of a definition that are read."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A running domain, as far as the stack declares it."""

    disk: dict[str, str] = field(default_factory=dict[str, str])
    """Attributes of the root disk's driver."""
    disk_type: str = ""
    """file, block, volume, network ..."""
    disk_source: dict[str, str] = field(default_factory=dict[str, str])
    disk_bus: str = ""
    nic: dict[str, str] = field(default_factory=dict[str, str])
    """Attributes of the NIC's driver."""
    io_threads: str = ""
    page_kib: str = ""
    """Size of the huge pages behind its memory; empty: none."""
    emulator: str = ""
    """CPUs of QEMU's own threads."""


def dump(node: str) -> str:
    """virsh's words for a machine's definition as it runs."""
    return f"dumpxml {node}"


def affinity(node: str) -> str:
    """virsh's words for where the kernel lets a machine's vCPUs run."""
    return f"vcpuinfo {node}"


def definitions(plan: Plan, hypervisor: str) -> list[str]:
    """The questions for all machines of a hypervisor."""
    return [dump(node.name) for node in plan.nodes_on(hypervisor)]


def machine(seen: Seen, node: NodePlan) -> tuple[Machine, str]:
    """The machine of a node, and why it is not known."""
    said, why = output_of(seen.hypervisors.get(node.hypervisor), dump(node.name))
    if why:
        return Machine(), why
    try:
        root = ElementTree.fromstring(said[:LONGEST].strip())  # noqa: S314 - its own hypervisor's answer; expat has no network and bounds entities
    except (ElementTree.ParseError, ValueError):
        return Machine(), "virsh's answer is no definition of a machine"
    disk = next((item for item in root.findall("devices/disk") if item.get("device", "disk") == "disk" and item.find("readonly") is None), None)
    page = root.find("memoryBacking/hugepages/page")
    emulator = root.find("cputune/emulatorpin")
    if root.tag != "domain" or disk is None or not disk.get("type"):
        return Machine(), "its definition has no disk"
    return Machine(
        disk=_attributes(disk.find("driver")),
        disk_type=disk.get("type", ""),
        disk_source=_attributes(disk.find("source")),
        disk_bus=_attributes(disk.find("target")).get("bus", ""),
        nic=_attributes(root.find("devices/interface/driver")),
        io_threads=(root.findtext("iothreads") or "").strip(),
        page_kib=_kib(page),
        emulator=_attributes(emulator).get("cpuset", ""),
    ), ""


def _attributes(element: ElementTree.Element | None) -> dict[str, str]:
    return dict(element.attrib) if element is not None else {}


def _kib(page: ElementTree.Element | None) -> str:
    """A page's size in KiB, in whatever unit it is written."""
    attributes = _attributes(page)
    size, units = attributes.get("size", ""), {"KiB": 1, "k": 1, "K": 1, "MiB": 1024, "M": 1024, "GiB": 1024**2, "G": 1024**2}
    return str(int(size) * units.get(attributes.get("unit", "KiB"), 1)) if re.fullmatch(r"\d{1,10}", size) else ""


def pins(said: str) -> dict[int, frozenset[int]]:
    """Host CPUs on which each vCPU may run, from vcpuinfo."""
    return {int(number): frozenset(cpu for cpu, allowed in enumerate(cpus) if allowed == "y") for number, cpus in VCPU.findall(said)}


def running(said: str) -> dict[str, int]:
    """vCPUs of each running machine, ours or not, from domstats."""
    found: dict[str, int] = {}
    name = ""
    for line in said.splitlines():
        if head := DOMAIN.match(line):
            name = head["name"]
        elif name and (current := CURRENT.match(line)):
            found[name] = int(current[1])
    return found


def host_cpus(said: str) -> int | None:
    """Number of the hypervisor's CPUs, from nodeinfo."""
    found = HOST_CPUS.search(said)
    return int(found[1]) if found else None
