"""A preview as a reviewer needs it, whatever form it is written in."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ops.preview import fabric_outputs, nodes, rules
from ops.preview.cost import Cost, cost
from ops.preview.document import Action, Change, Preview
from ops.preview.effects import Line, Lines, Section, Severity, grouped
from ops.preview.values import Difference, differences
from plan import Plan, make
from settings import SettingsError, load

_ROOT: Final = "underlay:index:Environment"
_CALICO: Final = "kubernetes:projectcalico.org/"
_SHOWN: Final[Mapping[Action, str]] = {"create": "made", "update": "changed", "replace": "replaced", "delete": "deleted"}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All that is said of a preview."""

    stack: str
    severity: Severity
    lines: tuple[Line, ...]
    """What happens, by section; the data plane first."""
    refusals: tuple[str, ...]
    """What the program or the engine says no to, line by line."""
    warnings: tuple[str, ...]
    cost: Cost
    outputs: tuple[Difference, ...] | None
    """What applications see differently; None where the engine's form does not tell."""
    counts: tuple[tuple[str, int], ...]
    """Resources by what happens to them, without components."""
    changes: tuple[Change, ...]
    """For the diff."""


def settings_plan(preview: Preview) -> Plan | None:
    """The plan of the settings that the preview was made with; None where they are encrypted in part, or refused."""
    if preview.settings is None:
        return None
    try:
        return make(load(dict(preview.settings)))
    except SettingsError:
        return None


def summarise(preview: Preview, plan: Plan | None, *, stack: str | None = None) -> Summary:
    """The summary of a preview. `plan` is of the new settings; `stack` is the name where the engine does not say it."""
    lines = Lines()
    root = next((change for change in preview.changes if change.type == _ROOT), None)
    by_node, others = nodes.by_node(preview.changes)
    if root is not None and root.action == "create":
        _new_environment(lines, by_node, others)
    else:
        _changed(lines, by_node, others, plan)
        if preview.outputs and not any(change.type.startswith(_CALICO) for change in preview.changes):
            lines.take(fabric_outputs.meaning(*preview.outputs))
    _protected(lines, preview.changes)
    refusals = _refusals(preview)
    aside = ("warning",) if preview.refused else ("error", "warning")
    warnings = tuple(item.text.removeprefix("warning:").strip() for item in preview.diagnostics if item.severity in aside)
    severity = max((effect.severity for effect in lines.effects), default=Severity.NOTHING)
    own = [change for change in preview.changes if not change.type.startswith(("underlay:", "pulumi:pulumi:")) and change.action != "same"]
    outputs = tuple(differences(*preview.outputs)) if preview.outputs and not refusals else None
    if outputs and severity is Severity.NOTHING:
        severity = Severity.IN_PLACE
    return Summary(
        stack=stack or preview.stack or "the stack",
        severity=Severity.REFUSED if refusals else severity,
        lines=grouped(lines.effects),
        refusals=refusals,
        warnings=warnings,
        cost=cost(lines.work, plan),
        outputs=outputs,
        counts=_counts(own),
        changes=tuple(own),
    )


def _refusals(preview: Preview) -> tuple[str, ...]:
    """What was said, line by line; never nothing where the engine did not finish."""
    if not preview.refused:
        return ()
    said = (line for item in preview.diagnostics if item.severity == "error" for line in item.text.splitlines() if line.strip())
    return tuple(dict.fromkeys(said)) or ("the engine ended without a reason",)


def _counts(changes: Iterable[Change]) -> tuple[tuple[str, int], ...]:
    found = Counter(change.action for change in changes)
    return tuple((word, found[action]) for action, word in _SHOWN.items() if found[action])


def _changed(lines: Lines, by_node: Mapping[str, Mapping[str, Change]], others: Sequence[Change], plan: Plan | None) -> None:
    image = _image(others)
    control_planes = len(plan.control_planes) if plan else None
    names = [node.name for node in plan.nodes] if plan else []
    for node, parts in by_node.items():
        lines.take(nodes.meaning(node, parts, control_planes=control_planes, image=image))
    for change in others:
        if change.action != "same":
            lines.take(rules.explain(change, names))


def _image(others: Iterable[Change]) -> Mapping[str, Any]:
    """The node image's file name before and after, where a hypervisor gets another one."""
    for change in others:
        if change.name.endswith("-image") and change.action == "replace":
            old, new = (str(side.get("source", "")) for side in (change.before, change.after))
            if old != new:
                return {"before": old, "after": new}
    return {}


def _new_environment(lines: Lines, by_node: Mapping[str, Mapping[str, Change]], others: Iterable[Change]) -> None:
    """Everything is made: a few lines, whatever its size."""
    for node, parts in by_node.items():
        lines.take(nodes.meaning(node, parts, control_planes=None, image={}))
    kinds = Counter(_kind(change) for change in others if change.action == "create" and not change.type.startswith(("underlay:", "pulumi:pulumi:")))
    for (section, subject), count in kinds.items():
        lines.say(section, subject, f"{count} resource{'s' if count > 1 else ''} made", Severity.IN_PLACE)


def _kind(change: Change) -> tuple[Section, str]:
    family = change.type.partition(":")[0]
    owner = change.parent.partition("::")[0].rpartition(":")[2]
    if family in ("tls", "random"):
        return Section.KEYS, "authorities, keys and the bootstrap token"
    if family == "libvirt":
        return Section.HOSTS, "image and pools"
    if family == "kubernetes":
        return Section.CLUSTER, {"KubeProxy": "kube-proxy", "Calico": "Calico", "Ingress": "ingress"}.get(owner, "Kubernetes objects")
    return (Section.HOSTS, "providers") if family == "pulumi" else (Section.OTHER, change.type)


def _protected(lines: Lines, changes: Iterable[Change]) -> None:
    """Protected resources that would go, and protection that comes or goes."""
    for change in changes:
        # the engine refuses a replacement by what the program declares now, a deletion by what it declared at the last `up`
        if change.was_protected and (change.action == "delete" or (change.action == "replace" and change.is_protected)):
            verb = "replaced" if change.action == "replace" else "deleted"
            text = f"is protected and would be {verb}: `up` stops. Where that is what you want: {_lifting(change)}"
            lines.say(Section.PROTECTED, change.name, text, Severity.REFUSED)
        elif change.was_protected and not change.is_protected:
            lines.say(Section.PROTECTED, change.name, "is protected no longer", Severity.IN_PLACE)


def _lifting(change: Change) -> str:
    """What lifts the protection of a resource."""
    owner, family = change.parent.partition("::")[0], change.type.partition(":")[0]
    if owner == "underlay:compute:Machine":
        setting = "control_plane_disks"
    elif family in ("tls", "random"):
        setting = "authorities"
    else:
        return f"`pulumi state unprotect '{change.urn}'`"
    return f"protection.{setting}: false, {'in an `up` before this one' if change.action == 'delete' else 'for this `up`'}"
