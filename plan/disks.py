"""Disks of a node beside its root disk: what they are for, where they are mounted, and how the guest finds them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from settings.disks import DiskDriver
from settings.hypervisor import Hypervisor
from settings.machine import NodeSet, Purpose

MOUNT_POINTS: dict[Purpose, str] = {"etcd": "/var/lib/etcd", "containerd": "/var/lib/containerd"}
TARGETS: dict[Purpose, str] = {"etcd": "vdc", "containerd": "vdd"}
"""vda is the root disk, vdb the seed; a disk keeps its name whatever others there are."""
GUEST_ADDRESSES: dict[Purpose, str] = {"etcd": "0000:00:18.0", "containerd": "0000:00:19.0"}
"""PCI addresses in the guest of drives that are passed through: slots of q35's root complex that libvirt gives nothing of its own to.
The drive has no serial number that underlay chose, so that its place is what the guest finds it by."""


@dataclass(frozen=True, kw_only=True)
class DrivePlan:
    """A whole drive of the hypervisor."""

    name: str
    """Its key in the hypervisor's drives."""
    kind: Literal["nvme", "pci", "block"]
    place: str
    """PCI address of an nvme or pci drive, device of a block drive."""
    size_gib: int
    numa: int | None


@dataclass(frozen=True, kw_only=True)
class DiskPlan:
    """A data disk: either a volume in the hypervisor's pool or a whole drive."""

    purpose: Purpose
    mount_point: str
    volume: str | None
    """Name of the volume in the hypervisor's pool."""
    size_gib: int
    """Of the volume or the drive."""
    drive: DrivePlan | None
    driver: DiskDriver | None
    """None of a pci drive, of which QEMU sees nothing."""
    target: str | None
    """Device name in the domain's definition; None of a pci drive."""
    serial: str | None
    """Serial number that the guest sees; None of a pci drive, which has its maker's."""

    @property
    def guest_address(self) -> str | None:
        """PCI address in the guest of a pci drive; None of others."""
        return GUEST_ADDRESSES[self.purpose] if self.serial is None else None

    @property
    def guest_device(self) -> str:
        """A name in the guest that lasts: by its serial number, of a pci drive (an NVMe drive) by its place."""
        return f"/dev/disk/by-id/virtio-{self.serial}" if self.serial else f"/dev/disk/by-path/pci-{self.guest_address}-nvme-1"


def disk_plans(node: str, node_set: NodeSet, hypervisor: Hypervisor, drives: Mapping[str, str]) -> Iterator[DiskPlan]:
    """The data disks of one node, with the drives that the planner gave it."""
    for purpose, disk in node_set.data_disks().items():
        drive = _drive(hypervisor, drives[purpose]) if disk.kind == "drive" else None
        passed_through = drive is not None and drive.kind == "pci"
        yield DiskPlan(
            purpose=purpose,
            mount_point=MOUNT_POINTS[purpose],
            volume=f"{node}-{purpose}" if drive is None else None,
            size_gib=drive.size_gib if drive is not None else disk.size_gib or 0,
            drive=drive,
            driver=None if passed_through else DiskDriver.model_validate(disk.model_dump(include=set(DiskDriver.model_fields))),
            target=None if passed_through else TARGETS[purpose],
            serial=None if passed_through else f"underlay-{purpose}",
        )


def _drive(hypervisor: Hypervisor, name: str) -> DrivePlan:
    drive = hypervisor.drives[name]
    return DrivePlan(name=name, kind=drive.kind, place=drive.place, size_gib=drive.size_gib, numa=drive.numa)
