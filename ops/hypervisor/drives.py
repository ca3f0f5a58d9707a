"""NVMe drives in a host's PCI slots, and who has them: libvirt's node devices, its pools and domains; a shell knows what the host itself uses."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from ops.doctor.domain_xml import Machine, pci_address
from ops.doctor.host_xml import number, tree
from ops.doctor.model import why_not
from ops.doctor.questions import lines
from ops.hypervisor.model import Drive
from ops.verify.model import Said

NVME_CLASS: Final = "0x0108"
"""PCI class of a controller of non-volatile memory, in its first digits."""
GIB: Final = 2**30
UNBOUND: Final = ("vfio-pci", "uio_pci_generic", "pci-stub")
"""Drivers that keep the host's kernel away from a device."""
DEVICE: Final = re.compile(r"/dev/[A-Za-z0-9/_.:+-]+")
"""A device as the settings let it be named."""
_ROW: Final = re.compile(r'^(/dev/\S+) NAME="([^"]*)" TYPE="([^"]*)" FSTYPE="([^"]*)" MOUNTPOINT="([^"]*)"$', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class _Disk:
    """A block device as libvirt names it."""

    path: str
    names: frozenset[str]
    """All its device files."""
    stable: str
    """Its name below /dev/disk/by-id."""
    size_gib: int
    about: str


@dataclass(frozen=True, kw_only=True)
class Users:
    """Who has drives: by PCI address and by device file."""

    pci: Mapping[str, str]
    files: Mapping[str, str]


def drives(said: Mapping[str, Said], machines: Sequence[Machine], told: Said) -> tuple[list[Drive], str]:
    """Every NVMe drive of a host, lowest PCI address first, and why none can be told of. `told` answers script.DRIVES."""
    if why := why_not(said.get("devices")) or why_not(said.get("disks")):
        return [], why
    users = _users(said, machines)
    return [_drive(f"nvme{index}", address, device, said, users, told) for index, (address, device) in enumerate(_controllers(said))], ""


def block_sizes(said: Mapping[str, Said]) -> dict[str, int]:
    """GiB of every disk of the host, NVMe or not, by each of its device files."""
    documents = [tree(said.get(f"disk {name}")) for name in lines(said.get("disks"))]
    disks = [_disk(document) for document in documents if document is not None]
    return {name: disk.size_gib for disk in disks for name in disk.names}


def devices(said: Mapping[str, Said]) -> frozenset[str]:
    """Addresses of every PCI device of the host."""
    return frozenset(_address(about) for name in lines(said.get("devices")) if (about := _pci(tree(said.get(f"device {name}")))) is not None)


def _pci(device: ElementTree.Element | None) -> ElementTree.Element | None:
    return device.find("capability[@type='pci']") if device is not None else None


def _address(about: ElementTree.Element) -> str:
    return pci_address(*(about.findtext(part) for part in ("domain", "bus", "slot", "function")))


def _controllers(said: Mapping[str, Said]) -> list[tuple[str, ElementTree.Element]]:
    """NVMe controllers by PCI address."""
    found: dict[str, ElementTree.Element] = {}
    for name in lines(said.get("devices")):
        device = tree(said.get(f"device {name}"))
        about = _pci(device)
        if device is not None and about is not None and about.findtext("class", "").startswith(NVME_CLASS):
            found[_address(about)] = device
    return sorted(found.items())


def _disks_of(device: ElementTree.Element, said: Mapping[str, Said]) -> list[_Disk]:
    """The block devices (NVMe namespaces) whose parent the controller is."""
    name = device.findtext("name", "")
    documents = [tree(said.get(f"disk {disk}")) for disk in lines(said.get("disks"))]
    return [_disk(document) for document in documents if document is not None and document.findtext("parent") == name]


def _disk(document: ElementTree.Element) -> _Disk:
    about = document.find("capability[@type='storage']")
    text = {name: (about.findtext(name) or "") if about is not None else "" for name in ("block", "size", "vendor", "model", "serial")}
    names = {node.text or "" for node in document.iterfind("devnode")}
    by_id = sorted(name for name in names if name.startswith("/dev/disk/by-id/nvme-"))
    # names made of model and serial are for people; nvme-eui and nvme-nvme name the same drive
    plain = [name for name in by_id if not re.match(r"/dev/disk/by-id/nvme-(eui|nvme|uuid)\.", name)]
    return _Disk(
        path=text["block"],
        names=frozenset(filter(None, names | {text["block"]})),
        stable=next((name for name in (*plain, *by_id) if DEVICE.fullmatch(name)), ""),
        size_gib=number(text["size"]) // GIB,
        about=" ".join(filter(None, (text["vendor"], text["model"].replace("_", " "), text["serial"]))),
    )


def _drive(name: str, address: str, device: ElementTree.Element, said: Mapping[str, Said], users: Users, told: Said) -> Drive:
    disks = _disks_of(device, said)
    about = _pci(device)
    group = about.find("iommuGroup") if about is not None else None
    numa = about.find("numa") if about is not None else None
    alone = group is not None and len(group.findall("address")) == 1
    node = number(numa.get("node")) if numa is not None and (numa.get("node") or "").isdigit() else None
    product = about.findtext("product", "") if about is not None else ""
    return Drive(
        name=name,
        kind="nvme" if alone else "block",
        address=address,
        device=disks[0].stable if disks else "",
        names=frozenset(name for disk in disks for name in disk.names),
        size_gib=sum(disk.size_gib for disk in disks) or None,
        numa=node,
        about=", ".join(filter(None, (disks[0].about if disks else product, f"{len(disks)} namespaces" if len(disks) > 1 else ""))),
        taken=_taken(address, disks, users) or _of_the_host(disks, told),
        doubt=_doubt(device.findtext("driver/name", ""), disks, told),
    )


def _users(said: Mapping[str, Said], machines: Sequence[Machine]) -> Users:
    """What domains and pools name, whether they run or not."""
    pci = {address: f"domain {each.name}" for each in machines for address in sorted(each.pci)}
    files = {path: f"domain {each.name}" for each in machines for path in sorted(each.blocks)}
    for name in lines(said.get("pools")):
        document = tree(said.get(f"storage {name}"))
        for device in document.iterfind("source/device") if document is not None else ():
            files.setdefault(device.get("path", ""), f"pool {name}")
    return Users(pci=pci, files=files)


def _taken(address: str, disks: Sequence[_Disk], users: Users) -> str:
    if address in users.pci:
        return users.pci[address]
    for path, who in sorted(users.files.items()):
        if any(_of(path, name) for disk in disks for name in disk.names):
            return who
    return ""


def _of(path: str, name: str) -> bool:
    """Whether a device file is a drive's, or a partition's of it: nvme0n1p2, nvme-MODEL_SERIAL-part2."""
    return bool(name) and re.fullmatch(re.escape(name) + r"(p\d+|-part\d+)?", path) is not None


def _of_the_host(disks: Sequence[_Disk], told: Said) -> str:
    """What lsblk shows on it beside the drive itself."""
    for disk in disks:
        rows = list(_rows(told, disk.path))
        inside = [name for name, kind, _, _ in rows if kind != "disk"]
        used = [mounted or system for _, _, system, mounted in rows if mounted or system]
        if inside or used:
            return f"the host, which has {', '.join([*inside[:3], *(['...'] if inside[3:] else []), *dict.fromkeys(used)][:6])} on it"
    return ""


def _rows(told: Said, path: str) -> Iterator[tuple[str, str, str, str]]:
    return ((name, kind, system, mounted) for device, name, kind, system, mounted in _ROW.findall(told.output) if device == path)


def _doubt(driver: str, disks: Sequence[_Disk], told: Said) -> str:
    if driver in UNBOUND:
        return ""
    if not disks:
        return f"no block device of it is named{f', its driver is {driver}' if driver else ''}"
    unseen = [disk.path for disk in disks if not list(_rows(told, disk.path))]
    if unseen:
        return f"libvirt does not say whether the host itself uses {', '.join(unseen)} ({why_not(told) or 'lsblk said nothing of it'})"
    return ""
