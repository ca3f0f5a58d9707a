"""Nodes, their disks and what they depend on lie where the stack says that they may."""

from collections.abc import Iterator

from ops.verify.model import Check, Figure, Finding, Seen, missing
from ops.verify.reading.blocks import NODES
from ops.verify.reading.distances import CONNECT, any_declared, distance
from ops.verify.reading.document import at, listed, mapping, name_of, output_of, text
from ops.verify.reading.domains import definitions, machine
from ops.verify.reading.findings import failed, passed, several
from plan import NodePlan, Plan

NODES_ID, MACHINES_ID, DEPENDENCIES_ID = "residency.nodes", "residency.machines", "residency.dependencies"
REGION, ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
HOSTNAME = "hostname"
UNKNOWN_DOMAIN = "failed to get domain"
"""virsh's words for a machine that its hypervisor does not have."""


def nodes(seen: Seen) -> Iterator[Finding]:
    """Labels of every node that the cluster has."""
    items, why = listed(seen, NODES)
    if why:
        yield missing(NODES_ID, "cluster", why)
        return
    labels = {name_of(item): mapping(at(item, "metadata", "labels")) for item in items if name_of(item)}
    allowed = " or ".join(seen.plan.settings.residency.countries)
    for node in seen.plan.nodes:
        wanted = {key: value for key, value in node.labels if key in (REGION, ZONE)}
        declared = f"in {wanted.get(REGION, '').upper()} ({allowed} are allowed), site {wanted.get(ZONE, '')}"
        found = labels.get(node.name)
        if found is None:
            yield failed(NODES_ID, node.name, declared, "the cluster has no such node", "see its kubelet, and run `pulumi up`")
            continue
        wrong = [f"{key} is {text(found.get(key)) or 'unset'}, declared {value}" for key, value in wanted.items() if found.get(key) != value]
        if wrong:
            remedy = f"find out who changed it; `pulumi up` writes it again: {', '.join(f'{key}={value}' for key, value in wanted.items())}"
            yield failed(NODES_ID, node.name, declared, several(wrong), remedy)
        else:
            yield passed(NODES_ID, node.name, declared, "as labelled, so that workloads are placed by it")
    for name in sorted(labels.keys() - {node.name for node in seen.plan.nodes}):
        place = text(labels[name].get(REGION)).upper() or "an unknown country"
        yield failed(
            NODES_ID,
            name,
            f"nodes of the stack alone, in {allowed}",
            f"a node that the stack does not have, in {place}",
            f"kubectl delete node {name}",
        )


def machines(seen: Seen) -> Iterator[Finding]:
    """Every machine runs on the hypervisor that the stack names, with its disk there, and no two hypervisors are one."""
    twins = _twins(seen)
    for node in seen.plan.nodes:
        host = seen.plan.settings.hypervisors[node.hypervisor]
        declared = f"on {node.hypervisor}, {host.location.country}, site {host.location.site}"
        found, why = machine(seen, node)
        if UNKNOWN_DOMAIN in why.lower():
            yield failed(
                MACHINES_ID,
                node.name,
                declared,
                f"{node.hypervisor} has no such machine",
                "find it: virsh list --all on the others; then `pulumi up`",
            )
        elif why:
            yield missing(MACHINES_ID, node.name, why)
        elif found.disk_type == "network":
            place = found.disk_source.get("name") or found.disk_source.get("protocol") or "elsewhere"
            yield failed(
                MACHINES_ID,
                node.name,
                declared,
                f"its disk is on the network ({place})",
                "move it into the pool: a machine and its disk stand together",
            )
        elif problem := _elsewhere(seen.plan, node, twins):
            yield failed(MACHINES_ID, node.name, declared, problem, "give each hypervisor the connection URI of its own host")
        else:
            yield passed(MACHINES_ID, node.name, declared, f"it runs there, with its disk ({found.disk_type})")


def _twins(seen: Seen) -> dict[str, list[str]]:
    """Hypervisors by the name that their host calls itself."""
    found: dict[str, list[str]] = {}
    for name in seen.plan.settings.hypervisors:
        said, why = output_of(seen.hypervisors.get(name), HOSTNAME)
        if not why and said.strip():
            found.setdefault(said.strip(), []).append(name)
    return found


def _elsewhere(plan: Plan, node: NodePlan, twins: dict[str, list[str]]) -> str:
    for hostname, names in twins.items():
        sites = {(plan.settings.hypervisors[name].location.country, plan.settings.hypervisors[name].location.site) for name in names}
        if node.hypervisor in names and len(sites) > 1:
            return f"{' and '.join(names)} are one host ({hostname}), declared at {len(sites)} places"
    return ""


def dependencies(seen: Seen) -> Iterator[Finding]:
    """Each dependency's country, and how far away it can be at most, as the nearest node measures it."""
    allowed = seen.plan.settings.residency.countries
    for name, dependency in seen.plan.settings.dependencies.items():
        declared = f"in {dependency.country}; {', '.join(allowed)} allowed"
        found = [distance(seen, node.name, name) for node in seen.plan.nodes]
        near = [each for each in found if not each.why and not each.error]
        if dependency.country not in allowed:
            yield failed(
                DEPENDENCIES_ID, name, declared, f"in {dependency.country}", f"use one that stands in {', '.join(allowed)}, or widen residency"
            )
        elif not near:
            yield missing(DEPENDENCIES_ID, name, next((each.why or each.error for each in found), "no node measured it"))
        else:
            nearest = min(near, key=lambda each: each.at_most_km)
            words = f"declared there, and {nearest.address} is at most {nearest.at_most_km:.0f} km of fibre away from a node"
            yield passed(
                DEPENDENCIES_ID, name, declared, words, Figure(name=f"distance to {name} at most", value=round(nearest.at_most_km), unit="km")
            )


CHECKS: tuple[Check, ...] = (
    Check(id=NODES_ID, area="residency", title="Nodes are labelled with where they stand", severity="error", judge=nodes, api_paths=(NODES,)),
    Check(
        id=MACHINES_ID,
        area="residency",
        title="Machines and disks are on their hypervisor",
        severity="error",
        judge=machines,
        virsh=lambda plan, name: (*definitions(plan, name), HOSTNAME),
    ),
    Check(
        id=DEPENDENCIES_ID,
        area="residency",
        title="Dependencies stand in allowed countries",
        severity="error",
        judge=dependencies,
        probes=(CONNECT,),
        applies=any_declared,
    ),
)
