"""The shape of a machine and the sets of nodes made from it."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.base import Problem, Settings
from settings.forms import CpuSet, Distinct, DnsLabel, Flag, LabelKey, LabelValue, NoFlag, Whole, text

CpuModel = Annotated[str, text(r"[A-Za-z0-9_.-]+", "expected the name of a CPU model", "qemu64 or EPYC", 64)]
MAX_MEMORY_MIB = 16 * 1024 * 1024


class Cpu(Settings):
    """CPU that the guest sees. A change replaces the machine."""

    mode: Literal["host-passthrough", "host-model", "maximum", "custom"] = "host-passthrough"
    """libvirt's CPU mode; `custom` needs a model; emulation (domain_type qemu) has no host-passthrough."""
    model: CpuModel | None = None
    """CPU model of mode custom, such as qemu64 or EPYC."""

    def disagreements(self) -> Iterator[Problem]:
        """A model belongs to mode custom."""
        if self.mode == "custom" and self.model is None:
            yield Problem("model", "is missing, needed by mode custom; name a CPU model such as EPYC")
        if self.mode != "custom" and self.model is not None:
            yield Problem("model", f"is {self.model!r}, which mode {self.mode} does not use; remove it or write mode: custom")


class Disk(Settings):
    """Root disk and its QEMU driver. A change replaces the machine."""

    size_gib: Whole = Field(ge=4, le=16384)
    """Size of the root volume, GiB."""
    cache: Literal["none", "writeback", "writethrough", "directsync", "unsafe"] = "none"
    """Host page cache; `none` writes to the device itself, `unsafe` loses data at a power cut."""
    io: Literal["native", "threads", "io_uring"] = "native"
    """How QEMU submits I/O; `native` needs cache none or directsync (QEMU: aio=native needs cache.direct=on)."""
    discard: Literal["unmap", "ignore"] = "unmap"
    """`unmap` hands freed blocks back to the device."""
    io_threads: Whole = Field(default=1, ge=0, le=16)
    """QEMU threads for disk I/O beside the main loop; 0 leaves it there."""
    queues: Whole = Field(default=1, ge=1, le=64)
    """virtio-blk queues; not more than vCPUs."""

    def disagreements(self) -> Iterator[Problem]:
        """Native I/O goes past the page cache."""
        if self.io == "native" and self.cache not in ("none", "directsync"):
            yield Problem("cache", f"is {self.cache!r}, allowed with io native: none, directsync; write io: threads or another cache")


class Nic(Settings):
    """The node's only NIC, virtio. A change replaces the machine."""

    queues: Whole = Field(default=1, ge=1, le=256)
    """virtio-net queue pairs; not more than vCPUs."""
    driver: Literal["vhost", "qemu"] | None = None
    """`vhost` moves packets in the host's kernel; unset leaves the choice to libvirt (vhost where it is there)."""
    rx_queue_size: Literal[256, 512, 1024] | None = None
    """Receive ring, descriptors; 1024 loses fewer packets in bursts."""


class Taint(Settings):
    """A Kubernetes taint, set when the node joins."""

    key: LabelKey
    """Key, such as dedicated."""
    value: LabelValue = ""
    """Value; may be empty."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    """What happens to pods that do not tolerate it."""


class NodeSet(Settings):
    """Nodes of one shape. Changing vcpus, memory, disk, cpu or nic replaces each machine, drained first; labels change in place."""

    vcpus: Whole = Field(ge=1, le=512)
    """Virtual CPUs of each machine. A change replaces the machines."""
    memory_mib: Whole = Field(ge=1024, le=MAX_MEMORY_MIB)
    """Memory of each machine, MiB. A change replaces the machines."""
    disk: Disk
    """Root disk."""
    placement: Annotated[tuple[DnsLabel, ...], Distinct] = Field(min_length=1)
    """Hypervisors that carry the machines, in turn: machine n stands on entry n modulo their number. A change replaces the machines that move."""
    first_host: Whole = Field(ge=1, le=2**24)
    """Host number of the first machine in the node network: 11 in 10.20.0.0/24 is 10.20.0.11. The others follow, so growing moves nobody.
    A change replaces the machines."""
    cpu: Cpu = Cpu()
    """CPU that the guest sees."""
    nic: Nic = Nic()
    """The node's NIC."""
    cpus: CpuSet | None = None
    """Host CPUs of this set on each of its hypervisors, within machine_cpus; unset takes what the other sets leave, in order.
    Name them where several sets share a pinned hypervisor: then growing one set moves no pin of another. NUMA is not modelled: choose
    CPUs of one NUMA node. A change replaces the machines whose pins move."""
    max_unavailable: Whole = Field(default=1, ge=1, le=1000)
    """Machines of this set that may be missing at the same time: built, rebuilt or removed. 1 is safest, more is faster."""
    labels: dict[LabelKey, LabelValue] = {}
    """Node labels, kept by `up`. A change is made in place."""
    taints: tuple[Taint, ...] = ()
    """Taints, kept by `up`. A change is made in place."""

    def place(self, index: int) -> str:
        """Hypervisor of the machine with this index, from 0."""
        return self.placement[index % len(self.placement)]

    def disagreements(self) -> Iterator[Problem]:
        """Queues fit the vCPUs; a taint is there once."""
        for name, queues in (("disk.queues", self.disk.queues), ("nic.queues", self.nic.queues)):
            if queues > self.vcpus:
                yield Problem(name, f"is {queues}, limit {self.vcpus} (vcpus); lower it or add vCPUs")
        seen: set[tuple[str, str]] = set()
        for index, taint in enumerate(self.taints):
            if (taint.key, taint.effect) in seen:
                yield Problem(f"taints[{index}]", f"is {taint.key}:{taint.effect} once more, limit once for each key and effect; remove it")
            seen.add((taint.key, taint.effect))


class ControlPlane(NodeSet):
    """The nodes that carry etcd and the API server."""

    count: Annotated[Literal[1, 3], NoFlag]
    """1, or 3 for an environment that survives the loss of one."""
    vcpus: Whole = Field(ge=2, le=512)
    """Virtual CPUs of each machine; kubeadm asks for two. A change replaces the machines."""
    memory_mib: Whole = Field(ge=1700, le=MAX_MEMORY_MIB)
    """Memory of each machine, MiB; kubeadm asks for 1700. A change replaces the machines."""
    max_unavailable: Whole = Field(default=1, ge=1, le=1)
    """Control planes that may be missing at the same time: one, else etcd loses its majority."""
    workloads: Flag = False
    """Ordinary pods may run on the control plane (its taint is left out)."""


class WorkerPool(NodeSet):
    """Workers of one shape; the pool's name is part of the nodes' names."""

    count: Whole = Field(ge=0, le=5000)
    """Number of workers. The last ones leave when it is lowered, drained first."""


def count_of(node_set: NodeSet) -> int:
    """Number of machines of a control plane or worker pool."""
    assert isinstance(node_set, ControlPlane | WorkerPool)  # noqa: S101 - the two kinds there are
    return node_set.count
