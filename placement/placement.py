"""The answer of the planner as a whole."""

from dataclasses import dataclass
from functools import cached_property

from placement.fleet import Fleet, MachineSet
from placement.result import HostView, Refusal, Seat, Shortfall
from placement.views import host_views


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where everything stands, and what does not fit."""

    fleet: Fleet
    seats: tuple[Seat, ...]
    """In the fleet's order; machines without one are named by `shortfalls` and `refusals`."""
    shortfalls: tuple[Shortfall, ...]
    refusals: tuple[Refusal, ...]

    @cached_property
    def hosts(self) -> tuple[HostView, ...]:
        """Every hypervisor as it is filled."""
        return tuple(host_views(self.fleet, self.seats))

    @cached_property
    def by_machine(self) -> dict[str, Seat]:
        """Seats by machine."""
        return {seat.machine: seat for seat in self.seats}

    @cached_property
    def by_host(self) -> dict[str, HostView]:
        """Hypervisors by name."""
        return {view.host.name: view for view in self.hosts}

    @property
    def complete(self) -> bool:
        """Whether every machine has a seat."""
        return not self.shortfalls and not self.refusals

    def seats_of(self, machine_set: MachineSet) -> tuple[Seat, ...]:
        """Seats of one set's machines."""
        return tuple(self.by_machine[name] for name in machine_set.machines if name in self.by_machine)
