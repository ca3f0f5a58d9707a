"""The shape of a machine and the sets of nodes made from it."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.base import Problem, Settings
from settings.disks import DataDisk, Disk
from settings.forms import Distinct, DnsLabel, Flag, LabelKey, LabelValue, NoFlag, Number, Whole, Words, text
from settings.topology import PAGE_MIB, PageSize

CpuModel = Annotated[str, text(r"[A-Za-z0-9_.-]+", "expected the name of a CPU model", "qemu64 or EPYC", 64)]
CpuFeature = Annotated[str, text(r"[A-Za-z0-9_.-]+", "expected the name of a CPU feature", "pdpe1gb", 64), Words("CPU feature")]
Purpose = Literal["etcd", "containerd"]
"""What a disk beside the root disk is for."""
MAX_MEMORY_MIB = 16 * 1024 * 1024


class Cpu(Settings):
    """CPU that the guest sees. A change replaces the machine."""

    mode: Literal["host-passthrough", "host-model", "maximum", "custom"] = "host-passthrough"
    """libvirt's CPU mode; `custom` needs a model; emulation (domain_type qemu) has no host-passthrough."""
    model: CpuModel | None = None
    """CPU model of mode custom, such as qemu64 or EPYC."""
    features: dict[CpuFeature, Literal["require", "disable"]] = {}
    """CPU features to have beside the mode's, or to hide from the guest, by libvirt's names."""

    def disagreements(self) -> Iterator[Problem]:
        """A model belongs to mode custom."""
        if self.mode == "custom" and self.model is None:
            yield Problem("model", "is missing, needed by mode custom; name a CPU model such as EPYC")
        if self.mode != "custom" and self.model is not None:
            yield Problem("model", f"is {self.model!r}, which mode {self.mode} does not use; remove it or write mode: custom")


class CpuPolicy(Settings):
    """Where the vCPUs run. A change replaces the machines."""

    kind: Literal["dedicated", "shared", "emulated"] = "dedicated"
    """`dedicated`: a host CPU for each vCPU, on cores that nobody else has, all on one NUMA node, memory bound there; `shared`: they float over
    the hypervisor's shared_cpus; `emulated`: neither pinned nor counted, for labs."""
    overcommit: Number = Field(default=1.0, ge=1, le=16)
    """Of kind shared: vCPUs for each shared CPU, at most; the smallest of the sets on a hypervisor counts there. Above 1 machines wait for each other."""
    threads: Literal["pairs", "alone"] = "pairs"
    """Of kind dedicated, where cores have several threads: `pairs` puts vCPUs on all threads of its cores; `alone` gives each vCPU a core
    whose other threads stay idle, for half the machines with the steadiest time."""

    def disagreements(self) -> Iterator[Problem]:
        """Each kind has its own fields."""
        for name, kind in (("overcommit", "shared"), ("threads", "dedicated")):
            if self.kind != kind and getattr(self, name) != type(self).model_fields[name].default:
                yield Problem(name, f"is {getattr(self, name)}, which kind {self.kind} does not use; remove it or write kind: {kind}")


class Nic(Settings):
    """The node's only NIC, virtio. A change replaces the machine."""

    queues: Whole = Field(default=1, ge=1, le=256)
    """virtio-net queue pairs; not more than vCPUs."""
    driver: Literal["vhost", "qemu"] | None = None
    """`vhost` moves packets in the host's kernel; unset leaves the choice to libvirt (vhost where it is there)."""
    rx_queue_size: Literal[256, 512, 1024] | None = None
    """Receive ring, descriptors; 1024 loses fewer packets in bursts."""
    tx_queue_size: Literal[256, 512, 1024] | None = None
    """Send ring, descriptors; QEMU keeps 256 for a NIC on a bridge or network of the host."""


