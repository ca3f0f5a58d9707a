"""Machines' names, and what their hypervisors cannot give them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.sets import path_of
from settings.machine import count_of

if TYPE_CHECKING:
    from settings.environment import Environment


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


def cpu_modes(environment: "Environment") -> Iterator[Problem]:
    """An emulated machine has no host CPU to pass through (libvirt: mode host-passthrough supported='no' for domain type qemu)."""
    for name, node_set in environment.node_sets().items():
        carrying = dict.fromkeys(seat.host for seat in environment.placement.seats if seat.set_name == name)
        emulated = [host for host in carrying if environment.hypervisors[host].domain_type == "qemu"]
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
