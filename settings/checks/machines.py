"""Machines against the hypervisors that shall carry them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.sets import machines_on, path_of
from settings.machine import count_of

if TYPE_CHECKING:
    from settings.environment import Environment

PAGE_MIB = {"2M": 2, "1G": 1024}


def placement(environment: "Environment") -> Iterator[Problem]:
    """Every set stands on hypervisors that there are."""
    known = ", ".join(environment.hypervisors)
    for name, node_set in environment.node_sets().items():
        for place in node_set.placement:
            if place not in environment.hypervisors:
                yield Problem(f"{path_of(name)}.placement", f"names {place!r}, known hypervisors: {known}; add it there or name one of them")


def names(environment: "Environment") -> Iterator[Problem]:
    """Host names are distinct, not too long, and none is the API's."""
    if "cp" in environment.workers:
        yield Problem("workers.cp", "is a pool called 'cp', the name of the control plane's machines; call it otherwise")
    for name, node_set in environment.node_sets().items():
        count = count_of(node_set)
        longest = f"{environment.name}-{name}-{max(count, 1)}"
        if len(longest) > 63:
            yield Problem(path_of(name), f"gives host names such as {longest!r} of {len(longest)} characters, limit 63; shorten name or pool name")
        if environment.cluster.endpoint.name in {f"{environment.name}-{name}-{number}" for number in range(1, count + 1)}:
            yield Problem("cluster.endpoint.name", f"is {environment.cluster.endpoint.name!r}, a machine's host name; choose another name")


def residency(environment: "Environment") -> Iterator[Problem]:
    """Hypervisors stand in the countries that are allowed."""
    allowed = ", ".join(environment.residency)
    for name, hypervisor in environment.hypervisors.items():
        if hypervisor.location.country not in environment.residency:
            yield Problem(
                f"hypervisors.{name}.location.country",
                f"is {hypervisor.location.country!r}, allowed by residency: {allowed}; use a hypervisor there or widen residency",
            )


def memory(environment: "Environment") -> Iterator[Problem]:
    """Memory is there for every machine, in whole huge pages where they are used."""
    for host, hypervisor in environment.hypervisors.items():
        needed = 0
        for name, node_set in environment.node_sets().items():
            here = machines_on(node_set, host)
            needed += here * node_set.memory_mib
            page = PAGE_MIB[hypervisor.hugepages] if hypervisor.hugepages else 1
            if here and node_set.memory_mib % page:
                yield Problem(
                    f"{path_of(name)}.memory_mib",
                    f"is {node_set.memory_mib}, limit: a multiple of {page} (hypervisors.{host}.hugepages); "
                    f"write {-(-node_set.memory_mib // page) * page}",
                )
        if hypervisor.memory_mib is not None and needed > hypervisor.memory_mib:
            yield Problem(f"hypervisors.{host}.memory_mib", f"is {hypervisor.memory_mib}, needed {needed}; add memory or place machines elsewhere")


def cpu_modes(environment: "Environment") -> Iterator[Problem]:
    """An emulated machine has no host CPU to pass through (libvirt: mode host-passthrough supported='no' for domain type qemu)."""
    for name, node_set in environment.node_sets().items():
        emulated = [
            place for place in node_set.placement if place in environment.hypervisors and environment.hypervisors[place].domain_type == "qemu"
        ]
        if emulated and node_set.cpu.mode == "host-passthrough":
            yield Problem(
                f"{path_of(name)}.cpu.mode",
                f"is 'host-passthrough', which domain_type qemu of hypervisor {emulated[0]} does not have; write mode: maximum, or custom with a model",
            )


def raw_image(environment: "Environment") -> Iterator[Problem]:
    """A logical pool is filled from the raw image."""
    logical = [name for name, hypervisor in environment.hypervisors.items() if hypervisor.pool.kind == "logical"]
    if logical and environment.image.raw is None:
        yield Problem("image.raw", f"is missing, needed by the logical pool of hypervisor {logical[0]}; name the raw image that the image build made")
