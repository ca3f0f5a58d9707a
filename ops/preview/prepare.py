"""What a changed `prepare` of a node does: everything below Kubernetes, set on the running node."""

from typing import Final

from ops.preview import node_script
from ops.preview.effects import Lines, Meaning, Section, Severity, Work
from ops.preview.node_script import NodeScript

CONNTRACK: Final = "net.netfilter.nf_conntrack_"
CONNTRACK_MAX: Final = "net.netfilter.nf_conntrack_max"
LINK_SYSCTLS: Final = ("net.ipv4.ip_forward", "net.ipv4.conf.", "net.ipv4.neigh.", "net.core.")
KERNELS: Final = "the kernel's own"
STAYS: Final = "no longer kept (it stays on the node)"
_UNITS: Final = {
    "containerd": "containerd restarts; running pods go on, none starts meanwhile",
    "chrony": "chrony restarts; the clock goes on",
    "keepalived": "keepalived reloads; the API's address stays where it is",
}
_SHOWN_BY_OTHERS: Final = {"/etc/sysctl.d/90-underlay.conf", "/etc/modprobe.d/underlay.conf"}
"""What these hold is said value by value."""


def meaning(node: str, before_text: str, after_text: str, *, new_image: bool) -> Meaning:
    """What the script does on a node that runs. `new_image`: the root volume is made anew, so all of it is done at the first boot."""
    lines = Lines()
    before, after = node_script.read(before_text), node_script.read(after_text)
    if before is None or after is None:
        lines.say(
            Section.NODES, node, "node files, modules and sysctls are looked through again; what differs is not known before", Severity.IN_PLACE
        )
        return lines.meaning()
    lines.work.append(Work(kind="prepare", node=node))
    _version(lines, node, before, after, new_image=new_image)
    _tracking(lines, node, before, after)
    for name, (old, new) in node_script.changed(before.sysctls, after.sysctls).items():
        if not name.startswith(CONNTRACK):
            section = Section.DATA_PLANE if name.startswith(LINK_SYSCTLS) else Section.NODES
            tail = "set live" if new else "no longer declared; the running kernel keeps it until the next boot"
            lines.say(section, node, f"sysctl {name} {old or KERNELS} → {new or KERNELS}, {tail}", Severity.IN_PLACE)
    _modules(lines, node, before, after)
    _files(lines, node, before, after)
    if not lines.effects:
        lines.say(Section.NODES, node, "its script of preparation runs again; nothing that it sets differs", Severity.IN_PLACE)
    return lines.meaning()


def _version(lines: Lines, node: str, before: NodeScript, after: NodeScript, *, new_image: bool) -> None:
    if before.version == after.version:
        return
    text = f"Kubernetes {before.version} → {after.version}"
    if new_image:
        lines.say(Section.NODES, node, f"{text}, from the new image", Severity.IN_PLACE)
        return
    refused = f"{text} without a new image: the node will refuse it and `up` will stop; change image.source together with cluster.kubernetes_version"
    lines.say(Section.NODES, node, refused, Severity.REFUSED)


def _tracking(lines: Lines, node: str, before: NodeScript, after: NodeScript) -> None:
    """All of connection tracking on one line."""
    parts: list[str] = []
    for name, (old, new) in node_script.changed(before.sysctls, after.sysctls).items():
        if name == CONNTRACK_MAX:
            parts.append(f"entries {old} → {new} (hash {before.buckets} → {after.buckets} buckets)")
        elif name.startswith(CONNTRACK):
            parts.append(f"{name.removeprefix(CONNTRACK)} {old or 'unset'} → {new or 'unset'}")
    if parts:
        text = f"connection tracking: {', '.join(parts)}; set live, no machine is touched and kube-proxy does not restart"
        smaller = _smaller(before, after)
        lines.say(Section.DATA_PLANE, node, f"{text}{smaller}", Severity.IN_PLACE)


def _smaller(before: NodeScript, after: NodeScript) -> str:
    old, new = before.sysctls.get(CONNTRACK_MAX, "0"), after.sysctls.get(CONNTRACK_MAX, "0")
    return "; smaller than before: a node that tracks more already takes no new connection" if int(new) < int(old) else ""


def _modules(lines: Lines, node: str, before: NodeScript, after: NodeScript) -> None:
    added = [name for name in after.modules if name not in before.modules]
    gone = [name for name in before.modules if name not in after.modules]
    if added:
        lines.say(Section.NODES, node, f"kernel modules loaded: {', '.join(added)}", Severity.IN_PLACE)
    if gone:
        lines.say(Section.NODES, node, f"kernel modules no longer loaded at boot: {', '.join(gone)}", Severity.IN_PLACE)


def _files(lines: Lines, node: str, before: NodeScript, after: NodeScript) -> None:
    for path, unit in node_script.changed_files(before, after).items():
        if path in _SHOWN_BY_OTHERS:
            continue
        what = "written" if path not in before.files else STAYS if path not in after.files else "changed"
        text, severity = f"{path} {what}", Severity.IN_PLACE
        if path == "/root/.ssh/authorized_keys":
            text = "who may log in as root changes (/root/.ssh/authorized_keys)"
        elif path == "/etc/keepalived/keepalived.conf" and what == STAYS:
            text, severity = "keepalived is turned off: the node holds the API's address no longer", Severity.RESTARTS
        elif path.startswith("/etc/kubernetes/patches/"):
            text = f"{path} {what}: for control planes that are yet to be made; those that run keep theirs"
        elif unit and what != STAYS:
            text, severity = f"{path} {what}: {_UNITS.get(unit, f'{unit} restarts')}", Severity.RESTARTS
        lines.say(Section.NODES, node, text, severity)
