"""Kubernetes objects as a manifest or a renderer gives them, each a resource of its own."""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import ResourceOptions

FORCE = {"pulumi.com/patchForce": "true"}
"""Somebody else made the object, or an earlier resource left it, and owns the fields."""


class KubernetesObject(pulumi.CustomResource):
    """One object, with its fields as Kubernetes names them: the typed classes know neither all kinds nor all fields."""

    def __init__(self, name: str, thing: Mapping[str, Any], opts: ResourceOptions) -> None:
        """`name` is what stands before the object's own kind and name."""
        super().__init__(_token(thing), f"{name}-{_tail(thing)}", dict(thing), opts)


class KubernetesPatch(pulumi.CustomResource):
    """Some fields of an object that is there already; they win over whoever wrote them before."""

    def __init__(self, name: str, thing: Mapping[str, Any], opts: ResourceOptions) -> None:
        """`name` is what stands before the object's own kind and name."""
        super().__init__(f"{_token(thing)}Patch", f"{name}-{_tail(thing)}", annotated(thing, FORCE), opts)


def annotated(thing: Mapping[str, Any], annotations: Mapping[str, pulumi.Input[str]]) -> dict[str, Any]:
    """The object with further annotations."""
    metadata = thing["metadata"]
    return {**thing, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **annotations}}}


def is_of(thing: Mapping[str, Any], *kinds: str) -> bool:
    """Whether an object is of one of these kinds."""
    return thing["kind"] in kinds


def _token(thing: Mapping[str, Any]) -> str:
    """The provider's type: the core group, which has no name in Kubernetes, is called core."""
    version = thing["apiVersion"]
    return f"kubernetes:{version if '/' in version else f'core/{version}'}:{thing['kind']}"


def _tail(thing: Mapping[str, Any]) -> str:
    return f"{thing['kind'].lower()}-{thing['metadata']['name']}"
