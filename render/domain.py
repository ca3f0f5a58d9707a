"""The stylesheet that gives a libvirt domain what the provider's fields cannot say."""

from collections.abc import Iterator
from dataclasses import dataclass

from hosts.domains import METADATA
from plan import DiskPlan, NodePlan
from render.text import fill
from settings.disks import DiskDriver
from settings.forms import cpu_ranges
from settings.hypervisor import Hypervisor

PAGE_KIB = {"2M": 2048, "1G": 1048576}
SEVERAL_THREADS = (10, 0)
"""libvirt that can spread a disk's queues over several I/O threads (and QEMU 9.0)."""


@dataclass(frozen=True, kw_only=True)
class DiskXml:
    """A virtio disk of the domain, beyond what the provider writes of it."""

    position: int | None
    """Its place among the disks that the provider writes, from 1; None where the stylesheet writes it all."""
    target: str
    serial: str | None
    driver: tuple[tuple[str, str], ...]
    """Attributes of its driver."""
    threads: tuple[int, ...]
    """The I/O threads that serve it, its own alone."""
    address: dict[str, str] | None
    """PCI address of an nvme drive."""


def domain_xslt(node: NodePlan, hypervisor: Hypervisor, *, environment: str) -> str:
    """XSLT 1.0 over the definition that terraform-provider-libvirt makes.

    Whose it is, CPU, pinning, memory, disks, NIC, the seed on virtio, nothing that a headless guest does not need.
    """
    return fill(
        "domain.xslt.j2",
        node=node,
        environment=environment,
        namespace=METADATA,
        hypervisor=hypervisor,
        page_kib=PAGE_KIB[node.hugepages] if node.hugepages else None,
        vcpu_pins=[cpu_ranges(set(cpus)) for cpus in node.vcpu_pins],
        emulator_cpus=cpu_ranges(set(node.emulator_cpus)),
        io_threads=io_threads(node),
        disks=tuple(_disks(node)),
        passed_through=[(_address(disk.drive.place), _address(disk.guest_address)) for disk in node.disks if disk.drive and disk.guest_address],
        nic=tuple(_nic(node)),
    )


def attached(node: NodePlan) -> tuple[DiskPlan, ...]:
    """Data disks that the provider can attach, in the order in which it must: volumes and block devices."""
    return tuple(disk for disk in node.disks if disk.drive is None or disk.drive.kind == "block")


def io_threads(node: NodePlan) -> int:
    """All I/O threads of a machine: each disk has its own."""
    return node.disk.io_threads + sum(disk.driver.io_threads for disk in node.disks if disk.driver is not None)


def threads_of_one_disk(node: NodePlan) -> int:
    """The most I/O threads that one disk of a machine has."""
    return max(node.disk.io_threads, *(disk.driver.io_threads for disk in node.disks if disk.driver is not None), 0)


def _disks(node: NodePlan) -> Iterator[DiskXml]:
    """The root disk, then the data disks; a disk that is passed through is none that QEMU drives."""
    used = node.disk.io_threads
    yield DiskXml(
        position=1, target="vda", serial=None, driver=tuple(_driver(node.disk)), threads=tuple(range(1, node.disk.io_threads + 1)), address=None
    )
    by_provider = [disk.purpose for disk in attached(node)]
    for disk in node.disks:
        if disk.driver is None or disk.target is None:
            continue
        nvme = disk.drive is not None and disk.drive.kind == "nvme"
        yield DiskXml(
            position=None if nvme else by_provider.index(disk.purpose) + 2,
            target=disk.target,
            serial=disk.serial,
            driver=tuple(_driver(disk.driver, unused=("cache", "io") if nvme else ())),
            threads=tuple(range(used + 1, used + disk.driver.io_threads + 1)),
            address=_address(disk.drive.place) if disk.drive is not None and nvme else None,
        )
        used += disk.driver.io_threads


def _driver(driver: DiskDriver, unused: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for name in ("cache", "io", "discard", "queues", "queue_size"):
        value = getattr(driver, name)
        if value is not None and name not in unused:
            yield name, str(value)


def _nic(node: NodePlan) -> Iterator[tuple[str, str]]:
    """Attributes of the NIC's driver, as far as they are not libvirt's own choice."""
    if node.nic.driver:
        yield "name", node.nic.driver
    if node.nic.queues > 1:
        yield "queues", str(node.nic.queues)
    for name in ("rx_queue_size", "tx_queue_size"):
        if getattr(node.nic, name):
            yield name, str(getattr(node.nic, name))


def _address(place: str) -> dict[str, str]:
    """A PCI address as libvirt writes it: 0000:41:00.0 in its four parts."""
    domain, bus, rest = place.split(":")
    slot, function = rest.split(".")
    return {name: f"0x{value}" for name, value in (("domain", domain), ("bus", bus), ("slot", slot), ("function", function))}
