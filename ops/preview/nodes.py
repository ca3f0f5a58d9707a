"""What happens to a node: its machine, its steps over SSH and its place in the cluster told together."""

from collections.abc import Iterable, Mapping
from typing import Final

from ops.preview import machine_reasons, prepare
from ops.preview.document import Action, Change
from ops.preview.effects import Lines, Meaning, Section, Severity, Work
from ops.preview.values import at, differences, text_at

OWNERS: Final = ("underlay:compute:Machine", "underlay:cluster:Node", "underlay:cluster:Membership")
"""Components that make up a node; each has the node's name."""
_KNOWN: Final = {"host-key", "root", "seed", "domain", "prepare", "pki", "join", "ready", "member", "schedulable"}

Parts = Mapping[str, Change]


def by_node(changes: Iterable[Change]) -> tuple[dict[str, dict[str, Change]], list[Change]]:
    """The changes of each node by what follows its name, and all others."""
    nodes: dict[str, dict[str, Change]] = {}
    others: list[Change] = []
    for change in changes:
        owner, _, node = change.parent.partition("::")
        part = change.name.removeprefix(f"{node}-")
        if owner in OWNERS and part in _KNOWN:
            nodes.setdefault(node, {})[part] = change
        elif change.type not in OWNERS:
            others.append(change)
    return nodes, others


def meaning(node: str, parts: Parts, *, control_planes: int | None, image: Mapping[str, str]) -> Meaning:
    """What happens to one node. `control_planes`: how many there are, where it is known; `image`: its file before and after, where it changes."""
    lines = Lines()
    machine, volume = _action(parts, "domain"), _action(parts, "root")
    if machine == "create" and volume in ("create", None) and _action(parts, "join") in ("create", None):
        _joins(lines, node, parts)
    elif machine == "delete" or volume == "delete":
        _leaves(lines, node, parts)
    else:
        _stays(lines, node, parts, control_planes, image)
    return lines.meaning()


def _action(parts: Parts, name: str) -> Action | None:
    return parts[name].action if name in parts else None


def is_control_plane(parts: Parts) -> bool | None:
    """Whether it carries etcd, as far as its changes tell."""
    if "pki" in parts or any(change.was_protected or change.is_protected for change in parts.values()):
        return True
    return False if _action(parts, "join") else None


def _joins(lines: Lines, node: str, parts: Parts) -> None:
    kind, etcd = ("control plane", " and its etcd") if is_control_plane(parts) else ("node", "")
    lines.say(Section.NODES, node, f"new {kind}: made, prepared, joined to the cluster{etcd}", Severity.IN_PLACE)
    lines.work.append(Work(kind="join", node=node))


def _leaves(lines: Lines, node: str, parts: Parts) -> None:
    member = "; its etcd member is removed" if is_control_plane(parts) else ""
    text = f"leaves the cluster: it will be drained first, then its Node object goes{member}; its machine, disk and seed are deleted"
    lines.say(Section.NODES, node, text, Severity.REPLACEMENTS)
    lines.work.append(Work(kind="leave", node=node))


def _stays(lines: Lines, node: str, parts: Parts, control_planes: int | None, image: Mapping[str, str]) -> None:
    rebuilt, redefined = _action(parts, "root") == "replace", _action(parts, "domain") == "replace"
    holds_etcd = is_control_plane(parts) or "-cp-" in node
    if rebuilt:
        _rebuilt(lines, node, parts, image, holds_etcd=holds_etcd, alone=bool(holds_etcd) and control_planes == 1)
    elif redefined:
        why = machine_reasons.of_domain(parts["domain"], parts.get("seed"))
        text = f"machine replaced because {why}: it will be drained first; its disk stays"
        if holds_etcd and control_planes is not None:
            text += "; it is the only control plane: the API stops meanwhile" if control_planes == 1 else "; its etcd member stops meanwhile"
        lines.say(Section.NODES, node, text, Severity.REPLACEMENTS)
        lines.work.append(Work(kind="redefine", node=node))
    elif _action(parts, "domain") == "update":
        changed = ", ".join(sorted({item.path for item in parts["domain"].differences()}))
        lines.say(Section.NODES, node, f"its domain changes in place ({changed or 'not said what'})", Severity.IN_PLACE)
    _link(lines, node, parts)
    _steps(lines, node, parts, rebuilt=rebuilt, redefined=redefined)


