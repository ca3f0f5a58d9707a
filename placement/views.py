"""Each hypervisor as it is filled: per NUMA node, per core, per drive whose it is."""

from collections.abc import Iterator, Mapping, Sequence

from placement.capacity import EVERYWHERE, Capacity
from placement.fleet import PAGE_MIB, Fleet, Host, NumaCell, PageSize
from placement.result import CoreView, DriveView, HostView, NumaView, PageView, Seat


def host_views(fleet: Fleet, seats: Sequence[Seat]) -> Iterator[HostView]:
    """Every hypervisor in the fleet's order."""
    sets = {wanted.name: wanted for wanted in fleet.sets}
    for host in fleet.hosts:
        capacity, here = Capacity(host), [seat for seat in seats if seat.host == host.name]
        for seat in here:
            capacity.take(sets[seat.set_name], capacity.option_of(seat))
        yield HostView(
            host=host,
            machines=tuple(seat.machine for seat in here),
            numa=tuple(_numa(cell, here, capacity) for cell in host.numa),
            floating_memory_mib=capacity.used.get((None, EVERYWHERE), 0),
            floating_pages=tuple(_pages(capacity, EVERYWHERE, _all_pages(host))),
            shared_vcpus=capacity.shared_vcpus,
            shared_limit=capacity.shared_limit(),
            drives=tuple(_drives(host, here)),
        )


def _numa(cell: NumaCell, seats: Sequence[Seat], capacity: Capacity) -> NumaView:
    owners = {core: seat for seat in seats for core in seat.cores}
    return NumaView(
        id=cell.id,
        socket=cell.socket,
        cores=tuple(_core(capacity.host, core, owners.get(core)) for core in cell.cores),
        memory_mib=cell.memory_mib,
        memory_used_mib=capacity.used.get((None, cell.id), 0),
        pages=tuple(_pages(capacity, cell.id, cell.pages)),
    )


def _core(host: Host, core: tuple[int, ...], seat: Seat | None) -> CoreView:
    if seat is not None:
        running = {cpu for cpus in seat.vcpu_cpus for cpu in cpus}
        return CoreView(cpus=core, owner="machine", names=(seat.machine,), used=tuple(cpu for cpu in core if cpu in running))
    if host.reserved.intersection(core):
        return CoreView(cpus=core, owner="host")
    if host.shared.intersection(core):
        return CoreView(cpus=core, owner="shared")
    tenants = [tenant for tenant in host.tenants if tenant.cpus is not None and tenant.cpus.intersection(core)]
    if tenants:
        held = frozenset[int]().union(*(tenant.cpus or frozenset() for tenant in tenants))
        return CoreView(cpus=core, owner="tenant", names=tuple(tenant.name for tenant in tenants), used=tuple(cpu for cpu in core if cpu in held))
    return CoreView(cpus=core, owner="free")


def _all_pages(host: Host) -> dict[PageSize, int]:
    totals: dict[PageSize, int] = {}
    for cell in host.numa:
        for size, number in cell.pages.items():
            totals[size] = totals.get(size, 0) + number
    return totals


def _pages(capacity: Capacity, numa: int, totals: Mapping[PageSize, int]) -> Iterator[PageView]:
    for size, total in totals.items():
        mib = capacity.used.get((size, numa), 0)
        yield PageView(size=size, total=total, used=-(-mib // PAGE_MIB[size]))


def _drives(host: Host, seats: Sequence[Seat]) -> Iterator[DriveView]:
    owners = {name: (seat.machine, purpose) for seat in seats for purpose, name in seat.drives.items()}
    for drive in host.drives:
        machine, purpose = owners.get(drive.name, ("", ""))
        yield DriveView(drive=drive, machine=machine, purpose=purpose)
