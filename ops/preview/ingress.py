"""What changes of the front door: NGINX's tuning, its pods, and where clients reach it."""

from typing import Final

from ops.preview.document import Change
from ops.preview.effects import Lines, Meaning, Section, Severity
from ops.preview.resources import whole
from ops.preview.values import MISSING, at, differences, plain

SUBJECT: Final = "ingress"


def tuning(change: Change) -> Meaning:
    """The ConfigMap: each of NGINX's values that differs."""
    lines = Lines()
    if change.action == "update":
        for item in differences(at(change.before, "data") or {}, at(change.after, "data") or {}):
            name = item.path.removeprefix('["').removesuffix('"]')
            before, after = (value if value != MISSING else "its default" for value in (item.before, item.after))
            text = f"{name} {plain(before)} → {plain(after)}: NGINX reloads, no pod restarts"
            lines.say(Section.CLUSTER, SUBJECT, text, Severity.IN_PLACE)
    return lines.meaning() if lines.effects else whole(change, Section.CLUSTER, SUBJECT, "its ConfigMap")


def workload(change: Change) -> Meaning:
    """The controller's Deployment or DaemonSet."""
    if change.action in ("create", "delete"):
        return whole(change, Section.CLUSTER, SUBJECT, "the controller")
    lines = Lines()
    if change.action == "replace":
        lines.say(Section.CLUSTER, SUBJECT, "the controller is removed and made anew: applications are not reached meanwhile", Severity.REPLACEMENTS)
        return lines.meaning()
    images = [plain(at(side, "spec.template.spec.containers.0.image")) for side in (change.before, change.after)]
    what = f"version {_tag(images[0])} → {_tag(images[1])}: " if images[0] != images[1] else ""
    if at(change.before, "spec.template") != at(change.after, "spec.template"):
        lines.say(Section.CLUSTER, SUBJECT, f"{what}the controller's pods restart, one after the other", Severity.RESTARTS)
    for item in differences(at(change.before, "spec") or {}, at(change.after, "spec") or {}):
        if not item.path.startswith("template"):
            lines.say(Section.CLUSTER, SUBJECT, f"{item.path} {item}", Severity.IN_PLACE)
    return lines.meaning() if lines.effects else whole(change, Section.CLUSTER, SUBJECT, "the controller")


def _tag(image: str) -> str:
    return image.partition("@")[0].rpartition(":")[2]


def front(change: Change) -> Meaning:
    """The Service before the controller: addresses and ports of clients."""
    lines = Lines()
    if change.action in ("create", "delete"):
        return whole(change, Section.CLUSTER, SUBJECT, "the Service before the controller")
    if change.action == "replace":
        lines.say(
            Section.DATA_PLANE, SUBJECT, "the Service before the controller is made anew: clients do not reach it meanwhile", Severity.REPLACEMENTS
        )
    for item in differences(at(change.before, "spec") or {}, at(change.after, "spec") or {}):
        lines.say(Section.DATA_PLANE, SUBJECT, f"{item.path} {item}: clients reach it another way", Severity.RESTARTS)
    return lines.meaning() if lines.effects else whole(change, Section.CLUSTER, SUBJECT, "the Service before the controller")
