"""The machines of others on a host, from their definitions."""

from collections.abc import Mapping
from typing import Final

from ops.doctor.domain_xml import Machine, machine
from ops.doctor.model import why_not
from ops.doctor.questions import lines
from ops.hypervisor.model import Tenant, Topology
from ops.hypervisor.topology import PAGES
from ops.verify.model import Said
from settings.forms import cpu_ranges

DEFAULT_PAGE: Final = "2M"
"""What huge pages of no named size are taken for: the kernel's default on x86-64."""


def domains(said: Mapping[str, Said]) -> tuple[list[Machine], list[str]]:
    """Every domain of a host that can be read, and why others cannot."""
    found: list[Machine] = []
    unread = [why for key in ("domains", "running") if (why := why_not(said.get(key)))]
    running = set(lines(said.get("running")))
    for name in sorted(lines(said.get("domains"))):
        definition = said.get(f"domain {name}")
        if (one := machine(name, definition, running=name in running)) is not None:
            found.append(one)
        else:
            unread.append(f"domain {name}: {why_not(definition) or 'its definition cannot be read'}")
    return found, unread


def tenant(found: Machine, host: Topology) -> Tenant:
    """A domain as the settings declare it, as far as the topology of its host is declared."""
    pages = (PAGES.get(found.page_kib) or DEFAULT_PAGE) if found.huge else None
    return Tenant(
        name=found.name,
        vcpus=found.vcpus,
        cpus=frozenset() if found.floating else found.vcpus_on & host.cpus,
        memory_mib=-(-found.memory_kib // 1024),
        hugepages=pages,
        numa=min(found.numa) if len(found.numa) == 1 and found.numa <= host.numbers else None,
        note="; ".join(_notes(found, host)),
    )


def _notes(found: Machine, host: Topology) -> list[str]:
    notes = ["running" if found.running else "defined, does not run"]
    if found.environment:
        notes.append(f"of environment {found.environment}")
    if found.floating and found.vcpus_on:
        notes.append("some of its vCPUs are held to CPUs and some are not: it counts as floating")
    elif found.floating:
        notes.append("floats over all CPUs")
    if found.huge and found.page_kib not in PAGES:
        notes.append(f"its huge pages are {f'{found.page_kib} KiB' if found.page_kib else 'of the default size'}")
    if len(found.numa) > 1:
        notes.append("its memory is bound to several NUMA nodes")
    elif not found.numa <= host.numbers and host.nodes:
        notes.append("its memory is bound to a NUMA node that is left out")
    beyond = found.vcpus_on - host.cpus
    if beyond and host.nodes:
        notes.append(f"is also held to CPUs {cpu_ranges(set(beyond))}, which are left out")
    return notes
