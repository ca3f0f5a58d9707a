"""Fleets that tests place: made with few words, and the named ones whose tables lie in golden/."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from placement import DriveNeed, Fleet, Host, HostDrive, HostTenant, MachineSet, NumaCell, RecordedSeat, place

GIB = 1024


def cell(number: int, first: int, cores: int, smt: int = 0, gib: int = 256, **fields: Any) -> NumaCell:
    """A NUMA node of cores from `first` on; with `smt` each core's second thread is so many CPUs further."""
    own = tuple((cpu, cpu + smt) if smt else (cpu,) for cpu in range(first, first + cores))
    return NumaCell(id=number, socket=number, cores=own, memory_mib=gib * GIB, **fields)


def host(
    name: str, cells: int = 1, cores: int = 16, *, smt: bool = False, place: str = "osl1", gib: int = 256, pages: Any = None, **fields: Any
) -> Host:
    """A hypervisor of like NUMA nodes, `site` or `site/rack`; its first core of each is the host's."""
    site, _, rack = place.partition("/")
    step = cells * cores if smt else 0
    made = tuple(cell(number, number * cores, cores, step, gib, pages=pages or {}) for number in range(cells))
    reserved = frozenset(cpu for each in made for cpu in each.cores[0])
    return replace(Host(name=name, site=f"NO/{site}", rack=rack or None, numa=made, reserved=reserved), **fields)


def drives(*sizes: int, kind: Any = "nvme", numa: Sequence[int] = ()) -> tuple[HostDrive, ...]:
    return tuple(
        HostDrive(name=f"{kind}{number}", kind=kind, size_gib=size, numa=numa[number] if numa else None) for number, size in enumerate(sizes)
    )


def machines(name: str, count: int, vcpus: int, gib: int = 8, **fields: Any) -> MachineSet:
    """A set of dedicated machines that any hypervisor of the fleet may carry."""
    common: dict[str, Any] = {"policy": "dedicated", "pages": None, "hosts": (), **fields}
    names = tuple(f"e-{name}-{number}" for number in range(1, count + 1))
    return MachineSet(name=name, machines=names, control_plane=name == "cp", vcpus=vcpus, memory_mib=gib * GIB, **common)


def fleet(hosts: Sequence[Host], *sets: MachineSet, recorded: dict[str, RecordedSeat] | None = None) -> Fleet:
    every = tuple(each.name for each in hosts)
    return Fleet(hosts=tuple(hosts), sets=tuple(replace(each, hosts=each.hosts or every) for each in sets), recorded=recorded or {})


def record(made: Fleet) -> dict[str, RecordedSeat]:
    """What `ops plan --record` writes down of a placement."""
    return {
        seat.machine: RecordedSeat(host=seat.host, cpus=frozenset(seat.cpus) if seat.cores else None, drives=seat.drives)
        for seat in place(made).seats
    }


def without(made: Fleet, *lost: str) -> Fleet:
    """The fleet after hypervisors went, and with them the seats that were recorded there."""
    kept = {name: seat for name, seat in made.recorded.items() if seat.host not in lost}
    sets = tuple(replace(each, hosts=tuple(name for name in each.hosts if name not in lost)) for each in made.sets)
    return Fleet(hosts=tuple(each for each in made.hosts if each.name not in lost), sets=sets, recorded=kept)


def resized(made: Fleet, **counts: int) -> Fleet:
    """The fleet with other numbers of machines."""
    names = {name: tuple(f"e-{name}-{number}" for number in range(1, count + 1)) for name, count in counts.items()}
    return replace(made, sets=tuple(replace(each, machines=names.get(each.name, each.machines)) for each in made.sets))


def _row(count: int, racks: int, sites: int, **fields: Any) -> list[Host]:
    return [host(f"kvm{n + 1}", place=f"osl{n % sites + 1}/r{n % racks + 1}", **fields) for n in range(count)]


def _one() -> Fleet:
    return fleet([host("kvm1", 1, 16)], machines("cp", 1, 2), machines("worker", 3, 4))


def _three_sites() -> Fleet:
    hosts = _row(3, 3, 3, cells=2, cores=16, smt=True)
    return fleet(hosts, machines("cp", 3, 4, 16, apart="rack"), machines("worker", 6, 12, 48))


def _grown() -> Fleet:
    before = _three_sites()
    return resized(replace(before, recorded=record(before)), worker=9)


