"""Legal placements that cost something: what falls together, who waits for whom, what moves when something grows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.sets import path_of
from settings.machine import count_of
from settings.seating import node_name

if TYPE_CHECKING:
    from settings.environment import Environment

LASTING = ("/dev/disk/", "/dev/mapper/")
BRIDGED_TX_QUEUE = 256
"""What QEMU keeps to for a NIC on a bridge (hw/net/virtio-net.c: a longer send ring is vhost-user's and vDPA's alone)."""


def seating_risks(environment: "Environment") -> Iterator[Problem]:
    """All warnings about where machines stand and what they stand on."""
    yield from _together(environment)
    yield from _neighbours(environment)
    yield from _overcommit(environment)
    yield from _records(environment)
    yield from _hosts(environment)
    yield from _queues(environment)


def _together(environment: "Environment") -> Iterator[Problem]:
    """Control planes on one hypervisor, or in one rack where there are more."""
    count = environment.control_plane.count
    allowed = environment.control_plane.placement or tuple(environment.hypervisors)
    hosts = {seat.host for seat in environment.placement.seats if seat.set_name == "cp"}
    places = {name: environment.hypervisors[name].location for name in allowed}
    racks = {name: (place.country, place.site, place.rack) for name, place in places.items() if place.rack}
    used, known = len({racks[host] for host in hosts if host in racks}), len(set(racks.values()))
    if len(hosts) < count:
        carriers = "1 hypervisor" if len(hosts) == 1 else f"{len(hosts)} hypervisors"
        there = f"{len(allowed)} may carry them, and the others have no room" if len(allowed) > len(hosts) else "name three"
        yield Problem("control_plane.placement", f"puts {count} control planes on {carriers}: losing one may lose etcd's majority; {there}")
    elif hosts <= racks.keys() and used < min(count, known):
        yield Problem(
            "control_plane.placement",
            f"puts {count} control planes in {used} of {known} racks: losing one may lose etcd's majority; make room in the others, or write apart: rack",
        )


def _neighbours(environment: "Environment") -> Iterator[Problem]:
    """Machines that run on everybody's CPUs: tenants without pins, emulated ones."""
    pinned = {seat.host for seat in environment.placement.seats if seat.vcpu_cpus}
    for name, hypervisor in environment.hypervisors.items():
        for tenant, machine in hypervisor.tenants.items():
            if machine.cpus is None and name in pinned:
                yield Problem(
                    f"hypervisors.{name}.tenants.{tenant}.cpus",
                    "is unset: it runs on the machines' CPUs too and takes their time; give it CPUs of its own "
                    f"(virsh vcpupin {tenant} VCPU CPUS --live --config), then describe the host anew",
                )

    emulated = {name for name, node_set in environment.node_sets().items() if node_set.cpu_policy.kind == "emulated"}
    for name in sorted(emulated):
        beside = next((seat.host for seat in environment.placement.seats if seat.set_name == name and seat.host in pinned), None)
        if beside is not None:
            yield Problem(
                f"{path_of(name)}.cpu_policy.kind",
                f"is emulated on {beside}, where others have CPUs of their own: it runs on those too and takes their time; place it elsewhere, or write shared",
            )


def _overcommit(environment: "Environment") -> Iterator[Problem]:
    for name, node_set in environment.node_sets().items():
        overcommit = node_set.cpu_policy.overcommit
        if overcommit > 1 and count_of(node_set):
            yield Problem(
                f"{path_of(name)}.cpu_policy.overcommit",
                f"is {overcommit:g}: when all are busy a vCPU runs {1 / overcommit:.0%} of the time, and packets wait for the rest; write 1.0",
            )


def _records(environment: "Environment") -> Iterator[Problem]:
    """Pools that share a hypervisor without a record, and records of nobody."""
    own = {node_name(environment.name, name, index) for name, node_set in environment.node_sets().items() for index in range(count_of(node_set))}
    for name in environment.placements:
        if name not in own:
            yield Problem(f"placements.{name}", "is the seat of no machine; remove it, or correct the name")
    loose = [
        seat
        for seat in environment.placement.seats
        if seat.cores and (seat.machine not in environment.placements or environment.placements[seat.machine].cpus is None)
    ]
    pools = [name for name in environment.workers if any(seat.set_name == name for seat in loose)]
    for place, name in enumerate(pools):
        hosts = {seat.host for seat in loose if seat.set_name == name}
        behind = [path_of(later) for later in pools[place + 1 :] if any(seat.host in hosts for seat in loose if seat.set_name == later)]
        if behind:
            yield Problem(
                "placements",
                f"has no cpus of {loose[0].machine}{f' and {len(loose) - 1} more' if len(loose) > 1 else ''}: another count of {path_of(name)} "
                f"replaces machines of {' and '.join(behind)}; record where they stand (python -m ops plan --record)",
            )
            return


def _hosts(environment: "Environment") -> Iterator[Problem]:
    views = environment.placement.by_host
    pinned = {seat.host for seat in environment.placement.seats if seat.vcpu_cpus}
    for name, hypervisor in environment.hypervisors.items():
        path = f"hypervisors.{name}"
        if name in pinned and not hypervisor.reserved_cpus:
            yield Problem(
                f"{path}.reserved_cpus", "is missing: the host and QEMU's own threads take the machines' CPUs; name a core of each NUMA node"
            )
        for drive_name, drive in hypervisor.drives.items():
            if drive.device is not None and not drive.device.startswith(LASTING):
                yield Problem(
                    f"{path}.drives.{drive_name}.device",
                    f"is {drive.device}, which may be another drive after a boot; name it by /dev/disk/by-id/",
                )
        view = views[name]
        for size in ("2M", "1G"):
            pages = [page for numa in view.numa for page in numa.pages if page.size == size]
            floating = sum(page.used for page in view.floating_pages if page.size == size)
            if view.machines and sum(page.total for page in pages) and not sum(page.used for page in pages) + floating:
                yield Problem(
                    f"{path}.topology.numa",
                    f"reserves {sum(page.total for page in pages)} huge pages of {size}, and no machine there uses any; "
                    f"write hugepages: {size} in a set, or reserve none",
                )


def _queues(environment: "Environment") -> Iterator[Problem]:
    for name, node_set in environment.node_sets().items():
        size = node_set.nic.tx_queue_size
        if size is not None and size > BRIDGED_TX_QUEUE:
            yield Problem(
                f"{path_of(name)}.nic.tx_queue_size",
                f"is {size}, and QEMU keeps {BRIDGED_TX_QUEUE} for a NIC on a bridge or network of the host; remove it",
            )
