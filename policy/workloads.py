"""Kubernetes objects as resources: their kinds and their containers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policy.model import Resource, entries, tree

_CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")
_POD_SPECS: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(("DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"), ("spec", "template", "spec")),
}
"""Where each kind of workload has its pods' spec."""


def kind_of(resource: Resource) -> str:
    """Kind of the Kubernetes object that a resource makes or patches; empty for other resources."""
    if not resource.type.startswith("kubernetes:"):
        return ""
    return resource.type.rpartition(":")[2].removesuffix("Patch")


def containers(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """Containers of a workload's pods, those that run first coming first."""
    path = _POD_SPECS.get(kind_of(resource))
    if path is None:
        return
    spec = resource.tree(*path)
    for group in _CONTAINERS:
        yield from map(tree, entries(spec.get(group)))


def images(resource: Resource) -> Iterator[str]:
    """Images of a workload, each once."""
    found = (container.get("image") for container in containers(resource))
    yield from dict.fromkeys(image for image in found if isinstance(image, str))
