"""What changes of kube-proxy: its configuration, and the restart that brings it into the kernel."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from ops.preview.document import Change
from ops.preview.effects import Lines, Meaning, Section, Severity, Work
from ops.preview.resources import whole
from ops.preview.values import at, differences, plain

SUBJECT: Final = "kube-proxy"
_MODES: Final = ("ipvs", "nftables", "iptables")
_WORDS: Final = {"ipvs.scheduler": "scheduler", "ipvs.strictARP": "strict ARP", "clusterCIDR": "the pods' network"}


def configuration(change: Change) -> Meaning:
    """The ConfigMap: what its text says before and after."""
    lines = Lines()
    if change.action != "update":
        return whole(change, Section.CLUSTER, SUBJECT, "its configuration")
    old, new = _configuration(change.before), _configuration(change.after)
    modes = (at(old, "mode"), at(new, "mode"))
    if modes[0] != modes[1]:
        text = (
            f"mode {plain(modes[0])} → {plain(modes[1])}: every node's Services move to another table of the kernel while kube-proxy restarts there"
        )
        lines.say(Section.DATA_PLANE, SUBJECT, text, Severity.RESTARTS)
    for item in differences(old, new):
        part = item.path.partition(".")[0]
        if item.path == "mode" or (modes[0] != modes[1] and part in (*_MODES, "featureGates")):
            continue
        lines.say(Section.DATA_PLANE, SUBJECT, f"{_WORDS.get(item.path, item.path)} {item}", Severity.RESTARTS)
    if not lines.effects:
        lines.say(Section.DATA_PLANE, SUBJECT, "its ConfigMap changes", Severity.IN_PLACE)
    return lines.meaning()


def _configuration(side: Mapping[str, Any]) -> Any:
    data: Mapping[str, Any] = side.get("data") or {}
    try:
        return yaml.safe_load(str(data.get("config.conf", ""))) or {}
    except yaml.YAMLError:
        return {}


def rollout(change: Change, nodes: Sequence[str]) -> Meaning:
    """The DaemonSet: whether its pods restart, and how many at a time."""
    if change.action != "update":
        return whole(change, Section.CLUSTER, SUBJECT, "its DaemonSet")
    lines = Lines()
    spec = at(change.after, "spec")
    if at(change.before, "spec.template") == at(spec, "template"):
        changed = "; ".join(f"{item.path} {item}" for item in differences(at(change.before, "spec"), spec))
        lines.say(Section.CLUSTER, SUBJECT, f"its DaemonSet changes in place ({changed or 'not said what'}); no pod restarts", Severity.IN_PLACE)
        return lines.meaning()
    width, healthy = at(spec, "updateStrategy.rollingUpdate.maxUnavailable"), at(spec, "minReadySeconds")
    where = f"all {len(nodes)} nodes" if nodes else "all nodes"
    text = f"restarts on {where}, {plain(width or 1)} at a time, each healthy for {plain(healthy or 0)} s before the next; machines and pods stay"
    lines.say(Section.DATA_PLANE, SUBJECT, text, Severity.RESTARTS)
    lines.work += [Work(kind="proxy", node=node) for node in nodes or ("",)]
    return lines.meaning()