def _shrunk() -> Fleet:
    before = _three_sites()
    return resized(replace(before, recorded=record(before)), worker=4)


def _rack_lost() -> Fleet:
    hosts = _row(6, 3, 3, cells=1, cores=24)
    before = fleet(hosts, machines("cp", 3, 4), machines("worker", 9, 6, 24))
    return without(replace(before, recorded=record(before)), "kvm3", "kvm6")


def _two_racks_lost() -> Fleet:
    return without(_rack_lost(), "kvm2", "kvm5")


def _mixed_sizes() -> Fleet:
    hosts = [
        host("big1", 2, 32, smt=True, place="osl1/r1", gib=512),
        host("big2", 2, 32, smt=True, place="osl2/r2", gib=512),
        host("small1", 1, 8, place="osl1/r1", gib=64),
        host("small2", 1, 8, place="osl2/r2", gib=64),
        host("small3", 1, 8, place="osl3/r3", gib=64),
    ]
    return fleet(hosts, machines("cp", 3, 4, 16), machines("large", 4, 48, 256), machines("edge", 5, 3, 8))


def _numa_split() -> Fleet:
    """Twelve free cores on one hypervisor, and never six on one NUMA node."""
    hosts = [host("kvm1", 4, 4), host("kvm2", 2, 8)]
    return fleet(hosts, machines("cp", 1, 2), machines("worker", 3, 6, 16))


def _smt_alone() -> Fleet:
    hosts = [host("kvm1", 2, 12, smt=True), host("kvm2", 2, 12, smt=True)]
    return fleet(hosts, machines("cp", 1, 2), machines("pairs", 2, 7), machines("alone", 3, 6, alone=True))


def _huge_pages() -> Fleet:
    hosts = [host(f"kvm{n}", 2, 16, gib=16, pages={"1G": 100, "2M": 8192}) for n in (1, 2)]
    return fleet(hosts, machines("cp", 1, 4, 16, pages="2M"), machines("worker", 5, 6, 48, pages="1G"), machines("plain", 2, 2, 12))


def _tenants() -> Fleet:
    """Another stack's machines on both hypervisors: held to cores, to the shared CPUs, and to nothing."""
    tenants = (
        HostTenant(name="db-1", vcpus=6, cpus=frozenset(range(4, 10)), memory_mib=64 * GIB, numa=0),
        HostTenant(name="web-1", vcpus=2, cpus=frozenset((1, 2, 3)), memory_mib=8 * GIB),
        HostTenant(name="ci-1", vcpus=4, cpus=None, memory_mib=16 * GIB),
    )
    hosts = [host(f"kvm{n}", 1, 24, gib=128, shared=frozenset((1, 2, 3)), tenants=tenants) for n in (1, 2)]
    return fleet(hosts, machines("cp", 1, 2), machines("worker", 2, 8, 24), machines("small", 3, 1, 4, policy="shared", overcommit=1.5))


def _second_stack() -> Fleet:
    """What a first stack has becomes tenants of the second one."""
    first = _three_sites()
    seats = place(first).seats
    sizes = {each.name: each for each in first.sets}
    hosts = [
        replace(
            each,
            tenants=tuple(
                HostTenant(
                    name=seat.machine.replace("e-", "first-"),
                    vcpus=len(seat.vcpu_cpus),
                    cpus=frozenset(seat.cpus),
                    memory_mib=sizes[seat.set_name].memory_mib,
                    numa=seat.numa,
                )
                for seat in seats
                if seat.host == each.name
            ),
        )
        for each in first.hosts
    ]
    return fleet(hosts, machines("cp", 3, 4, 16, apart="rack"), machines("worker", 3, 8, 32))


def _shared_and_dedicated() -> Fleet:
    hosts = [host(f"kvm{n}", 2, 12, shared=frozenset((1, 2, 3, 4))) for n in (1, 2, 3)]
    return fleet(
        hosts,
        machines("cp", 3, 4),
        machines("batch", 9, 2, 4, policy="shared", overcommit=1.5),
        machines("worker", 3, 8, 32),
        machines("lab", 2, 4, 4, policy="emulated"),
    )


