"""Machines as their hypervisor has them: virsh's dumpxml, vcpuinfo, domstats and nodeinfo."""

import re

from ops.verify.model import Seen
from ops.verify.reading.definition import Machine, machine_of
from ops.verify.reading.document import output_of
from plan import NodePlan, Plan

VCPU = re.compile(r"^VCPU: +(\d{1,4})$.*?^CPU Affinity: +([y-]+)$", re.MULTILINE | re.DOTALL)
DOMAIN = re.compile(r"^Domain: '(?P<name>.+)'$")
CURRENT = re.compile(r"^ *vcpu\.current=(\d{1,5})$")
HOST_CPUS = re.compile(r"^CPU\(s\): +(\d{1,5})$", re.MULTILINE)
VCPUS, HOST = "domstats --vcpu", "nodeinfo"
LONGEST = 1 << 20
"""Characters of a definition that are read."""


def dump(node: str) -> str:
    """virsh's words for a machine's definition as it runs."""
    return f"dumpxml {node}"


def affinity(node: str) -> str:
    """virsh's words for where the kernel lets a machine's vCPUs run."""
    return f"vcpuinfo {node}"


def definitions(plan: Plan, hypervisor: str) -> list[str]:
    """The questions for all machines of a hypervisor."""
    return [dump(node.name) for node in plan.nodes_on(hypervisor)]


def machine(seen: Seen, node: NodePlan) -> tuple[Machine, str]:
    """The machine of a node, and why it is not known."""
    said, why = output_of(seen.hypervisors.get(node.hypervisor), dump(node.name))
    return (Machine(), why) if why else machine_of(said[:LONGEST].strip())


def pins(said: str) -> dict[int, frozenset[int]]:
    """Host CPUs on which each vCPU may run, from vcpuinfo."""
    return {int(number): frozenset(cpu for cpu, allowed in enumerate(cpus) if allowed == "y") for number, cpus in VCPU.findall(said)}


def running(said: str) -> dict[str, int]:
    """vCPUs of each running machine, ours or not, from domstats."""
    found: dict[str, int] = {}
    name = ""
    for line in said.splitlines():
        if head := DOMAIN.match(line):
            name = head["name"]
        elif name and (current := CURRENT.match(line)):
            found[name] = int(current[1])
    return found


def host_cpus(said: str) -> int | None:
    """Number of the hypervisor's CPUs, from nodeinfo."""
    found = HOST_CPUS.search(said)
    return int(found[1]) if found else None
