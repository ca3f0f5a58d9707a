"""The libvirt hosts that carry the machines."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.base import Problem, Settings
from settings.forms import AbsolutePath, Country, CpuSet, Distinct, DnsLabel, Flag, InterfaceName, LibvirtName, Whole, Words, parse_cpu_set, text
from settings.uris import ConnectionUri

VolumeGroup = Annotated[str, text(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*", "expected letters, digits, + _ . and -", "nvme", 127), Words("volume group")]
Device = Annotated[str, text(r"/dev/[A-Za-z0-9/_.:+-]+", "expected a block device below /dev", "/dev/nvme0n1"), Words("block device")]


class Location(Settings):
    """Where a hypervisor stands."""

    country: Country
    """Country, ISO 3166-1 alpha-2, such as "NO"; becomes the nodes' label topology.kubernetes.io/region."""
    site: DnsLabel
    """Data centre, room or rack row; becomes the nodes' label topology.kubernetes.io/zone."""


class Attachment(Settings):
    """What the machines' NICs are attached to: a bridge of the host or a libvirt network, one of them. A change replaces the machines."""

    bridge: InterfaceName | None = None
    """Linux bridge of the host, such as br0."""
    libvirt_network: LibvirtName | None = None
    """Name of an existing libvirt network."""

    def disagreements(self) -> Iterator[Problem]:
        """One of bridge and libvirt_network is named."""
        if (self.bridge is None) == (self.libvirt_network is None):
            yield Problem("", "needs exactly one of bridge and libvirt_network; write one of them")


class StoragePool(Settings):
    """The libvirt storage pool for the machines' disks.

    A pool is adopted unless `managed`; a managed one is made by the environment and stays when the environment goes.
    """

    name: LibvirtName
    """Name of the libvirt pool."""
    kind: Literal["dir", "logical"]
    """`dir`: files in a folder; `logical`: LVM volumes, fastest on NVMe."""
    managed: Flag = False
    """The environment makes the pool itself."""
    path: AbsolutePath | None = None
    """Folder of a managed `dir` pool, on local NVMe."""
    volume_group: VolumeGroup | None = None
    """LVM volume group of a managed `logical` pool."""
    devices: Annotated[tuple[Device, ...], Distinct] = ()
    """Block devices that a managed `logical` pool is made of, such as /dev/nvme0n1."""

    def disagreements(self) -> Iterator[Problem]:
        """A pool has the places of its kind, and only those."""
        for kind, names in (("dir", ("path",)), ("logical", ("volume_group", "devices"))):
            for name in names:
                given = bool(getattr(self, name))
                if given and self.kind != kind:
                    yield Problem(name, f"is named, which only a pool of kind {kind} has; remove it or write kind: {kind}")
                elif not given and self.kind == kind and self.managed:
                    yield Problem(name, f"is missing, needed by a managed pool of kind {kind}; name it, or adopt a pool with managed: false")


class Hypervisor(Settings):
    """One libvirt host; it gets a Pulumi provider of its own."""

    uri: ConnectionUri
    """libvirt connection URI, such as qemu+ssh://root@kvm1/system; it holds no password."""
    location: Location
    """Country and site; checked against the environment's residency."""
    network: Attachment
    """What the machines' NICs are attached to."""
    pool: StoragePool
    """Storage pool for the machines' disks."""
    files_pool: StoragePool | None = None
    """Pool of kind dir for seeds, kernel and initrd; needed where pool is logical, else they lie in pool."""
    domain_type: Literal["kvm", "qemu"] = "kvm"
    """`kvm`, or `qemu` for emulation where KVM does not work (slow: not for production). A change replaces the machines."""
    machine_cpus: CpuSet | None = None
    """Host CPUs kept for machines; each vCPU then has one of its own, so that nobody steals its time. Without it nothing is pinned.
    NUMA is not modelled: which CPUs share a NUMA node is for you to know; keep each machine on one by NodeSet's cpus.
    A change replaces the machines whose pins move."""
    emulator_cpus: CpuSet | None = None
    """Host CPUs for QEMU's own threads, outside machine_cpus. A change replaces the machines."""
    memory_mib: Whole | None = Field(default=None, ge=1024, le=64 * 1024 * 1024)
    """Memory that machines may use, MiB; more is refused."""
    hugepages: Literal["2M", "1G"] | None = None
    """Back the machines' memory with huge pages of this size, reserved on the host beforehand. A change replaces the machines."""

    def disagreements(self) -> Iterator[Problem]:
        """Files lie in a folder; QEMU's own threads stay away from the machines' CPUs."""
        if self.files_pool is not None and self.files_pool.kind != "dir":
            yield Problem("files_pool.kind", f"is {self.files_pool.kind!r}, allowed: dir; name a folder pool such as default")
        if self.files_pool is None and self.pool.kind == "logical":
            yield Problem(
                "files_pool", "is missing, needed beside a logical pool; name a pool of kind dir for seeds, kernel and initrd, such as default"
            )
        if self.files_pool is not None and self.files_pool.name == self.pool.name:
            yield Problem("files_pool.name", f"is {self.pool.name!r}, the name of pool; name another pool, or leave files_pool out")
        if self.emulator_cpus and not self.machine_cpus:
            yield Problem("machine_cpus", "is missing, needed by emulator_cpus; name both or neither")
        if self.machine_cpus and self.emulator_cpus:
            shared = sorted(set(parse_cpu_set(self.machine_cpus)) & set(parse_cpu_set(self.emulator_cpus)))
            if shared:
                yield Problem("emulator_cpus", f"has CPU {shared[0]}, which machine_cpus has too; give it to one of them")
