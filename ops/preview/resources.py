"""What changes of resources that need no story of their own: Kubernetes objects, keys, hypervisors, and what nobody knows."""

from typing import Final

from ops.preview.document import Action, Change
from ops.preview.effects import Effect, Meaning, Section, Severity
from ops.preview.values import at, plain

_VERBS: Final[dict[Action, str]] = {
    "create": "made",
    "update": "changed in place",
    "replace": "removed and made anew",
    "delete": "deleted",
    "same": "left as it is",
}
_GOES: Final = ("delete", "replace")


def whole(change: Change, section: Section, subject: str, what: str) -> Meaning:
    """An object of which nothing more is to be said than that it comes, changes or goes."""
    kept = change.stays and change.action == "delete"
    verb = "no longer kept; it stays as it is" if kept else _VERBS[change.action]
    severity = Severity.REPLACEMENTS if change.action in _GOES and not kept else Severity.IN_PLACE
    return _one(section, subject, f"{what} is {verb}", severity)


def kubernetes_object(change: Change) -> Meaning:
    """Any object of a manifest, by the component that keeps it."""
    owner = change.parent.rpartition(":")[0].rpartition(":")[0].rpartition(":")[2]
    kind = change.type.rpartition(":")[2]
    return whole(change, Section.CLUSTER, f"{kind} {_object_name(change)}", f"an object of {owner or 'the cluster'}")


def workload(change: Change) -> Meaning:
    """A Deployment or DaemonSet: whether its pods restart."""
    subject = f"{change.type.rpartition(':')[2]} {_object_name(change)}"
    if change.action != "update":
        return kubernetes_object(change)
    if at(change.before, "spec.template") == at(change.after, "spec.template"):
        return _one(Section.CLUSTER, subject, "changed in place; no pod restarts", Severity.IN_PLACE)
    images = [_tag(plain(at(side, "spec.template.spec.containers.0.image"))) for side in (change.before, change.after)]
    version = f"{images[0]} → {images[1]}: " if images[0] != images[1] else ""
    if subject == "DaemonSet calico-node":
        width = plain(at(change.after, "spec.updateStrategy.rollingUpdate.maxUnavailable") or 1)
        text = f"{version}calico-node restarts on every node, {width} at a time"
        return _one(Section.DATA_PLANE, "pods' network", text, Severity.RESTARTS)
    return _one(Section.CLUSTER, subject, f"{version}its pods restart one after the other", Severity.RESTARTS)


def _tag(image: str) -> str:
    return image.partition("@")[0].rpartition(":")[2]


def _object_name(change: Change) -> str:
    return plain(at(change.after or change.before, "metadata.name") or change.name)


_PASSWORDS: Final = {
    "add": ("is given to the cluster", Severity.IN_PLACE),
    "update": ("changes: sessions with it restart", Severity.RESTARTS),
    "delete": ("leaves the cluster", Severity.IN_PLACE),
}


def bgp_passwords(change: Change) -> Meaning:
    """The Secret with the sessions' passwords: which of them, where the provider says so."""
    named = {path.removeprefix("data").strip('[]".'): kind for path, kind in change.details.items() if kind in _PASSWORDS}
    if change.action == "update" and named and all(named):
        found = ((f"BGP password {name}", *_PASSWORDS[kind]) for name, kind in named.items())
        effects = (Effect(section=Section.DATA_PLANE, subject=subject, text=text, severity=severity) for subject, text, severity in found)
        return Meaning(effects=tuple(effects))
    text = {
        "create": "are given to the cluster",
        "delete": "leave the cluster: sessions with one are lost",
        "update": "change: their sessions restart",
    }
    severity = Severity.IN_PLACE if change.action == "create" else Severity.RESTARTS
    return _one(Section.DATA_PLANE, "BGP passwords", text.get(change.action, "are made anew: their sessions restart"), severity)


def admin(change: Change) -> Meaning:
    """Certificate and key in the kubeconfig."""
    if change.action != "replace":
        return whole(change, Section.KEYS, change.name, "what the kubeconfig holds")
    text = "the kubeconfig is renewed (output `kubeconfig`); the old one works until its end; nodes are not touched"
    return _one(Section.KEYS, change.name, text, Severity.IN_PLACE)


def authority(change: Change) -> Meaning:
    """A CA, the service-account key, the encryption key."""
    if change.action in _GOES:
        text = "is replaced or goes: every node is cut off from the cluster, what it signed or encrypted is worth nothing"
        return _one(Section.KEYS, change.name, text, Severity.REPLACEMENTS)
    return whole(change, Section.KEYS, change.name, "it")


def serving(change: Change) -> Meaning:
    """A certificate inside the cluster with an authority of its own: it is renewed in place of the old one."""
    if change.action == "replace":
        return _one(Section.KEYS, change.name, "is renewed; what shows it restarts or reads it anew", Severity.IN_PLACE)
    return whole(change, Section.KEYS, change.name, "it")


def token(change: Change) -> Meaning:
    """The bootstrap token: what joins later needs the new one in the cluster."""
    if change.action in _GOES:
        text = "the bootstrap token changes: new machines get the new one; create it in the cluster too (docs/operations.md)"
        return _one(Section.KEYS, change.name, text, Severity.IN_PLACE)
    return whole(change, Section.KEYS, change.name, "the bootstrap token")


def key(change: Change) -> Meaning:
    """Any other key."""
    return whole(change, Section.KEYS, change.name, "it")


def image(change: Change) -> Meaning:
    """Image, kernel or initrd on a hypervisor."""
    source = plain((change.after or change.before).get("source", ""))
    text = {"create": "is uploaded", "replace": "is uploaded under its new name", "delete": "is deleted"}.get(change.action, "changes in place")
    return _one(Section.HOSTS, change.name, f"{source.rpartition('/')[2] or 'a volume'} {text}", Severity.IN_PLACE)


def storage_pool(change: Change) -> Meaning:
    """A managed pool: it stays when its resource goes."""
    return whole(change, Section.HOSTS, change.name, "the storage pool")


def provider(change: Change) -> Meaning:
    """How the engine reaches something; what it holds of that is no change of the environment itself."""
    if change.action == "replace":
        return whole(change, Section.OTHER, change.name, "the way to it, and all that was made through it,")
    if change.action != "update":
        return Meaning()
    changed = ", ".join(sorted({item.path for item in change.differences()}))
    return _one(Section.OTHER, change.name, f"the engine reaches it another way ({changed or 'not said how'})", Severity.IN_PLACE)


def unknown(change: Change) -> Meaning:
    """A resource that no rule knows: said so, and taken seriously."""
    text = f"{change.type} is {_VERBS[change.action]}; what that means for what runs is not known here: see the diff"
    return _one(Section.OTHER, change.name, text, Severity.REPLACEMENTS if change.action in _GOES else Severity.IN_PLACE)


def _one(section: Section, subject: str, text: str, severity: Severity) -> Meaning:
    return Meaning(effects=(Effect(section=section, subject=subject, text=text, severity=severity),))
