"""All hypervisors while machines are seated: who stands where, and the order in which places are tried."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from placement.capacity import Capacity, Option
from placement.fleet import Fleet, Host, Level, MachineSet
from placement.result import Lack, Seat

LEVELS: tuple[Level, ...] = ("site", "rack", "hypervisor")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine that wants a seat."""

    name: str
    index: int
    wanted: MachineSet


class Board:
    """The fleet as it is being filled."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.capacities = {host.name: Capacity(host) for host in fleet.hosts}
        self.seats: dict[str, Seat] = {}
        self._sets = {wanted.name: wanted for wanted in fleet.sets}
        self._counts: Counter[tuple[str, Level, str]] = Counter()
        self._places = {(host.name, level): host.place(level) for host in fleet.hosts for level in LEVELS}

    def count(self, set_name: str, level: Level, host: str) -> int:
        """How many machines of a set stand in this hypervisor's site or rack, or on itself."""
        return self._counts[set_name, level, self._places[host, level]]

    def may(self, wanted: MachineSet, host: str) -> bool:
        """Whether the set's own anti-affinity leaves the hypervisor open."""
        return wanted.apart is None or not self.count(wanted.name, wanted.apart, host)

    def hosts(self, machine: Machine) -> list[str]:
        """Hypervisors open to the machine: where fewest of its set stand, then in the declared order from its index on."""
        wanted = machine.wanted
        allowed = [name for name in wanted.hosts if name in self.capacities]
        turn = {name: (position - machine.index) % len(allowed) for position, name in enumerate(allowed)}
        open_hosts = [name for name in allowed if self.may(wanted, name)]
        return sorted(open_hosts, key=lambda name: (*(self.count(wanted.name, level, name) for level in LEVELS), turn[name]))

    def options(self, machine: Machine) -> Iterator[tuple[str, Option]]:
        """Every place for the machine, best first."""
        for name in self.hosts(machine):
            for option in self.capacities[name].options(machine.wanted):
                yield name, option

    def sit(self, machine: Machine, host: str, option: Option, *, recorded: bool = False) -> None:
        """Seat a machine."""
        capacity, wanted = self.capacities[host], machine.wanted
        capacity.take(wanted, option)
        self._count(wanted, host, 1)
        self.seats[machine.name] = Seat(
            machine=machine.name,
            set_name=wanted.name,
            index=machine.index,
            host=host,
            numa=option.numa,
            cores=option.cores,
            vcpu_cpus=vcpu_cpus(wanted, capacity.host, option),
            threads=guest_threads(wanted, option),
            drives=option.drives,
            recorded=recorded,
        )

    def rise(self, machine: Machine) -> None:
        """Undo `sit`."""
        seat = self.seats.pop(machine.name)
        capacity = self.capacities[seat.host]
        capacity.give_back(machine.wanted, capacity.option_of(seat))
        self._count(machine.wanted, seat.host, -1)

    def lacks(self, wanted: MachineSet) -> Iterator[Lack]:
        """What keeps a machine of the set from every hypervisor that may carry it."""
        for name in wanted.hosts:
            if name not in self.capacities:
                continue
            if wanted.apart is not None and not self.may(wanted, name):
                there = next(
                    seat.machine for seat in self.seats.values() if seat.set_name == wanted.name and self._same(seat.host, name, wanted.apart)
                )
                yield Lack(host=name, kind="apart", about=f"{there} stands {where(wanted.apart)} (apart: {wanted.apart})")
            else:
                yield from self.capacities[name].lacks(wanted)

    def waiting(self) -> list[Machine]:
        """Machines without a seat, in the fleet's order."""
        return [
            Machine(name=name, index=index, wanted=wanted)
            for wanted in self.fleet.sets
            for index, name in enumerate(wanted.machines)
            if name not in self.seats
        ]

    def likeness(self, host: str, option: Option) -> object:
        """What makes one place as good as another for all that is still to be seated."""
        allowed = tuple(host in wanted.hosts for wanted in self.fleet.sets)
        counts = tuple(self.count(wanted.name, level, host) for wanted in self.fleet.sets for level in LEVELS)
        return self._places[host, "rack"], allowed, counts, self.capacities[host].signature(), option.numa

    def spread(self) -> tuple[int, int, int]:
        """On how many hypervisors, in how many racks and sites the control planes stand."""
        hosts = {seat.host for seat in self.seats.values() if self._sets[seat.set_name].control_plane}
        return len(hosts), len({self._places[host, "rack"] for host in hosts}), len({self._places[host, "site"] for host in hosts})

    def _same(self, one: str, other: str, level: Level) -> bool:
        return self._places[one, level] == self._places[other, level]

    def _count(self, wanted: MachineSet, host: str, more: int) -> None:
        for level in LEVELS:
            self._counts[wanted.name, level, self._places[host, level]] += more


def where(level: Level) -> str:
    """Where something of the same site, rack or hypervisor stands, in words."""
    return "there" if level == "hypervisor" else f"in the same {level}"


def vcpu_cpus(wanted: MachineSet, host: Host, option: Option) -> tuple[tuple[int, ...], ...]:
    """Host CPUs of each vCPU: the threads of its own cores in turn, all shared CPUs, or none."""
    if wanted.policy == "emulated":
        return ()
    if wanted.policy == "shared":
        return (tuple(sorted(host.shared)),) * wanted.vcpus
    usable = [cpu for core in option.cores for cpu in (core[:1] if wanted.alone else core)]
    return tuple((cpu,) for cpu in usable[: wanted.vcpus])


def guest_threads(wanted: MachineSet, option: Option) -> int:
    """Threads of each core that the guest sees: those of the host's cores where its vCPUs fill them."""
    if wanted.alone or not option.cores or wanted.vcpus % len(option.cores[0]):
        return 1
    return len(option.cores[0])
