"""Disks of the machines, and how QEMU drives them."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from settings.base import Problem, Settings
from settings.forms import Whole


class DiskDriver(Settings):
    """How QEMU drives a virtio disk. A change replaces the machine."""

    cache: Literal["none", "writeback", "writethrough", "directsync", "unsafe"] = "none"
    """Host page cache; `none` writes to the device itself, `unsafe` loses data at a power cut."""
    io: Literal["native", "threads", "io_uring"] = "native"
    """How QEMU submits I/O; `native` needs cache none or directsync (QEMU: aio=native needs cache.direct=on)."""
    discard: Literal["unmap", "ignore"] = "unmap"
    """`unmap` hands freed blocks back to the device."""
    io_threads: Whole = Field(default=1, ge=0, le=16)
    """QEMU threads of the disk's own, beside the main loop; 0 leaves its I/O there. More than one share its queues, which needs libvirt 10.0 and
    QEMU 9.0: an older hypervisor is refused before the machine is made."""
    queues: Whole = Field(default=1, ge=1, le=64)
    """virtio-blk queues; not more than vCPUs."""
    queue_size: Literal[64, 128, 256, 512, 1024] | None = None
    """Requests that a queue holds; unset leaves QEMU's 256."""

    def disagreements(self) -> Iterator[Problem]:
        """Native I/O goes past the page cache."""
        if self.io == "native" and self.cache not in ("none", "directsync"):
            yield Problem("cache", f"is {self.cache!r}, allowed with io native: none, directsync; write io: threads or another cache")


class Disk(DiskDriver):
    """Root disk, a volume in the hypervisor's pool, and its QEMU driver. A change replaces the machine."""

    size_gib: Whole = Field(ge=4, le=16384)
    """Size of the root volume, GiB."""


class DataDisk(DiskDriver):
    """A disk of its own for one program, so that its writes wait for nobody's. A change replaces the machine."""

    kind: Literal["volume", "drive"]
    """`volume`: one in the hypervisor's pool; `drive`: a whole drive of the hypervisor (hypervisors.<name>.drives), handed out by the planner."""
    size_gib: Whole | None = Field(default=None, ge=1, le=16384)
    """Size of the volume, GiB."""
    of: Literal["nvme", "pci", "block"] | None = None
    """Kind of the drive. QEMU's cache and io are a block drive's alone; of a pci drive QEMU sees nothing, so that it has no options here."""
    min_size_gib: Whole = Field(default=1, ge=1, le=1024 * 1024)
    """Size that the drive has at least, GiB; the smallest that suffices is taken."""

    def disagreements(self) -> Iterator[Problem]:
        """Each kind has its own fields, and the options that it can have."""
        yield from super().disagreements()
        if self.kind == "volume":
            if self.size_gib is None:
                yield Problem("size_gib", "is missing, needed by a disk of kind volume; write its size")
            for name in ("of", "min_size_gib"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    yield Problem(name, "is named, which only a disk of kind drive has; remove it or write kind: drive")
            return
        if self.size_gib is not None:
            yield Problem("size_gib", "is named, which only a disk of kind volume has; write min_size_gib")
        if self.of is None:
            yield Problem("of", "is missing, needed by a disk of kind drive; write nvme, pci or block")
        unused = {"nvme": ("cache", "io"), "pci": tuple(DiskDriver.model_fields)}.get(self.of or "", ())
        for name in unused:
            if getattr(self, name) != DiskDriver.model_fields[name].default:
                yield Problem(name, f"is {getattr(self, name)!r}, which a drive of kind {self.of} does not have; remove it or write of: block")
