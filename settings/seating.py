"""From the settings to what the planner is given."""

from typing import TYPE_CHECKING

from placement import DriveNeed, Fleet, Host, HostDrive, HostTenant, MachineSet, NumaCell, RecordedSeat
from settings.forms import parse_cpu_set
from settings.hypervisor import Hypervisor
from settings.machine import ControlPlane, NodeSet, count_of

if TYPE_CHECKING:
    from settings.environment import Environment


def fleet_of(environment: "Environment") -> Fleet:
    """Hypervisors, sets and recorded seats of an environment."""
    hosts = tuple(_host(name, hypervisor) for name, hypervisor in environment.hypervisors.items())
    every = tuple(environment.hypervisors)
    return Fleet(
        hosts=hosts,
        sets=tuple(_machines(environment.name, name, node_set, every) for name, node_set in environment.node_sets().items()),
        recorded={
            name: RecordedSeat(host=seat.hypervisor, cpus=frozenset(parse_cpu_set(seat.cpus)) if seat.cpus else None, drives={**seat.drives})
            for name, seat in environment.placements.items()
        },
    )


def node_name(environment: str, set_name: str, index: int) -> str:
    """Host name of a machine: <environment>-<set>-<number>, the number from 1."""
    return f"{environment}-{set_name}-{index + 1}"


def _host(name: str, hypervisor: Hypervisor) -> Host:
    location, topology = hypervisor.location, hypervisor.topology
    cells = (
        ()
        if topology is None
        else tuple(
            NumaCell(id=number, socket=node.socket, cores=node.cores, memory_mib=node.plain_mib, pages={**node.hugepages})
            for number, node in topology.nodes.items()
        )
    )
    return Host(
        name=name,
        site=f"{location.country}/{location.site}",
        rack=location.rack,
        numa=cells,
        reserved=hypervisor.reserved,
        shared=hypervisor.shared,
        tenants=tuple(
            HostTenant(
                name=tenant_name,
                vcpus=tenant.vcpus,
                cpus=frozenset(parse_cpu_set(tenant.cpus)) if tenant.cpus else None,
                memory_mib=tenant.memory_mib,
                pages=tenant.hugepages,
                numa=tenant.numa,
            )
            for tenant_name, tenant in hypervisor.tenants.items()
        ),
        drives=tuple(
            HostDrive(name=drive_name, kind=drive.kind, size_gib=drive.size_gib, numa=drive.numa) for drive_name, drive in hypervisor.drives.items()
        ),
    )


def _machines(environment: str, name: str, node_set: NodeSet, every: tuple[str, ...]) -> MachineSet:
    policy = node_set.cpu_policy
    return MachineSet(
        name=name,
        machines=tuple(node_name(environment, name, index) for index in range(count_of(node_set))),
        control_plane=isinstance(node_set, ControlPlane),
        vcpus=node_set.vcpus,
        memory_mib=node_set.memory_mib,
        pages=node_set.hugepages,
        policy=policy.kind,
        overcommit=policy.overcommit,
        alone=policy.threads == "alone",
        hosts=node_set.placement or every,
        apart=node_set.apart,
        drives=tuple(
            DriveNeed(purpose=purpose, kind=disk.of, min_size_gib=disk.min_size_gib)
            for purpose, disk in node_set.data_disks().items()
            if disk.kind == "drive" and disk.of is not None
        ),
    )
