"""CPU pins: every vCPU has a host CPU of its own, and sets with `cpus` keep theirs whatever the others do."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.sets import machines_on, path_of
from settings.forms import cpu_ranges, parse_cpu_set
from settings.machine import NodeSet

if TYPE_CHECKING:
    from settings.environment import Environment


def pins(environment: "Environment") -> Iterator[Problem]:
    """Sets with cpus stay within machine_cpus and apart from each other; there are enough for all."""
    for host, hypervisor in environment.hypervisors.items():
        sets = {name: node_set for name, node_set in environment.node_sets().items() if host in node_set.placement}
        if hypervisor.machine_cpus is not None:
            yield from _on_pinned(host, set(parse_cpu_set(hypervisor.machine_cpus)), sets)
            continue
        for name, node_set in sets.items():
            if node_set.cpus is not None:
                yield Problem(f"{path_of(name)}.cpus", f"is named, but hypervisor {host} has no machine_cpus; name them there or remove cpus")


def _on_pinned(host: str, there: set[int], sets: dict[str, NodeSet]) -> Iterator[Problem]:
    owners: dict[int, str] = {}
    rest_needed = 0
    for name, node_set in sets.items():
        needed = machines_on(node_set, host) * node_set.vcpus
        if node_set.cpus is None:
            rest_needed += needed
            continue
        path, own = f"{path_of(name)}.cpus", set(parse_cpu_set(node_set.cpus))
        if own - there:
            yield Problem(
                path, f"has {cpu_ranges(own - there)}, allowed by machine_cpus of hypervisor {host}: {cpu_ranges(there)}; choose CPUs among them"
            )
        taken = sorted(own & owners.keys())
        if taken:
            yield Problem(path, f"has CPU {taken[0]}, which {path_of(owners[taken[0]])}.cpus has on hypervisor {host} too; give it to one of them")
        if needed > len(own):
            yield Problem(
                path, f"has {len(own)} CPUs, needed {needed} on hypervisor {host} (one for each vCPU); add CPUs or place machines elsewhere"
            )
        owners.update(dict.fromkeys(own - owners.keys(), name))
    rest = len(there - owners.keys())
    if rest_needed > rest:
        yield Problem(
            f"hypervisors.{host}.machine_cpus",
            f"has {rest} CPUs for sets without cpus, needed {rest_needed} (one for each vCPU); add CPUs or place machines elsewhere",
        )


def unsteady(environment: "Environment") -> Iterator[Problem]:
    """Warnings where growing one set would move the pins of another."""
    for host, hypervisor in environment.hypervisors.items():
        if hypervisor.machine_cpus is None:
            continue
        sharing = [path_of(name) for name, node_set in environment.node_sets().items() if host in node_set.placement and node_set.cpus is None]
        if len(sharing) > 1:
            yield Problem(
                f"hypervisors.{host}.machine_cpus",
                f"is shared by {' and '.join(sharing)} without cpus of their own: growing an earlier one replaces machines of the later ones; name cpus for each",
            )
