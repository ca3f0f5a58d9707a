"""Kubernetes objects as a manifest or a renderer gives them, each a resource of its own."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import CustomTimeouts, Output, ResourceOptions

FORCE = {"pulumi.com/patchForce": "true"}
"""Somebody else made the object, or an earlier resource left it, and owns the fields."""


class KubernetesObject(pulumi.CustomResource):
    """One object, with its fields as Kubernetes names them: the typed classes know neither all kinds nor all fields."""

    def __init__(self, name: str, thing: Mapping[str, Any], opts: ResourceOptions, *, called: str = "", outputs: Sequence[str] = ()) -> None:
        """`name` is what stands before the object's own kind and name, or before what it is `called`; `outputs` are fields that the server fills."""
        super().__init__(_token(thing), f"{name}-{called or _tail(thing)}", {**dict.fromkeys(outputs), **thing}, opts)

    def field(self, name: str) -> Output[Any]:
        """A field of `outputs` as the server has it, once it is known."""
        return self.__dict__[name]


class KubernetesPatch(pulumi.CustomResource):
    """Some fields of an object that is there already; they win over whoever wrote them before."""

    def __init__(self, name: str, thing: Mapping[str, Any], opts: ResourceOptions) -> None:
        """`name` is what stands before the object's own kind and name."""
        super().__init__(f"{_token(thing)}Patch", f"{name}-{_tail(thing)}", annotated(thing, FORCE), opts)


def of_cluster(
    parent: pulumi.Resource, provider: pulumi.ProviderResource, after: Sequence[pulumi.Resource], *, keep: bool, patience_s: int, removal_s: int
) -> ResourceOptions:
    """How objects stand that go with the cluster itself: `pulumi destroy` deletes machines, not what is on them.

    `keep` leaves the object when its resource goes. It is waited for `patience_s`, and for its end `removal_s`.
    """
    return ResourceOptions(
        parent=parent,
        provider=provider,
        depends_on=list(after),
        deleted_with=provider,
        retain_on_delete=keep,
        custom_timeouts=CustomTimeouts(create=f"{patience_s}s", update=f"{patience_s}s", delete=f"{removal_s}s"),
    )


def annotated(thing: Mapping[str, Any], annotations: Mapping[str, pulumi.Input[str]]) -> dict[str, Any]:
    """The object with further annotations."""
    metadata = thing["metadata"]
    return {**thing, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **annotations}}}


def secret(namespace: str, name: str, data: Mapping[str, Output[str]]) -> Mapping[str, Any]:
    """A Secret of texts. `data`, not `stringData`: a server-side apply does not take a key away that left `stringData`."""
    written = {key: Output.secret(base64_of(text)) for key, text in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "type": "Opaque", "data": written}


def base64_of(text: Output[str]) -> Output[str]:
    """The text as Kubernetes carries it."""
    return text.apply(lambda known: base64.b64encode(known.encode()).decode())


def is_of(thing: Mapping[str, Any], *kinds: str) -> bool:
    """Whether an object is of one of these kinds."""
    return thing["kind"] in kinds


def _token(thing: Mapping[str, Any]) -> str:
    """The provider's type: the core group, which has no name in Kubernetes, is called core."""
    version = thing["apiVersion"]
    return f"kubernetes:{version if '/' in version else f'core/{version}'}:{thing['kind']}"


def _tail(thing: Mapping[str, Any]) -> str:
    return f"{thing['kind'].lower()}-{thing['metadata']['name']}"
