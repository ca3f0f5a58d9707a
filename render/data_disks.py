"""Data disks as a node sees them: how it knows them again, and the units that mount them."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from plan import NodePlan
from render.node_files import NodeFile
from render.text import fill

LABELS = {"etcd": "underlay-etcd", "containerd": "underlay-images"}
"""Labels of the finished file systems; ext4 has room for 16 characters."""
UNFINISHED = "underlay-new"
"""Label of a file system that not all was copied to yet; no unit mounts it."""
MODES = {"etcd": "0700", "containerd": "0710"}
"""What kubeadm and containerd give their folders."""
NEEDED_BY = {"etcd": ("kubelet",), "containerd": ("kubelet", "containerd")}
UNITS = "/etc/systemd/system"


@dataclass(frozen=True, kw_only=True)
class DataDisk:
    """One data disk."""

    purpose: str
    device: str
    place: str
    """Where it is mounted."""
    mode: str
    label: str
    uuid: str
    """Of its file system; computed, so that a disk of another node is never taken for this one's."""

    @property
    def unit(self) -> str:
        """systemd unit that mounts it."""
        return unit_of(self.place)


def data_disks(node: NodePlan) -> tuple[DataDisk, ...]:
    """The data disks of a node."""
    return tuple(
        DataDisk(
            purpose=disk.purpose,
            device=disk.guest_device,
            place=disk.mount_point,
            mode=MODES[disk.purpose],
            label=LABELS[disk.purpose],
            uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://underlay.dev/disks/{node.name}/{disk.purpose}")),
        )
        for disk in node.disks
    )


def unit_files(node: NodePlan) -> Iterator[NodeFile]:
    """Mount units, and what keeps kubelet and containerd from running without them. They come into force once all is on the disks."""
    disks = data_disks(node)
    for disk in disks:
        yield NodeFile(path=f"{UNITS}/{disk.unit}", text=fill("data-disk.mount.j2", disk=disk), unit="units")
    for service in ("kubelet", "containerd"):
        needed = [disk for disk in disks if service in NEEDED_BY[disk.purpose]]
        if needed:
            yield NodeFile(path=f"{UNITS}/{service}.service.d/20-underlay-disks.conf", text=fill("data-disk.conf.j2", disks=needed), unit="units")


def unit_of(place: str) -> str:
    """The name that systemd asks of the unit that mounts a folder; the folders here have no characters that it would escape."""
    return f"{place.strip('/').replace('/', '-')}.mount"
