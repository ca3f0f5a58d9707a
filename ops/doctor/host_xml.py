"""libvirt's XML as facts. Nothing here raises for what a host said: what cannot be read is None or empty."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from ops.verify.model import Said
from settings.forms import parse_cpu_set

UNITS = {"b": 1, "bytes": 1, "KB": 1000, "k": 1024, "KiB": 1024, "MB": 10**6, "M": 2**20, "MiB": 2**20, "GB": 10**9, "G": 2**30, "GiB": 2**30}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A NUMA node of a host."""

    id: int
    memory_kib: int
    cpus: frozenset[int]
    siblings: tuple[frozenset[int], ...]
    """CPUs that share a core, for each core once."""


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
    floating: bool
    """Whether a vCPU of it may run on every CPU of the host."""
    huge: bool


def tree(said: Said | None) -> ElementTree.Element | None:
    """The document of an answer; None where there is none that can be read."""
    if said is None or said.error or said.exit_code != 0:
        return None
    try:
        return ElementTree.fromstring(said.output.strip())  # noqa: S314 - a hypervisor's own answer; expat has no network and bounds entities
    except ElementTree.ParseError:
        return None


def number(text: str | None) -> int:
    """A whole number, 0 where it is none."""
    return int(text) if text is not None and re.fullmatch(r"\s*\d{1,18}\s*", text) else 0


def kib(element: ElementTree.Element | None) -> int:
    """An amount with its unit, in KiB."""
    if element is None:
        return 0
    return number(element.text) * UNITS.get(element.get("unit", "KiB"), 1024) // 1024


def cpu_set(text: str | None) -> frozenset[int]:
    """CPUs as libvirt writes them: 0-3,^2,8."""
    found: set[int] = set()
    for part in (text or "").split(","):
        word = part.strip()
        try:
            cpus = parse_cpu_set(word.removeprefix("^"))
        except ValueError:
            continue
        found = found - set(cpus) if word.startswith("^") else found | set(cpus)
    return frozenset(found)


def cells(said: Said | None) -> tuple[Cell, ...]:
    """The NUMA nodes in a host's capabilities; hosts without NUMA have one."""
    document = tree(said)
    return tuple(_cell(cell) for cell in document.iterfind("host/topology/cells/cell")) if document is not None else ()


def _cell(cell: ElementTree.Element) -> Cell:
    cpus = cell.findall("cpus/cpu")
    cores = {cpu_set(cpu.get("siblings")) | {number(cpu.get("id"))} for cpu in cpus}
    return Cell(
        id=number(cell.get("id")),
        memory_kib=kib(cell.find("memory")),
        cpus=frozenset(number(cpu.get("id")) for cpu in cpus),
        siblings=tuple(sorted((frozenset(core) for core in cores), key=min)),
    )


def machine(name: str, said: Said | None, *, running: bool) -> Machine | None:
    """A domain's definition in numbers; None where it cannot be read."""
    domain = tree(said)
    if domain is None:
        return None
    vcpu = domain.find("vcpu")
    vcpus = max(number(vcpu.text if vcpu is not None else None), 1)
    everywhere = cpu_set(vcpu.get("cpuset") if vcpu is not None else None)
    pins = {number(pin.get("vcpu")): cpu_set(pin.get("cpuset")) for pin in domain.iterfind("cputune/vcpupin")}
    others = [cpu_set(pin.get("cpuset")) for path in ("emulatorpin", "iothreadpin") for pin in domain.iterfind(f"cputune/{path}")]
    held = [pins.get(index, everywhere) for index in range(vcpus)]
    return Machine(
        name=name,
        running=running,
        kind=domain.get("type", ""),
        vcpus=vcpus,
        memory_kib=kib(domain.find("memory")),
        macs=frozenset(mac.get("address", "").lower() for mac in domain.iterfind("devices/interface/mac")),
        pinned=frozenset[int]().union(*held, *others),
        floating=not all(held),
        huge=domain.find("memoryBacking/hugepages") is not None,
    )


def sizes(said: Said | None) -> dict[str, int]:
    """Numbers of an answer such as `pool-info --bytes` or `nodememstats`: name to number, whatever unit follows."""
    if said is None or said.error or said.exit_code != 0:
        return {}
    found = re.finditer(r"^\s*([A-Za-z ]+?)\s*:\s*(\d{1,18})\b", said.output, re.MULTILINE)
    return {match[1].lower(): int(match[2]) for match in found}


def words(said: Said | None) -> dict[str, str]:
    """Fields of an answer such as `pool-info`: name to text."""
    if said is None or said.error or said.exit_code != 0:
        return {}
    pairs = (line.partition(":") for line in said.output.splitlines())
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def free_pages(said: Said | None) -> dict[int, dict[int, int]]:
    """`freepages --all`: NUMA node to page size in KiB to free pages."""
    found: dict[int, dict[int, int]] = {}
    cell = 0
    for line in said.output.splitlines() if said is not None and not said.error and said.exit_code == 0 else ():
        if head := re.match(r"\s*Node (\d+):", line):
            cell = int(head[1])
        elif page := re.match(r"\s*(\d+)KiB:\s*(\d+)", line):
            found.setdefault(cell, {})[int(page[1])] = int(page[2])
    return found


def mtu(said: Said | None) -> int:
    """MTU in the definition of an interface or network; 0 where it names none."""
    document = tree(said)
    element = document.find("mtu") if document is not None else None
    return number(element.get("size")) if element is not None else 0
