"""Recorded seats: taken exactly as they are, or refused with what stands in the way."""

from collections.abc import Iterator, Mapping

from placement.board import Board, Machine, where
from placement.capacity import Capacity, Option
from placement.fleet import Cores, Host, MachineSet, RecordedSeat
from placement.result import Refusal
from placement.words import cpu_list, lack_words


def seat_recorded(board: Board) -> list[Refusal]:
    """Seat every machine whose seat is recorded, those with cores and drives of their own before those with a hypervisor alone."""
    recorded = [(machine, board.fleet.recorded[machine.name]) for machine in board.waiting() if machine.name in board.fleet.recorded]
    recorded.sort(key=lambda entry: (entry[1].cpus is None, not entry[1].drives))
    return [refusal for machine, seat in recorded for refusal in _seat(board, machine, seat)]


def _seat(board: Board, machine: Machine, seat: RecordedSeat) -> Iterator[Refusal]:
    """Nothing when it was seated, else each reason against it."""
    wanted, capacity = machine.wanted, board.capacities.get(seat.host)
    if capacity is None:
        known = ", ".join(board.capacities)
        remedy = "remove the seat, and the machine is placed anew (which replaces it)"
        yield Refusal(machine=machine.name, part="hypervisor", message=f"is {seat.host!r}, known hypervisors: {known}; {remedy}")
        return
    problems = list(_against(board, machine, seat, capacity))
    if problems:
        yield from problems
        return
    option = _option(capacity, wanted, seat)
    if option is None:
        lacks = list(capacity.lacks(wanted))
        missing = lack_words(lacks) if lacks else f"{seat.host} has no NUMA node left with the recorded CPUs or drives and the memory"
        yield Refusal(machine=machine.name, part="", message=f"does not fit: {missing}; record another seat, or remove it")
        return
    board.sit(machine, seat.host, option, recorded=True)


def _against(board: Board, machine: Machine, seat: RecordedSeat, capacity: Capacity) -> Iterator[Refusal]:
    wanted = machine.wanted
    if seat.host not in wanted.hosts:
        allowed = ", ".join(wanted.hosts)
        yield Refusal(
            machine=machine.name,
            part="hypervisor",
            message=f"is {seat.host!r}, allowed by the set's placement: {allowed}; add it there, or remove the seat",
        )
    if wanted.apart is not None and not board.may(wanted, seat.host):
        yield Refusal(
            machine=machine.name,
            part="hypervisor",
            message=f"is {seat.host!r}, and another of its set stands {where(wanted.apart)} (apart: {wanted.apart}); record another seat",
        )
    if seat.cpus is not None:
        for message in _against_cpus(board, wanted, seat.host, seat.cpus, capacity):
            yield Refusal(machine=machine.name, part="cpus", message=message)
    for message in _against_drives(board, wanted, seat.host, seat.drives, capacity):
        yield Refusal(machine=machine.name, part="drives", message=message)


def _against_cpus(board: Board, wanted: MachineSet, name: str, cpus: frozenset[int], capacity: Capacity) -> Iterator[str]:
    """Every reason against recorded CPUs."""
    if wanted.policy != "dedicated":
        yield f"is {cpu_list(cpus)}, which cpu_policy {wanted.policy} does not use; remove it"
        return
    host, there = capacity.host, {cpu for cell in capacity.host.numa for core in cell.cores for cpu in core}
    if cpus - there:
        yield f"has {cpu_list(cpus - there)}, which hypervisor {name} does not have, limit: {cpu_list(there) or 'no topology'}; name CPUs that are there"
        return
    taken = next(iter(_taken(board, host, cpus)), None)
    if taken is not None:
        yield taken
        return
    touched = [(cell.id, core) for cell in host.numa for core in cell.cores if cpus.intersection(core)]
    half = next((core for _, core in touched if not cpus.issuperset(core)), None)
    nodes = sorted({cell for cell, _ in touched})
    needed = wanted.cores(len(touched[0][1])) if touched else 0
    if half is not None:
        yield f"is {cpu_list(cpus)}, which has a part of the core {cpu_list(half)}, limit: whole cores; name all of its CPUs or none"
    elif len(nodes) > 1:
        yield f"is {cpu_list(cpus)}, which lies on NUMA nodes {' and '.join(map(str, nodes))}, limit: one node; name CPUs of one"
    elif len(touched) != needed:
        counted = "1 core" if len(touched) == 1 else f"{len(touched)} cores"
        yield f"is {cpu_list(cpus)}, {counted}, limit: the {needed} that {wanted.vcpus} vCPUs need; name as many, or remove it"


def _taken(board: Board, host: Host, cpus: frozenset[int]) -> Iterator[str]:
    """Who has some of these CPUs already."""
    owners = [("the host's (reserved_cpus)", host.reserved), ("of shared_cpus", host.shared)]
    owners += [(f"of tenant {tenant.name}", tenant.cpus or frozenset[int]()) for tenant in host.tenants]
    owners += [(f"of {seat.machine}", frozenset(seat.cpus)) for seat in board.seats.values() if seat.host == host.name]
    for words, theirs in owners:
        cores = {cpu for cell in host.numa for core in cell.cores if theirs.intersection(core) for cpu in core}
        both = cpus & cores
        if both:
            yield f"has CPU {cpu_list(both)}, {words} on hypervisor {host.name}; name others"


def _against_drives(board: Board, wanted: MachineSet, name: str, drives: Mapping[str, str], capacity: Capacity) -> Iterator[str]:
    """Every reason against recorded drives."""
    needs, known = {need.purpose: need for need in wanted.drives}, {drive.name: drive for drive in capacity.host.drives}
    for purpose, drive_name in drives.items():
        need, drive = needs.get(purpose), known.get(drive_name)
        if need is None:
            yield f"names one for {purpose}, for which the set has no drive; remove it"
        elif drive is None:
            yield f"names {drive_name!r} for {purpose}, drives of hypervisor {name}: {', '.join(known) or 'none'}; name one of them"
        elif drive.kind != need.kind or drive.size_gib < need.min_size_gib:
            yield (
                f"names {drive_name!r} for {purpose}, {drive.kind} of {drive.size_gib} GiB, limit: {need.kind} of at least {need.min_size_gib} GiB; "
                "name another"
            )
        elif drive_name not in capacity.free_drives:
            owner = next(seat.machine for seat in board.seats.values() if seat.host == name and drive_name in seat.drives.values())
            yield f"names {drive_name!r} for {purpose}, which {owner} has; name another"
    twice = sorted({drive for drive in drives.values() if list(drives.values()).count(drive) > 1})
    if twice:
        yield f"names {twice[0]!r} twice, limit once; name another"


def _option(capacity: Capacity, wanted: MachineSet, seat: RecordedSeat) -> Option | None:
    """The best way to stand there that has all that is recorded."""
    return next(iter(capacity.options(wanted, cores=_cores(capacity.host, seat.cpus), drives=seat.drives)), None)


def _cores(host: Host, cpus: frozenset[int] | None) -> Cores | None:
    return None if cpus is None else tuple(core for cell in host.numa for core in cell.cores if cpus.issuperset(core))
