"""What applications depend on, against how nodes reach it and how far away it is."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.networks import outside_cluster

if TYPE_CHECKING:
    from settings.environment import Environment


IMMEDIATE_MS = 100
"""What people take for an immediate answer (Nielsen, Usability Engineering, 1993); the network should not use it up alone."""


def distances(environment: "Environment") -> Iterator[Problem]:
    """Warnings where the way to a dependency and back, call after call, is what a user waits for."""
    for name, dependency in environment.dependencies.items():
        if dependency.budget_ms > IMMEDIATE_MS:
            calls = f"{dependency.serial_calls} calls" if dependency.serial_calls > 1 else "1 call"
            yield Problem(
                f"dependencies.{name}",
                f"costs every request {dependency.budget_ms:g} ms on the way alone: {calls} of {dependency.round_trip_ms:g} ms, one after the other, "
                f"limit of what feels immediate: {IMMEDIATE_MS} ms; ask for more in one call, or use one that is nearer",
            )


def addresses(environment: "Environment") -> Iterator[Problem]:
    """Dependencies named by address are outside of the cluster: pods' and Services' addresses come and go with it."""
    numbers = {
        f"dependencies.{name}.host": IPv4Address(dependency.host)
        for name, dependency in environment.dependencies.items()
        if dependency.host.replace(".", "").isdigit()
    }
    yield from outside_cluster(environment, numbers)
