"""The cluster's Node objects: those of the plan and no others, Ready, with the declared labels, taints and addresses."""

from collections.abc import Iterator, Mapping
from typing import Any

from ops.verify.model import Check, Finding, Seen, missing
from ops.verify.reading.answers import Verdict
from ops.verify.reading.document import items, labels, mapping, sequence, text
from plan import NodePlan

READY, LABELS, ADDRESSES = "nodes.ready", "nodes.labels", "nodes.addresses"
NODES = "/api/v1/nodes"
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def _objects(seen: Seen) -> dict[str, Mapping[str, Any]] | str:
    """Node objects by name, or why there are none."""
    if NODES not in seen.api:
        return seen.api_errors.get(NODES, f"{NODES} was not asked for")
    listed = items(seen.api[NODES])
    return "the API's answer for Nodes is no list" if listed is None else {text(mapping(one.get("metadata")).get("name")): one for one in listed}


def _each(check: str, seen: Seen) -> Iterator[tuple[NodePlan, Mapping[str, Any] | None] | Finding]:
    """Every node of the plan with its object, None where the cluster has none; a finding where that is not known."""
    found = _objects(seen)
    for node in seen.plan.nodes:
        yield missing(check, node.name, found) if isinstance(found, str) else (node, found.get(node.name))


def _ready(seen: Seen) -> Iterator[Finding]:
    found = _objects(seen)
    for each in _each(READY, seen):
        if isinstance(each, Finding):
            yield each
            continue
        node, thing = each
        remedy = f"kubectl describe node {node.name}; journalctl -u kubelet on {node.name}"
        verdict = Verdict(check=READY, where=node.name, declared="Ready and open to pods", remedy=remedy)
        yield verdict.of(["the cluster has no such Node"] if thing is None else list(_unready(thing)), "Ready")
    if not isinstance(found, str):
        known = {node.name for node in seen.plan.nodes}
        strange = sorted(name for name in found if name not in known)
        remedy = "drain and delete it (kubectl delete node NAME), or declare it"
        verdict = Verdict(check=READY, where="cluster", declared=f"the {len(known)} nodes of the stack and no other", remedy=remedy)
        yield verdict.of([f"the cluster has Node {name}, which no setting declares" for name in strange], f"{len(found)} nodes")


def _unready(thing: Mapping[str, Any]) -> Iterator[str]:
    conditions = {text(one.get("type")): one for one in map(mapping, sequence(mapping(thing.get("status")).get("conditions")))}
    ready = mapping(conditions.get("Ready"))
    if ready.get("status") != "True":
        yield f"Ready is {text(ready.get('status')) or 'unknown'} ({text(ready.get('reason')) or 'no reason'}: {text(ready.get('message'))[:120]})"
    for name in PRESSURES:
        one = mapping(conditions.get(name))
        if one.get("status") == "True":
            yield f"{name} ({text(one.get('message'))[:120]})"
    if mapping(thing.get("spec")).get("unschedulable") is True:
        yield "cordoned: no pod is scheduled to it"


def _labels(seen: Seen) -> Iterator[Finding]:
    for each in _each(LABELS, seen):
        if isinstance(each, Finding):
            yield each
            continue
        node, thing = each
        verdict = Verdict(
            check=LABELS,
            where=node.name,
            declared=f"{len(node.labels)} labels, {len(node.annotations)} annotations, {len(node.taints)} taints",
            remedy="pulumi up --refresh sets them again; see who changes them (the object's managedFields)",
        )
        yield verdict.missing("the cluster has no such Node") if thing is None else verdict.of(list(_unlike(node, thing)), "as declared")


def _unlike(node: NodePlan, thing: Mapping[str, Any]) -> Iterator[str]:
    metadata = mapping(thing.get("metadata"))
    for kind, declared in (("label", node.labels), ("annotation", node.annotations)):
        has = labels(metadata.get(f"{kind}s"))
        yield from (f"{kind} {name} is {has.get(name, 'absent')}, declared {value}" for name, value in declared if has.get(name) != value)
    taints = {
        (text(taint.get("key")), text(taint.get("effect"))): text(taint.get("value"))
        for taint in map(mapping, sequence(mapping(thing.get("spec")).get("taints")))
    }
    for taint in node.taints:
        if taints.get((taint.key, taint.effect)) != taint.value:
            yield f"taint {taint.key}:{taint.effect} is {'absent' if (taint.key, taint.effect) not in taints else 'another'}, declared {taint.value!r}"


def _addresses(seen: Seen) -> Iterator[Finding]:
    for each in _each(ADDRESSES, seen):
        if isinstance(each, Finding):
            yield each
            continue
        node, thing = each
        remedy = f"node-ip stands in /var/lib/kubelet/kubeadm-flags.env on {node.name}; another address is a new machine"
        verdict = Verdict(check=ADDRESSES, where=node.name, declared=f"InternalIP {node.address}", remedy=remedy)
        if thing is None:
            yield verdict.missing("the cluster has no such Node")
            continue
        listed = [mapping(one) for one in sequence(mapping(thing.get("status")).get("addresses"))]
        found = [text(one.get("address")) for one in listed if one.get("type") == "InternalIP"]
        lines = [] if found == [str(node.address)] else [f"InternalIP is {', '.join(found) or 'absent'}"]
        yield verdict.of(lines, str(node.address))


CHECKS: tuple[Check, ...] = (
    Check(
        id=READY,
        area="nodes",
        title="The cluster has the declared nodes, all Ready, and no other",
        severity="error",
        judge=_ready,
        api_paths=(NODES,),
    ),
    Check(
        id=LABELS, area="nodes", title="Nodes carry the declared labels, annotations and taints", severity="error", judge=_labels, api_paths=(NODES,)
    ),
    Check(id=ADDRESSES, area="nodes", title="Nodes have the declared addresses", severity="error", judge=_addresses, api_paths=(NODES,)),
)
