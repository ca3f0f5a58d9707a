"""Which changes of an object's inputs cannot be made in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lab.plugins.base import Path

from .objects import Kind
from .settings import Settings

_WORKLOAD: Final = ("spec.selector",)
_ROLE_BINDING: Final = ("roleRef",)
_POD_IN_PLACE: Final = frozenset({"activeDeadlineSeconds", "tolerations", "schedulingGates"})
_CONTAINER_IN_PLACE: Final = frozenset({"name"})
_DATA: Final = ("data", "binaryData")

_FIELDS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("", "PersistentVolumeClaim"): ("spec",),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Service"): ("spec.clusterIP",),
    ("apps", "DaemonSet"): _WORKLOAD,
    ("apps", "Deployment"): _WORKLOAD,
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _ROLE_BINDING,
    ("rbac.authorization.k8s.io", "RoleBinding"): _ROLE_BINDING,
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
}
"""Fields, with all below them, by API group and kind."""


def replaces(path: Path, kind: Kind, inputs: Mapping[str, Any], settings: Settings) -> bool:
    """Whether a change at `path` replaces the object; of a patch only what names the object it patches does."""
    names = tuple(part for part in path if isinstance(part, str))
    if names[:2] in {("metadata", "name"), ("metadata", "namespace")} or path in {("kind",), ("apiVersion",)}:
        return True
    if kind.patch:
        return False
    if (kind.group, kind.kind) == ("", "ConfigMap"):
        return names[0] in _DATA and not (settings.config_map_mutable and inputs.get("immutable") is not True)
    if (kind.group, kind.kind) == ("", "Secret"):
        mutable = settings.secret_mutable and inputs.get("immutable") is not True
        return names[0] == "type" or (names[0] in {"data", "stringData"} and not mutable)
    if (kind.group, kind.kind) == ("", "Pod"):
        return _replaces_pod(names)
    if (kind.group, kind.kind) == ("", "PersistentVolume"):
        return names[0] == "spec" and len(names) > 1 and names[1] in _VOLUME_SOURCES
    return any(names[: len(field)] == field for field in (tuple(text.split(".")) for text in _FIELDS.get((kind.group, kind.kind), ())))


_VOLUME_SOURCES: Final = frozenset({"csi", "fc", "hostPath", "iscsi", "local", "nfs"})


def _replaces_pod(names: tuple[str, ...]) -> bool:
    if names[0] != "spec" or len(names) < 2 or names[1] in _POD_IN_PLACE:
        return False
    if names[1] in {"containers", "initContainers"}:
        return len(names) > 2 and names[2] not in _CONTAINER_IN_PLACE
    return True
