"""The table of nodes: where each stands, and what it has there."""

from collections.abc import Iterator

from placement import MachineSet, Seat
from placement.words import cpu_list
from settings import Environment
from settings.hypervisor import Hypervisor
from settings.machine import NodeSet

HEAD = ("NODE", "HYPERVISOR", "NUMA", "CPUS", "VCPUS", "MEMORY", "PAGES", "DISKS", "SITE", "RACK", "SEAT")


def rows(environment: Environment) -> Iterator[tuple[str, ...]]:
    """A row for each machine, in the order of the sets; those without a seat are there too."""
    placement, node_sets = environment.placement, environment.node_sets()
    for wanted in placement.fleet.sets:
        node_set = node_sets[wanted.name]
        for name in wanted.machines:
            seat = placement.by_machine.get(name)
            yield _row(name, wanted, node_set, seat, environment.hypervisors[seat.host] if seat is not None else None)


def _row(name: str, wanted: MachineSet, node_set: NodeSet, seat: Seat | None, host: Hypervisor | None) -> tuple[str, ...]:
    own = (str(wanted.vcpus), memory(wanted.memory_mib), pages(wanted))
    if seat is None or host is None:
        return (name, "none", "", "", *own, disks(node_set, None, None), "", "", "missing")
    numa = str(seat.numa) if seat.numa is not None else "-"
    site, rack = f"{host.location.country}/{host.location.site}", host.location.rack or "-"
    return (name, seat.host, numa, cpus(wanted, seat), *own, disks(node_set, seat, host), site, rack, "recorded" if seat.recorded else "chosen")


def cpus(wanted: MachineSet, seat: Seat) -> str:
    """The host CPUs of a machine."""
    if wanted.policy == "shared":
        return f"shared {cpu_list(seat.vcpu_cpus[0])}" if seat.vcpu_cpus else "shared"
    return cpu_list(seat.cpus) if wanted.policy == "dedicated" else "emulated"


def memory(mib: int) -> str:
    """In GiB where that is whole."""
    return f"{mib // 1024} GiB" if mib % 1024 == 0 else f"{mib} MiB"


def pages(wanted: MachineSet) -> str:
    """Huge pages of a machine."""
    return f"{-(-wanted.memory_mib // {'2M': 2, '1G': 1024}[wanted.pages])} x {wanted.pages}" if wanted.pages else "-"


def disks(node_set: NodeSet, seat: Seat | None, host: Hypervisor | None) -> str:
    """The root disk, and what stands beside it."""
    parts = [f"{node_set.disk.size_gib} GiB"]
    for purpose, disk in node_set.data_disks().items():
        if disk.kind == "volume":
            parts.append(f"{purpose} {disk.size_gib} GiB")
        elif seat is not None and host is not None and purpose in seat.drives:
            name = seat.drives[purpose]
            parts.append(f"{purpose} {name} ({host.drives[name].kind}, {host.drives[name].size_gib} GiB)")
        else:
            parts.append(f"{purpose} {disk.of} drive")
    return ", ".join(parts)