class Taint(Settings):
    """A Kubernetes taint, set when the node joins."""

    key: LabelKey
    """Key, such as dedicated."""
    value: LabelValue = ""
    """Value; may be empty."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    """What happens to pods that do not tolerate it."""


class NodeSet(Settings):
    """Nodes of one shape. Changing vcpus, memory, disks, cpu or nic replaces each machine, drained first; labels change in place."""

    vcpus: Whole = Field(ge=1, le=512)
    """Virtual CPUs of each machine. A change replaces the machines."""
    memory_mib: Whole = Field(ge=1024, le=MAX_MEMORY_MIB)
    """Memory of each machine, MiB. A change replaces the machines."""
    disk: Disk
    """Root disk."""
    cpu_policy: CpuPolicy = CpuPolicy()
    """Where the vCPUs run."""
    hugepages: PageSize | None = None
    """Size of the huge pages that the machines' memory is made of, reserved on the hypervisors (topology.numa.hugepages); unset: none.
    A change replaces the machines."""
    lock_memory: Flag = False
    """Keep all memory of the machines in the host's, never swapped (huge pages never are). A change replaces the machines."""
    placement: Annotated[tuple[DnsLabel, ...], Distinct] | None = Field(default=None, min_length=1)
    """Hypervisors that may carry the machines, in the order in which they are tried; unset: all."""
    apart: Literal["hypervisor", "rack", "site"] | None = None
    """What no two machines of the set may share: refused where it cannot be kept. Unset, they are spread over sites, racks and hypervisors
    as far as can be."""
    containerd_disk: DataDisk | None = None
    """A disk of its own for containerd's images and the containers' layers (/var/lib/containerd); unset: the root disk."""
    first_host: Whole = Field(ge=1, le=2**24)
    """Host number of the first machine in the node network: 11 in 10.20.0.0/24 is 10.20.0.11. The others follow, so growing moves nobody.
    A change replaces the machines."""
    cpu: Cpu = Cpu()
    """CPU that the guest sees."""
    nic: Nic = Nic()
    """The node's NIC."""
    max_unavailable: Whole = Field(default=1, ge=1, le=1000)
    """Machines of this set that may be missing at the same time: built, rebuilt or removed. 1 is safest, more is faster."""
    labels: dict[LabelKey, LabelValue] = {}
    """Node labels, kept by `up`. A change is made in place."""
    taints: tuple[Taint, ...] = ()
    """Taints, kept by `up`. A change is made in place."""

    def data_disks(self) -> dict[Purpose, DataDisk]:
        """Disks beside the root disk, by what they are for."""
        return {"containerd": self.containerd_disk} if self.containerd_disk is not None else {}

    def disagreements(self) -> Iterator[Problem]:
        """Queues fit the vCPUs; memory is whole pages; a taint is there once."""
        data = {f"{purpose}_disk.queues": disk.queues for purpose, disk in self.data_disks().items()}
        for name, queues in {"disk.queues": self.disk.queues, "nic.queues": self.nic.queues, **data}.items():
            if queues > self.vcpus:
                yield Problem(name, f"is {queues}, limit {self.vcpus} (vcpus); lower it or add vCPUs")
        page = PAGE_MIB[self.hugepages] if self.hugepages else 1
        if self.memory_mib % page:
            rounded = -(-self.memory_mib // page) * page
            yield Problem("memory_mib", f"is {self.memory_mib}, limit: a multiple of {page} (hugepages: {self.hugepages}); write {rounded}")
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
    etcd_disk: DataDisk | None = None
    """A disk of its own for etcd's data (/var/lib/etcd), whose writes decide how fast the API is; unset: the root disk."""

    def data_disks(self) -> dict[Purpose, DataDisk]:
        """Disks beside the root disk, by what they are for."""
        return {**({"etcd": self.etcd_disk} if self.etcd_disk is not None else {}), **super().data_disks()}


class WorkerPool(NodeSet):
    """Workers of one shape; the pool's name is part of the nodes' names."""

    count: Whole = Field(ge=0, le=5000)
    """Number of workers. The last ones leave when it is lowered, drained first."""


def count_of(node_set: NodeSet) -> int:
    """Number of machines of a control plane or worker pool."""
    assert isinstance(node_set, ControlPlane | WorkerPool)  # noqa: S101 - the two kinds there are
    return node_set.count