def _drives() -> Fleet:
    hosts = [
        replace(host(f"kvm{n}", 2, 8, place=f"osl1/r{n}"), drives=(*drives(400, 894, 894, numa=(1, 0, 1)), *drives(1788, kind="pci")))
        for n in (1, 2, 3)
    ]
    etcd, images = DriveNeed(purpose="etcd", kind="nvme", min_size_gib=200), DriveNeed(purpose="containerd", kind="nvme", min_size_gib=800)
    return fleet(
        hosts,
        machines("cp", 3, 4, apart="hypervisor", drives=(etcd, images)),
        machines("worker", 3, 4, drives=(images,)),
        machines("cache", 2, 2, drives=(DriveNeed(purpose="containerd", kind="pci", min_size_gib=1000),)),
    )


def _pins_by_hand() -> Fleet:
    recorded = {
        "e-cp-2": RecordedSeat(host="kvm1", cpus=frozenset((12, 13))),
        "e-worker-1": RecordedSeat(host="kvm3"),
        "e-worker-3": RecordedSeat(host="kvm1", cpus=frozenset((1, 2, 3, 4))),
    }
    return fleet(_row(3, 3, 1, cells=1, cores=16), machines("cp", 3, 2), machines("worker", 4, 4), recorded=recorded)


def _largest_first() -> Fleet:
    """In the declared order the small ones would take what the large one needs."""
    hosts = [host("kvm1", 1, 13), host("kvm2", 1, 9)]
    return fleet(hosts, machines("cp", 1, 2), machines("small", 5, 2), machines("large", 1, 8))


def _searched() -> Fleet:
    """No order of seating lets this fit; another arrangement does."""
    hosts = [host("kvm1", 1, 13), host("kvm2", 1, 9)]
    return fleet(hosts, machines("cp", 1, 2), machines("a", 1, 4), machines("b", 1, 4), machines("c", 2, 5))


def _too_small() -> Fleet:
    hosts = [host("kvm1", 2, 8, place="osl1/r1", gib=64), host("kvm2", 1, 8, place="osl1/r1", gib=16), Host(name="kvm3", site="NO/osl2", rack="r2")]
    return fleet(
        hosts,
        machines("cp", 3, 4, 16, apart="rack"),
        machines("worker", 4, 6, 48),
        machines("huge", 1, 64, 512),
        machines("store", 1, 2, drives=(DriveNeed(purpose="containerd", kind="nvme", min_size_gib=400),)),
        machines("batch", 2, 2, policy="shared"),
    )


def _wrong_records() -> Fleet:
    recorded = {
        "e-cp-1": RecordedSeat(host="kvm9"),
        "e-worker-1": RecordedSeat(host="kvm1", cpus=frozenset((0, 1, 2, 3))),
        "e-worker-2": RecordedSeat(host="kvm1", cpus=frozenset((4, 5, 6))),
        "e-worker-3": RecordedSeat(host="kvm1", cpus=frozenset((6, 7, 8, 9))),
        "e-worker-4": RecordedSeat(host="kvm1", cpus=frozenset((1, 2, 3, 4)), drives={"etcd": "nvme0"}),
    }
    return fleet([host("kvm1", 2, 8)], machines("cp", 1, 2), machines("worker", 4, 4), recorded=recorded)


def _forty() -> Fleet:
    hosts = _row(40, 10, 3, cells=2, cores=32, smt=True, gib=512)
    return fleet(hosts, *large_sets())


def _forty_less_a_rack() -> Fleet:
    before = _forty()
    gone = [each.name for each in before.hosts if each.rack == "r4"]
    return without(replace(before, recorded=record(before)), *gone)


def large_sets() -> list[MachineSet]:
    """Three hundred machines in four sets."""
    return [machines("cp", 3, 8, 16, apart="rack"), machines("a", 100, 16, 64), machines("b", 100, 12, 32), machines("c", 97, 8, 16)]


FLEETS = {
    "one": _one,
    "three-sites": _three_sites,
    "three-sites-grown": _grown,
    "three-sites-shrunk": _shrunk,
    "rack-lost": _rack_lost,
    "two-racks-lost": _two_racks_lost,
    "mixed-sizes": _mixed_sizes,
    "numa-split": _numa_split,
    "threads-in-pairs-and-alone": _smt_alone,
    "huge-pages": _huge_pages,
    "tenants": _tenants,
    "second-stack": _second_stack,
    "shared-and-dedicated": _shared_and_dedicated,
    "drives": _drives,
    "pins-by-hand": _pins_by_hand,
    "largest-first": _largest_first,
    "searched": _searched,
    "too-small": _too_small,
    "wrong-records": _wrong_records,
    "forty-hypervisors": _forty,
    "forty-hypervisors-less-a-rack": _forty_less_a_rack,
}
