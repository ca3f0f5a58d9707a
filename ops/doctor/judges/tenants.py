"""Who else is on a hypervisor: the machines that are declared as its tenants, and nobody else."""

import shlex
from collections.abc import Iterator

from ops.doctor.domain_xml import Machine
from ops.doctor.machines import machines
from ops.doctor.model import Finding, HostSeen, Seen, passed
from ops.hypervisor.model import Tenant as Found
from ops.hypervisor.tenants import tenant
from ops.hypervisor.topology import topology
from ops.verify.model import Status
from settings.forms import cpu_ranges, parse_cpu_set
from settings.topology import Tenant

FAILED = Status.FAILED
FIELDS = ("vcpus", "cpus", "memory_mib", "hugepages", "numa")


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about the tenants of each hypervisor whose topology is declared; running.machines says where nobody can tell."""
    planned = {node.name for node in seen.plan.nodes}
    for host in seen.hosts.values():
        there = machines(host, seen.nodes_on(host))
        if host.settings.topology is None or there.unread:
            continue
        # a machine of the plan's name is one that `up` moves, or running.name says whose it is
        others = {each.name: each for each in there.others if each.name not in planned}
        wrong = [*_undeclared(host, others), *_gone(host, others), *_otherwise(host, others)]
        yield from wrong
        if not wrong:
            yield passed("host.tenants", host.name, f"{len(others)} machines of others, as declared")


def _undeclared(host: HostSeen, others: dict[str, Machine]) -> Iterator[Finding]:
    for name, each in others.items():
        if name in host.settings.tenants:
            continue
        whose = f" of environment {each.environment}" if each.environment else ""
        where = "floats over all CPUs" if each.floating else f"is held to CPUs {cpu_ranges(set(each.vcpus_on))}"
        yield Finding(
            id="host.tenants",
            where=host.name,
            status=FAILED,
            severity="error" if each.running else "warning",
            declared=f"{len(host.settings.tenants)} tenants",
            found=f"domain {name}{whose} {where}, {each.vcpus} vCPUs, {each.memory_kib // 1024} MiB{'' if each.running else ', not running'}",
            limit="the plan knows everybody who is there",
            remedy=f"record it under hypervisors.{host.name}.tenants (python -m ops hypervisor describe {shlex.quote(host.settings.uri)}), or move it away",
        )


def _gone(host: HostSeen, others: dict[str, Machine]) -> Iterator[Finding]:
    for name in host.settings.tenants:
        if name not in others:
            yield Finding(
                id="host.tenants",
                where=host.name,
                status=FAILED,
                severity="warning",
                declared=f"tenant {name}",
                found="no domain of this name",
                remedy=f"remove hypervisors.{host.name}.tenants.{name}: its cores and memory are kept from machines",
            )


def _otherwise(host: HostSeen, others: dict[str, Machine]) -> Iterator[Finding]:
    shape = topology(host.virsh.get("capabilities"))
    for name, declared in host.settings.tenants.items():
        if name not in others:
            continue
        found = tenant(others[name], shape)
        wanted, has = _declared(declared), _found(found)
        unlike = [field for field in FIELDS if wanted[field] != has[field]]
        if unlike:
            yield Finding(
                id="host.tenants",
                where=host.name,
                status=FAILED,
                severity="error" if _takes_more(declared, found) else "warning",
                declared=f"tenant {name}: {', '.join(f'{field} {wanted[field]}' for field in unlike)}",
                found=", ".join(f"{field} {has[field]}" for field in unlike),
                remedy=f"record it as it is (python -m ops hypervisor describe {shlex.quote(host.settings.uri)}), and see what the plan makes of it",
            )


def _declared(tenant: Tenant) -> dict[str, object]:
    cpus = cpu_ranges(set(parse_cpu_set(tenant.cpus))) if tenant.cpus else "unset"
    return {"vcpus": tenant.vcpus, "cpus": cpus, "memory_mib": tenant.memory_mib, "hugepages": tenant.hugepages or "none", "numa": _numa(tenant.numa)}


def _found(tenant: Found) -> dict[str, object]:
    cpus = cpu_ranges(set(tenant.cpus)) or "unset"
    return {"vcpus": tenant.vcpus, "cpus": cpus, "memory_mib": tenant.memory_mib, "hugepages": tenant.hugepages or "none", "numa": _numa(tenant.numa)}


def _numa(node: int | None) -> str:
    return "any" if node is None else str(node)


def _takes_more(declared: Tenant, found: Found) -> bool:
    """Whether it takes what the plan may have given to somebody else."""
    held = set(parse_cpu_set(declared.cpus)) if declared.cpus else None
    beyond = held is not None and (not found.cpus or not found.cpus <= held)
    return beyond or found.memory_mib > declared.memory_mib or found.hugepages != declared.hugepages or found.numa not in (None, declared.numa)
