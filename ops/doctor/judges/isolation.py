"""CPUs of dedicated machines, kept from the host's own processes: pins hold machines apart, not what runs beside them."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hosts.xml import cpu_set
from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen
from ops.verify.model import Status
from settings.forms import cpu_ranges

NAME: Final = "host.isolation"
SLICES: Final = ("system.slice", "user.slice", "init.scope")
"""Where systemd keeps what is no machine; machines are in machine.slice."""


def judge(seen: Seen) -> Iterator[Finding]:
    """One finding for each hypervisor with dedicated machines."""
    for host in seen.hosts.values():
        own = {cpu for node in seen.nodes_on(host) if node.cpu_policy == "dedicated" for cpus in node.vcpu_pins for cpu in cpus}
        if not own:
            continue
        said = host.told("isolation")
        if said.error:
            yield unseen(NAME, host.name, said.error, "look on the host: cat /sys/devices/system/cpu/isolated", severity="warning")
        else:
            yield _judged(host, frozenset(own), _told(said.output))


def _told(text: str) -> Mapping[str, frozenset[int]]:
    """CPUs by what they are said of: the kernel's isolated ones, those of process 1, those of each slice."""
    return {name: cpu_set(cpus) for name, cpus in re.findall(r"^(\S+) ?([0-9,-]*)$", text, re.MULTILINE)}


def _judged(host: HostSeen, own: frozenset[int], told: Mapping[str, frozenset[int]]) -> Finding:
    declared = f"CPUs {cpu_ranges(set(own))} for dedicated machines alone"
    if own <= told.get("isolated", frozenset()):
        return passed(NAME, host.name, "isolated by the kernel", declared=declared)
    if told.get("init") and not own & told["init"]:
        return passed(NAME, host.name, f"services run on {cpu_ranges(set(told['init']))} (CPUAffinity)", declared=declared)
    if all(told.get(name) and not own & told[name] for name in SLICES):
        return passed(NAME, host.name, "system.slice, user.slice and init.scope have other CPUs (AllowedCPUs)", declared=declared)
    open_to = frozenset[int]().union(*(told.get(name) or told.get("init") or own for name in SLICES)) - told.get("isolated", frozenset())
    reserved = host.settings.reserved_cpus or "the reserved CPUs"
    return Finding(
        id=NAME,
        where=host.name,
        status=Status.FAILED,
        severity="warning",
        declared=declared,
        found=f"the kernel may run the host's own processes on {cpu_ranges(set(own & open_to))}",
        remedy=(
            f"hold them to {reserved}: isolcpus=managed_irq,domain,{cpu_ranges(set(own))} on the kernel's command line, or CPUAffinity in "
            "/etc/systemd/system.conf, or AllowedCPUs of system.slice, user.slice and init.scope (docs/placement-measured.md)"
        ),
    )
