"""What every placement keeps to, counted from its seats alone, and what could be reached at all, by trying everything."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from placement import Fleet, Host, MachineSet, Placement, Seat
from placement.fleet import PAGE_MIB


def assert_sound(made: Placement) -> None:
    """Nobody has what another has, nobody has more than there is, and nobody is forgotten."""
    sets = {each.name: each for each in made.fleet.sets}
    for host in made.fleet.hosts:
        seats = [seat for seat in made.seats if seat.host == host.name]
        _cores(host, seats, sets)
        _memory(host, seats, sets)
        _shared(host, seats, sets)
        _drives(host, seats, sets)
    for each in made.fleet.sets:
        _apart(made, each)
        assert all(seat.host in each.hosts for seat in made.seats_of(each))
    named = Counter([seat.machine for seat in made.seats] + [name for shortfall in made.shortfalls for name in shortfall.machines])
    named += Counter({refusal.machine for refusal in made.refusals})
    assert named == Counter(name for each in made.fleet.sets for name in each.machines)


def _cores(host: Host, seats: list[Seat], sets: dict[str, MachineSet]) -> None:
    foreign = host.reserved | host.shared | frozenset(chain(*(tenant.cpus or () for tenant in host.tenants)))
    used = [core for seat in seats for core in seat.cores]
    assert len(used) == len(set(used))
    assert not foreign.intersection(chain(*used))
    cells = {cell.id: cell for cell in host.numa}
    for seat in seats:
        wanted = sets[seat.set_name]
        pins = [cpu for cpus in seat.vcpu_cpus for cpu in cpus]
        if wanted.policy == "dedicated":
            assert seat.numa is not None
            assert set(seat.cores) <= set(cells[seat.numa].cores), "on one NUMA node"
            assert len(pins) == len(set(pins)) == wanted.vcpus
            running = [core for core in seat.cores if set(core) & set(pins)]
            assert len(running) == len(seat.cores) == (wanted.vcpus if wanted.alone else -(-wanted.vcpus // len(seat.cores[0]))), (
                "no core for nothing"
            )
            assert wanted.vcpus % seat.threads == 0
        else:
            assert (seat.cores, seat.numa) == ((), None)
            assert set(pins) == (host.shared if wanted.policy == "shared" else set[int]())


def _memory(host: Host, seats: list[Seat], sets: dict[str, MachineSet]) -> None:
    if not host.numa:
        assert all(sets[seat.set_name].policy == "emulated" for seat in seats)
        return
    for pool in (None, "2M", "1G"):
        here = {cell.id: cell.memory_mib if pool is None else cell.pages.get(pool, 0) * PAGE_MIB[pool] for cell in host.numa}
        bound = Counter[int]()
        floating = 0
        for numa, pages, mib in [
            *((seat.numa, sets[seat.set_name].pages, sets[seat.set_name].memory_mib) for seat in seats),
            *((tenant.numa, tenant.pages, tenant.memory_mib) for tenant in host.tenants),
        ]:
            if pages == pool and numa is None:
                floating += mib
            elif pages == pool and numa is not None:
                bound[numa] += mib
        assert all(bound[numa] <= here[numa] for numa in bound)
        assert floating + bound.total() <= sum(here.values())


def _shared(host: Host, seats: list[Seat], sets: dict[str, MachineSet]) -> None:
    floating = [sets[seat.set_name] for seat in seats if sets[seat.set_name].policy == "shared"]
    if floating:
        vcpus = sum(each.vcpus for each in floating) + sum(tenant.vcpus for tenant in host.tenants if tenant.cpus and tenant.cpus & host.shared)
        assert vcpus <= min(each.overcommit for each in floating) * len(host.shared)


def _drives(host: Host, seats: list[Seat], sets: dict[str, MachineSet]) -> None:
    known = {drive.name: drive for drive in host.drives}
    given = [name for seat in seats for name in seat.drives.values()]
    assert len(given) == len(set(given))
    for seat in seats:
        assert seat.drives.keys() == {need.purpose for need in sets[seat.set_name].drives}
        for need in sets[seat.set_name].drives:
            drive = known[seat.drives[need.purpose]]
            assert (drive.kind, drive.size_gib >= need.min_size_gib) == (need.kind, True)


def _apart(made: Placement, wanted: MachineSet) -> None:
    if wanted.apart is not None:
        by_name = {host.name: host for host in made.fleet.hosts}
        places = [by_name[seat.host].place(wanted.apart) for seat in made.seats_of(wanted)]
        assert len(places) == len(set(places))


def spread(made: Placement) -> tuple[int, int, int]:
    """On how many hypervisors, in how many racks and sites the control planes stand."""
    return _spread(made.fleet, {seat.host for each in made.fleet.sets if each.control_plane for seat in made.seats_of(each)})


def _spread(fleet: Fleet, names: set[str]) -> tuple[int, int, int]:
    hosts = [host for host in fleet.hosts if host.name in names]
    return len(hosts), len({host.place("rack") for host in hosts}), len({host.site for host in hosts})


def best_spread(fleet: Fleet) -> tuple[int, int, int] | None:
    """The widest spread of control planes in any arrangement that seats every dedicated machine; None where there is none.

    It tries every NUMA node for every machine, and knows cores, memory and anti-affinity alone.
    """
    machines = [each for each in fleet.sets for _ in each.machines]
    cells = [(host, cell) for host in fleet.hosts for cell in host.numa]
    cores = [sum(not (host.reserved | host.shared).intersection(core) for core in cell.cores) for host, cell in cells]
    memory = [cell.memory_mib for _, cell in cells]

    def arrangements(place: int, least: int) -> Iterator[tuple[int, int, int]]:
        if place == len(machines):
            yield _spread(fleet, {cells[where][0].name for where, each in zip(taken, machines, strict=True) if each.control_plane})
            return
        wanted = machines[place]
        alike = place > 0 and machines[place - 1] is wanted
        for where in range(least if alike else 0, len(cells)):  # machines of a set are alike: one order of them is enough
            host, cell = cells[where]
            needed = wanted.cores(len(cell.cores[0]))
            others = [cells[other][0] for other, each in zip(taken, machines, strict=False) if each is wanted]
            together = wanted.apart is not None and host.place(wanted.apart) in {other.place(wanted.apart) for other in others}
            if host.name not in wanted.hosts or needed > cores[where] or wanted.memory_mib > memory[where] or together:
                continue
            cores[where] -= needed
            memory[where] -= wanted.memory_mib
            taken.append(where)
            yield from arrangements(place + 1, where)
            taken.pop()
            cores[where] += needed
            memory[where] += wanted.memory_mib

    taken: list[int] = []
    return max(arrangements(0, 0), default=None)
