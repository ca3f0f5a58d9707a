"""The libvirt hosts that carry the machines."""

from collections.abc import Iterator
from typing import Annotated, Literal

from settings.base import Problem, Settings
from settings.forms import (
    AbsolutePath,
    Country,
    CpuSet,
    Device,
    Distinct,
    DnsLabel,
    Flag,
    InterfaceName,
    LibvirtName,
    Words,
    cpu_ranges,
    parse_cpu_set,
    text,
)
from settings.topology import Drive, Tenant, Topology
from settings.uris import ConnectionUri

VolumeGroup = Annotated[str, text(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*", "expected letters, digits, + _ . and -", "nvme", 127), Words("volume group")]


class Location(Settings):
    """Where a hypervisor stands."""

    country: Country
    """Country, ISO 3166-1 alpha-2, such as "NO"; becomes the nodes' label topology.kubernetes.io/region."""
    site: DnsLabel
    """Data centre, room or rack row; becomes the nodes' label topology.kubernetes.io/zone."""
    rack: DnsLabel | None = None
    """Rack in the site; becomes the nodes' label underlay.dev/rack. Machines are spread over racks where they are named."""


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
    media: Literal["nvme", "other"] | None = None
    """What the device under it is, as `python -m ops hypervisor describe` writes it; the rule control-plane-nvme asks for nvme under etcd.
    A change alters nothing that runs."""

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
    """Country, site and rack; checked against the environment's residency."""
    network: Attachment
    """What the machines' NICs are attached to."""
    pool: StoragePool
    """Storage pool for the machines' disks."""
    files_pool: StoragePool | None = None
    """Pool of kind dir for seeds, kernel and initrd; needed where pool is logical, else they lie in pool."""
    domain_type: Literal["kvm", "qemu"] = "kvm"
    """`kvm`, or `qemu` for emulation where KVM does not work (slow: not for production). A change replaces the machines."""
    topology: Topology | None = None
    """CPUs and memory as they are built in. Without it only machines of cpu_policy emulated can stand there."""
    reserved_cpus: CpuSet | None = None
    """Host CPUs that no machine gets, whole cores: the host's own, QEMU's emulator and I/O threads. A change replaces the machines there."""
    shared_cpus: CpuSet | None = None
    """Host CPUs over which machines of cpu_policy shared float, whole cores. The rest is for dedicated machines, so that growing one
    kind moves nothing of the other. A change replaces the shared machines there."""
    tenants: dict[LibvirtName, Tenant] = {}
    """Machines of others on it, other environments' too, by their libvirt name."""
    drives: dict[DnsLabel, Drive] = {}
    """Drives that machines may have whole, by name."""

    @property
    def reserved(self) -> frozenset[int]:
        """CPUs of the host itself and of QEMU's own threads."""
        return frozenset(parse_cpu_set(self.reserved_cpus)) if self.reserved_cpus else frozenset()

    @property
    def shared(self) -> frozenset[int]:
        """CPUs over which shared machines float."""
        return frozenset(parse_cpu_set(self.shared_cpus)) if self.shared_cpus else frozenset()

    def disagreements(self) -> Iterator[Problem]:
        """Files lie in a folder; CPUs, memory and drives are those that the topology names, given away once."""
        yield from self._files()
        if self.topology is None:
            for name in ("reserved_cpus", "shared_cpus", "tenants"):
                if getattr(self, name):
                    yield Problem(name, "is named without the topology that it is a part of; add it (python -m ops hypervisor describe URI)")
            return
        yield from self._cpus(self.topology)
        yield from self._inhabitants(self.topology)

    def _files(self) -> Iterator[Problem]:
        if self.files_pool is not None and self.files_pool.kind != "dir":
            yield Problem("files_pool.kind", f"is {self.files_pool.kind!r}, allowed: dir; name a folder pool such as default")
        if self.files_pool is None and self.pool.kind == "logical":
            yield Problem(
                "files_pool", "is missing, needed beside a logical pool; name a pool of kind dir for seeds, kernel and initrd, such as default"
            )
        if self.files_pool is not None and self.files_pool.name == self.pool.name:
            yield Problem("files_pool.name", f"is {self.pool.name!r}, the name of pool; name another pool, or leave files_pool out")
        places: dict[str, str] = {}
        for name, drive in self.drives.items():
            if drive.place in places:
                yield Problem(f"drives.{name}", f"is {drive.place}, which drives.{places[drive.place]} is too; name each drive once")
            places.setdefault(drive.place, name)
        for name, drive in self.drives.items():
            if drive.device is not None and drive.device in self.pool.devices:
                yield Problem(f"drives.{name}.device", f"is {drive.device}, which pool.devices has too; give it to one of them")

    def _cpus(self, topology: Topology) -> Iterator[Problem]:
        for name, cpus in (("reserved_cpus", self.reserved), ("shared_cpus", self.shared)):
            if cpus - topology.cpus:
                yield Problem(
                    name, f"has {cpu_ranges(set(cpus - topology.cpus))}, allowed by topology: {cpu_ranges(set(topology.cpus))}; choose among them"
                )
            half = next((core for core in topology.cores if 0 < len(cpus.intersection(core)) < len(core)), None)
            if half is not None:
                missing = cpu_ranges(set(half) - cpus)
                yield Problem(
                    name, f"has a part of the core of CPUs {','.join(map(str, half))}, limit: whole cores; add {missing} or leave the core out"
                )
        both = self.reserved & self.shared
        if both:
            yield Problem("shared_cpus", f"has CPU {cpu_ranges(set(both))}, which reserved_cpus has too; give it to one of them")

    def _inhabitants(self, topology: Topology) -> Iterator[Problem]:
        known = " and ".join(map(str, topology.nodes))
        for name, tenant in self.tenants.items():
            beyond = set(parse_cpu_set(tenant.cpus)) - topology.cpus if tenant.cpus else set[int]()
            if beyond:
                yield Problem(
                    f"tenants.{name}.cpus", f"has {cpu_ranges(beyond)}, allowed by topology: {cpu_ranges(set(topology.cpus))}; describe the host anew"
                )
            if tenant.numa is not None and tenant.numa not in topology.nodes:
                yield Problem(f"tenants.{name}.numa", f"is {tenant.numa}, NUMA nodes of topology: {known}; name one of them")
        for name, drive in self.drives.items():
            if drive.numa is not None and drive.numa not in topology.nodes:
                yield Problem(f"drives.{name}.numa", f"is {drive.numa}, NUMA nodes of topology: {known}; name one of them")
