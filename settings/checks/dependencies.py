"""What applications depend on, against where it may stand and how nodes reach it."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.networks import outside_cluster

if TYPE_CHECKING:
    from settings.environment import Environment


def countries(environment: "Environment") -> Iterator[Problem]:
    """Dependencies stand in the countries that are allowed: what applications send them leaves the environment."""
    allowed = ", ".join(environment.residency)
    for name, dependency in environment.dependencies.items():
        if dependency.country not in environment.residency:
            yield Problem(
                f"dependencies.{name}.country",
                f"is {dependency.country!r}, allowed by residency: {allowed}; use one that stands there or widen residency",
            )


def addresses(environment: "Environment") -> Iterator[Problem]:
    """Dependencies named by address are outside of the cluster: pods' and Services' addresses come and go with it."""
    numbers = {
        f"dependencies.{name}.host": IPv4Address(dependency.host)
        for name, dependency in environment.dependencies.items()
        if dependency.host.replace(".", "").isdigit()
    }
    yield from outside_cluster(environment, numbers)