def _rebuilt(lines: Lines, node: str, parts: Parts, image: Mapping[str, str], *, holds_etcd: bool, alone: bool) -> None:
    why = machine_reasons.of_volume(parts["root"], image)
    member = " and etcd" if holds_etcd else ""
    text = f"machine built anew because {why}: it will be drained first, leaves the cluster{member}, and joins again on an empty disk"
    if alone:
        text = f"machine built anew because {why}: it is the only control plane, and all that the cluster holds is lost with its disk"
    lines.say(Section.NODES, node, text, Severity.REPLACEMENTS)
    lines.work.append(Work(kind="rebuild", node=node))


def _link(lines: Lines, node: str, parts: Parts) -> None:
    """The node's own network is data plane."""
    if "seed" not in parts:
        return
    for item in machine_reasons.link_differences(parts["seed"]):
        name = item.path.rpartition(".")[2]
        if name == "mtu":
            lines.say(Section.DATA_PLANE, node, f"MTU of the link {item}", Severity.REPLACEMENTS)


def _steps(lines: Lines, node: str, parts: Parts, *, rebuilt: bool, redefined: bool) -> None:
    """The steps that change for another reason than a new machine."""
    step = parts.get("prepare")
    if step is not None and step.before and step.after:
        before, after = text_at(step.before, "stdin"), text_at(step.after, "stdin")
        if before != after:
            lines.take(prepare.meaning(node, before, after, new_image=rebuilt))
    if rebuilt:
        return
    if _action(parts, "join") == "replace":
        lines.say(Section.NODES, node, "kubeadm runs again on a node that has joined already", Severity.RESTARTS)
    if _action(parts, "pki") in ("update", "replace"):
        lines.say(Section.NODES, node, "the cluster's keys and certificates are written again", Severity.RESTARTS)
    if _action(parts, "member") == "update" and (found := _member(parts["member"])):
        lines.say(Section.NODES, node, found, Severity.IN_PLACE)
    if not redefined and _action(parts, "ready") in ("update", "replace"):
        lines.say(Section.NODES, node, "waited for until it is Ready again with kube-proxy in its mode", Severity.IN_PLACE)
    if not redefined and _action(parts, "schedulable") == "replace":
        lines.say(Section.NODES, node, "drained and made schedulable again", Severity.RESTARTS)
    if not lines.effects:
        lines.say(Section.NODES, node, _leftover(parts), Severity.IN_PLACE)


def _member(member: Change) -> str:
    if at(member.before, "connection.host") != at(member.after, "connection.host"):
        return "another control plane speaks for it when it leaves"
    scripts = [_declared(text_at(side, "stdin")) for side in (member.before, member.after)]
    if scripts[0] == scripts[1]:
        return ""
    evicts = "; a new NoExecute taint evicts pods at once" if "NoExecute" in scripts[1] and "NoExecute" not in scripts[0] else ""
    return f"labels, annotations or taints of its Node object change{evicts}"


def _declared(script: str) -> str:
    """The lines that hold labels, annotations and taints."""
    return "\n".join(line for line in script.splitlines() if line.startswith(("labels()", "annotations()", "taints()")))


def _leftover(parts: Parts) -> str:
    """Steps that run again and change nothing that is known."""
    steps = [name for name in ("prepare", "pki", "join", "ready", "member", "schedulable") if name in parts]
    paths = sorted({item.path.partition(".")[0] for name in steps for item in differences(parts[name].before, parts[name].after)})
    return f"{', '.join(steps or sorted(parts))}: run again ({', '.join(paths) or 'a secret'} changed); every step can be run twice"
