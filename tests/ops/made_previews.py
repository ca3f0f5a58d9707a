"""Previews in the engine's own form, made from two plans, so that every kind of change and any number of nodes can be told."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plan import NodePlan, Plan, make
from render import kube_proxy, scripts, seed
from settings import load
from tests.settings.documents import Tree, merged, minimal

Step = dict[str, Any]
ENVIRONMENT = "underlay:index:Environment"
MACHINE = f"{ENVIRONMENT}$underlay:compute:Machine"
NODE = f"{ENVIRONMENT}$underlay:cluster:Node"
SEAT = f"{ENVIRONMENT}$underlay:cluster:Membership"
PROXY = f"{ENVIRONMENT}$underlay:cluster:KubeProxy"
CALICO = f"{ENVIRONMENT}$underlay:cluster:Calico"
INGRESS = f"{ENVIRONMENT}$underlay:cluster:Ingress"
AUTHORITIES = f"{ENVIRONMENT}$underlay:authorities:Authorities"
COMMAND = "command:remote:Command"


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:oslo::underlay::{kind}::{name}"


def step(op: str, chain: str, kind: str, name: str, before: Any = None, after: Any = None, *, owner: str = "", **more: Any) -> Step:
    """One step as the one-document form has it; `owner` is the name of the component, `more` goes to the step or, with old_ or new_, to a state."""
    address, parent = urn(f"{chain}${kind}" if chain else kind, name), urn(chain, owner) if chain else ""
    made: Step = {"op": op, "urn": address, "detailedDiff": None}
    for side, inputs in (("old", before), ("new", after)):
        if inputs is not None:
            own = {key.removeprefix(f"{side}_"): value for key, value in more.items() if key.startswith(f"{side}_")}
            made[f"{side}State"] = {"urn": address, "custom": True, "type": kind, "inputs": inputs, "parent": parent, **own}
    return {**made, **{key: value for key, value in more.items() if not key.startswith(("old_", "new_"))}}


def document(steps: Iterable[Step], *, diagnostics: Sequence[Mapping[str, str]] = (), settings: Tree | None = None) -> str:
    """The one-document form."""
    config = {"underlay:environment": json.dumps(settings)} if settings is not None else {}
    return json.dumps({"config": config, "steps": list(steps), "diagnostics": list(diagnostics), "changeSummary": {}, "duration": 1})


def events(steps: Iterable[Step], *, outputs: tuple[Tree, Tree] | None = None, result: str = "succeeded") -> str:
    """The same as a stream of events."""
    lines: list[Any] = [{"preludeEvent": {"config": {}}}]
    for one in steps:
        metadata = {**one, "type": one["urn"].split("::")[2].rpartition("$")[2], "old": one.get("oldState"), "new": one.get("newState")}
        metadata |= {"keys": one.get("replaceReasons"), "diffs": one.get("diffReasons")}
        lines.append({"resourcePreEvent": {"metadata": metadata}})
    if outputs is not None:
        stack = {"op": "same", "urn": urn("pulumi:pulumi:Stack", "underlay-oslo"), "type": "pulumi:pulumi:Stack"}
        lines.append({"resOutputsEvent": {"metadata": {**stack, "old": {"outputs": outputs[0]}, "new": {"outputs": outputs[1]}}}})
    lines.append({"summaryEvent": {"resourceChanges": {}, "durationSeconds": 1, "result": result}})
    return "".join(json.dumps({"sequence": number, "timestamp": 1, **line}) + "\n" for number, line in enumerate(lines))


def settings(**areas: Any) -> Tree:
    return merged(minimal(), areas)


def hosts(number: int) -> Tree:
    """So many hypervisors like the only one of the minimal environment: a dozen of its workers fit on each."""
    one: Tree = minimal()["hypervisors"]["kvm1"]
    return {f"kvm{each}": {**one, "uri": f"qemu+ssh://root@kvm{each}.example/system"} for each in range(1, number + 1)}


def plan(**areas: Any) -> Plan:
    return make(load(settings(**areas)))


def prepared(old: Plan, new: Plan) -> list[Step]:
    """`prepare` of all nodes of both plans that differs."""
    found: list[Step] = []
    for before, after in zip(old.nodes, new.nodes, strict=True):
        texts = [scripts.prepare(plan, node, authorized_key="ssh-ed25519 KEY") for plan, node in ((old, before), (new, after))]
        if texts[0] != texts[1]:
            found.append(
                step("update", NODE, COMMAND, f"{after.name}-prepare", *({"stdin": text} for text in texts), owner=after.name, diffReasons=["stdin"])
            )
    return found


def redefined(old: Plan, new: Plan, node: NodePlan, reason: str = "memory") -> list[Step]:
    """The steps of one node whose domain is replaced, as the engine gives them."""
    name, domain = node.name, "libvirt:index/domain:Domain"
    sides = [{"memory": next(one for one in plan.nodes if one.name == name).memory_mib, "name": name} for plan in (old, new)]
    made = step("replace", MACHINE, domain, f"{name}-domain", *sides, owner=name, replaceReasons=[reason], diffReasons=[reason])
    again = {"replaceReasons": ["triggers"]}
    return [
        {**made, "op": "delete-replaced"},
        made,
        {**made, "op": "create-replacement"},
        step("replace", NODE, COMMAND, f"{name}-ready", {"triggers": ["a"]}, {"triggers": ["b"]}, owner=name, **again),
        step("replace", SEAT, COMMAND, f"{name}-schedulable", {"triggers": ["a"]}, {"triggers": ["b"]}, owner=name, **again),
    ]


def seeds(old: Plan, new: Plan) -> list[Step]:
    """Seeds and domains of nodes whose own network differs."""
    found: list[Step] = []
    for before, after in zip(old.nodes, new.nodes, strict=True):
        texts = [{"networkConfig": seed.network_config(plan, node)} for plan, node in ((old, before), (new, after))]
        kind = "libvirt:index/cloudInitDisk:CloudInitDisk"
        found.append(step("replace", MACHINE, kind, f"{after.name}-seed", *texts, owner=after.name, replaceReasons=["networkConfig"]))
        found += redefined(old, new, after, "cloudinit")
    return found


def whole_node(op: str, node: NodePlan) -> list[Step]:
    """All resources of a node that comes or goes."""
    name = node.name
    side: dict[str, Any] = {"before" if op == "delete" else "after": {}}
    parts = [(MACHINE, "tls:index/privateKey:PrivateKey", "host-key"), (MACHINE, "libvirt:index/volume:Volume", "root")]
    parts += [(MACHINE, "libvirt:index/cloudInitDisk:CloudInitDisk", "seed"), (MACHINE, "libvirt:index/domain:Domain", "domain")]
    parts += [(NODE, COMMAND, part) for part in ("prepare", "join", "ready", *(("pki",) if node.is_control_plane else ()))]
    parts += [(SEAT, COMMAND, part) for part in ("member", "schedulable")]
    return [step(op, chain, kind, f"{name}-{part}", **side, owner=name) for chain, kind, part in parts]


def proxied(old: Plan, new: Plan) -> list[Step]:
    """kube-proxy's two patches."""
    maps = [{"data": kube_proxy.config_map_data(plan)} for plan in (old, new)]
    sets = [
        {
            "spec": {
                "minReadySeconds": plan.settings.kube_proxy.min_ready_s,
                "updateStrategy": {"rollingUpdate": {"maxUnavailable": plan.settings.kube_proxy.max_unavailable}},
                "template": {"metadata": {"annotations": {"checksum": kube_proxy.checksum(kube_proxy.config(plan))}}},
            }
        }
        for plan in (old, new)
    ]
    name = "oslo-kube-proxy"
    return [
        step("update", PROXY, "kubernetes:core/v1:ConfigMapPatch", f"{name}-config", *maps, owner=name, diffReasons=["data"]),
        step("update", PROXY, "kubernetes:apps/v1:DaemonSetPatch", f"{name}-rollout", *sets, owner=name, diffReasons=["spec"]),
    ]
