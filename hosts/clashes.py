"""What a machine is to have of its host that another domain has already."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hosts.domains import Machine


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a machine takes of its host for itself, or shares."""

    name: str
    environment: str
    policy: str
    """dedicated, shared or emulated."""
    cpus: frozenset[int]
    """Host CPUs that its vCPUs are held to."""
    pci: frozenset[str]
    """PCI devices that it gets whole, as 0000:41:00.0."""
    blocks: frozenset[str]
    """Block devices that it gets whole."""


def clashes(wanted: Wanted, found: Iterable[Machine], own: frozenset[str]) -> Iterator[str]:
    """One line for each domain that is none of the environment's own (by its mark, or by its name) and has what the machine is to have."""
    for other in sorted(found, key=lambda machine: machine.name):
        if other.environment == wanted.environment or other.name in own:
            continue
        taken = [*_cpus(wanted, other), *_devices(wanted, other)]
        if taken:
            whose = f"of environment {other.environment}" if other.environment else "which underlay does not know"
            yield f"{' and '.join(taken)} {'are' if taken[0].startswith('CPUs') else 'is'} of domain {other.name}, {whose}"


def _cpus(wanted: Wanted, other: Machine) -> Iterator[str]:
    if wanted.policy == "dedicated":
        both = wanted.cpus & other.pinned
    elif wanted.policy == "shared" and (other.policy == "dedicated" or (not other.policy and other.alone)):
        both = wanted.cpus & other.vcpus_on
    else:
        return
    if both:
        yield f"CPUs {ranges(both)}"


def _devices(wanted: Wanted, other: Machine) -> Iterator[str]:
    yield from (f"PCI device {place}" for place in sorted(wanted.pci & other.pci))
    yield from (f"device {place}" for place in sorted(wanted.blocks & other.blocks))


def ranges(cpus: Iterable[int]) -> str:
    """CPUs as the kernel writes them: 2-4,8."""
    groups: list[list[int]] = []
    for cpu in sorted(cpus):
        if groups and cpu == groups[-1][-1] + 1:
            groups[-1].append(cpu)
        else:
            groups.append([cpu])
    return ",".join(str(group[0]) if len(group) == 1 else f"{group[0]}-{group[-1]}" for group in groups)
