"""Machines get the CPU time that they were promised: no overcommit, and no CPU that two of them hold."""

from collections.abc import Iterator
from typing import Final

from policy.facts import hypervisor_of, place_of, tenants
from policy.model import Resource, Stack
from policy.rule import Rule
from policy.seats import DOMAIN, Seat, counted, seat_of

_EMULATED: Final = "emulated"


def overcommit(resource: Resource, stack: Stack) -> Iterator[str]:
    """A domain that floats, has fewer CPUs than vCPUs, or is one too many on shared CPUs."""
    if resource.type != DOMAIN:
        return
    seat = seat_of(resource, stack)
    if seat.policy == _EMULATED:
        return
    host = _host(resource, stack)
    if not seat.cpus:
        yield (
            f"{seat.name} is pinned to no CPU of {host}, so nothing keeps others from its {_vcpus(seat.vcpus)}; declare cpu_policy dedicated or shared, "
            "or emulated where steal does not matter"
        )
    elif seat.policy == "shared":
        yield from _too_many(seat, resource, stack, host)
    elif len(seat.cpus) < seat.vcpus or any(len(pin) != 1 for pin in seat.pins) or len(seat.pins) < seat.vcpus:
        yield (
            f"{seat.name} has {_vcpus(seat.vcpus)} on {counted(seat.cpus)} of {host}, limit: one CPU of its own for each; "
            "pin each vCPU to another CPU, lower vcpus, or declare cpu_policy shared"
        )


def _vcpus(count: int) -> str:
    return f"{count} vCPU{'' if count == 1 else 's'}"


def _too_many(seat: Seat, resource: Resource, stack: Stack, host: str) -> Iterator[str]:
    """Said of the machine with which the limit is passed, and not of those after it."""
    beside = [other for other in _neighbours(resource, stack) if other.policy == "shared" and other.cpus & seat.cpus]
    cpus = seat.cpus.union(*(other.cpus for other in beside))
    limit = min(other.overcommit for other in (seat, *beside)) * len(cpus)
    before = sum(other.vcpus for other in beside)
    if before <= limit < before + seat.vcpus:
        total = before + seat.vcpus
        yield (
            f"with {seat.name} there are {total} vCPUs on the shared {counted(cpus)} of {host}, {total / len(cpus):.2g} for each, "
            f"limit {limit / len(cpus):.2g}; place it elsewhere, name more shared_cpus, lower vcpus, or declare cpu_policy.overcommit"
        )


def overlap(resource: Resource, stack: Stack) -> Iterator[str]:
    """A domain that holds a CPU which an earlier one, a machine of others or somebody's own threads hold too; the first such is named."""
    if resource.type != DOMAIN:
        return
    seat = seat_of(resource, stack)
    if seat.policy == _EMULATED:
        return
    host = _host(resource, stack)
    for other, both in _clashes(seat, resource, stack):
        yield (
            f"{seat.name} holds {counted(both)} of {host}, which {other} holds too, limit: one machine for each dedicated CPU; "
            "give one of them another seat (placements, `python -m ops plan --record`)"
        )
        return


def _clashes(seat: Seat, resource: Resource, stack: Stack) -> Iterator[tuple[str, frozenset[int]]]:
    if _dedicated(seat) and (own := seat.own_threads & seat.cpus):
        yield "its own emulator or I/O threads (reserved_cpus)", own
    for other in _neighbours(resource, stack):
        if (_dedicated(seat) or _dedicated(other)) and (both := seat.cpus & other.cpus):
            yield other.name, both
        if _dedicated(seat) and (both := seat.cpus & other.own_threads):
            yield f"{other.name} by its emulator or I/O threads", both
        if _dedicated(other) and (both := other.cpus & seat.own_threads):
            yield f"{other.name}, by its emulator or I/O threads", both
    hypervisor = hypervisor_of(resource, stack)
    for name, cpus in tenants(hypervisor).items() if hypervisor is not None and _dedicated(seat) else ():
        if both := seat.cpus & cpus:
            yield f"{name} of others", both


def _dedicated(seat: Seat) -> bool:
    """Declared so, or pinned so where nothing is declared."""
    return bool(seat.cpus) and seat.policy not in {"shared", _EMULATED}


def _neighbours(resource: Resource, stack: Stack) -> Iterator[Seat]:
    """Seats of the domains that were registered before on the same hypervisor."""
    place = place_of(resource, stack)
    for other in stack.before(resource):
        if place_of(other, stack) == place:
            yield seat_of(other, stack)


def _host(resource: Resource, stack: Stack) -> str:
    hypervisor = hypervisor_of(resource, stack)
    return (hypervisor.text("hypervisor") or hypervisor.name) if hypervisor is not None else "its hypervisor"


RULES: Final = (
    Rule(
        id="cpu-overcommit",
        level="mandatory",
        demand="Every vCPU has a CPU of its own, or shares as many as are declared.",
        reason="A vCPU that waits for a CPU receives and forwards nothing in the meantime, whatever the routing; inside the guest it shows as steal only.",
        source="proc(5), field steal of /proc/stat; libvirt, Domain XML format, CPU Tuning",
        judge=overcommit,
    ),
    Rule(
        id="cpu-pins",
        level="mandatory",
        demand="No CPU of a hypervisor belongs to two machines.",
        reason="A pinned vCPU cannot move away: two on one CPU get half of it each, also while all others are idle.",
        source="libvirt, Domain XML format, CPU Tuning (vcpupin, emulatorpin, iothreadpin)",
        judge=overlap,
    ),
)
