"""Machines against the hypervisors that shall carry them: who may stand where, who does not fit, what is recorded."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from placement.words import shortfall_words
from settings.base import Problem
from settings.checks.sets import path_of
from settings.machine import count_of
from settings.seating import node_name

if TYPE_CHECKING:
    from settings.environment import Environment


def known_hypervisors(environment: "Environment") -> Iterator[Problem]:
    """Every set stands on hypervisors that there are."""
    known = ", ".join(environment.hypervisors)
    for name, node_set in environment.node_sets().items():
        for place in node_set.placement or ():
            if place not in environment.hypervisors:
                yield Problem(f"{path_of(name)}.placement", f"names {place!r}, known hypervisors: {known}; add it there or name one of them")


def seats(environment: "Environment") -> Iterator[Problem]:
    """Every machine has a seat, the recorded ones their own."""
    for refusal in environment.placement.refusals:
        path = f"placements.{refusal.machine}"
        yield Problem(f"{path}.{refusal.part}" if refusal.part else path, refusal.message)
    for shortfall in environment.placement.shortfalls:
        if shortfall.lacks:  # else its placement names no hypervisor that there is, which has a line of its own
            yield Problem(path_of(shortfall.set_name), shortfall_words(shortfall))


def racks(environment: "Environment") -> Iterator[Problem]:
    """Machines that must stand in racks of their own stand where racks are named."""
    for name, node_set in environment.node_sets().items():
        without = [
            host
            for host in node_set.placement or environment.hypervisors
            if host in environment.hypervisors and environment.hypervisors[host].location.rack is None
        ]
        if node_set.apart == "rack" and without and count_of(node_set) > 1:
            yield Problem(
                f"{path_of(name)}.apart",
                f"is 'rack', but hypervisor {without[0]} names none; write hypervisors.{without[0]}.location.rack, or apart: hypervisor",
            )


def own_tenants(environment: "Environment") -> Iterator[Problem]:
    """What the environment makes itself is no tenant of others."""
    own = {node_name(environment.name, name, index) for name, node_set in environment.node_sets().items() for index in range(count_of(node_set))}
    for host, hypervisor in environment.hypervisors.items():
        for name in hypervisor.tenants:
            if name in own:
                yield Problem(f"hypervisors.{host}.tenants.{name}", "is a machine of this environment itself; remove it")
