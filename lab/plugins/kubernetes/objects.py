"""Kubernetes objects as plain dictionaries: which kind a resource type means, and what an object's metadata says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from lab.plugins.base import Properties, ProviderError, Unknown

Object = dict[str, Any]
"""A Kubernetes object as JSON has it."""

DEFAULT_NAMESPACE: Final = "default"

CLUSTER_SCOPED: Final = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "DeviceClass",
        "FlowSchema",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    }
)
"""Kinds of Kubernetes itself that have no namespace: `check` and `diff` must know without asking the server."""

_NO_OBJECTS: Final = frozenset({"helm.sh", "kustomize", "yaml"})


@dataclass(frozen=True)
class Kind:
    """What a resource type means."""

    api_version: str
    kind: str
    patch: bool
    """The resource is a patch of an object that somebody else made."""

    @property
    def group(self) -> str:
        """The API group, empty for the core."""
        return self.api_version.rpartition("/")[0]

    @property
    def namespaced(self) -> bool:
        """Whether such objects have a namespace, as far as that is known without a server."""
        return self.kind not in CLUSTER_SCOPED

    @property
    def has_default_namespace(self) -> bool:
        """Whether the provider's own namespace is for such objects; of a custom kind only the server knows if it has any."""
        return self.namespaced and ("." not in self.group or self.group.endswith(".k8s.io"))

    def of(self, inputs: Mapping[str, Any]) -> Kind:
        """The kind by the inputs' own `apiVersion` and `kind`, which the SDK always sends: a type `XPatch` may also be a custom resource's name."""
        kind = inputs.get("kind") or self.kind
        patch = self.patch if kind == self.kind else False
        return replace(self, api_version=inputs.get("apiVersion") or self.api_version, kind=kind, patch=patch)


def kind_of(token: str) -> Kind:
    """The kind that a type token such as `kubernetes:apps/v1:DaemonSetPatch` means. Raises ProviderError."""
    _, _, rest = token.partition(":")
    version, _, name = rest.partition(":")
    group = version.partition("/")[0]
    if not name or group in _NO_OBJECTS:
        raise ProviderError(f"the lab's stand-in for kubernetes has no type {token}: it makes single objects, no charts or files of them")
    patch = name.endswith("Patch") and len(name) > len("Patch")
    return Kind(version.removeprefix("core/"), name.removesuffix("Patch") if patch else name, patch)


@dataclass(frozen=True)
class Ref:
    """Which object."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def id(self) -> str:
        """The resource's id in Pulumi: `namespace/name`, or the name alone."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def ref_of(kind: Kind, inputs: Object) -> Ref:
    """The object that the inputs describe."""
    metadata = block(inputs, "metadata")
    namespace = (metadata.get("namespace") or DEFAULT_NAMESPACE) if kind.namespaced else ""
    return Ref(kind.api_version, kind.kind, metadata.get("name", ""), namespace)


def ref_of_id(kind: Kind, identifier: str) -> Ref:
    """The object that a resource's id names."""
    namespace, _, name = identifier.rpartition("/")
    return Ref(kind.api_version, kind.kind, name, namespace)


def annotation(properties: Object, name: str) -> str:
    """An annotation under `pulumi.com/`, empty where it is not set or not known yet."""
    value = block(properties, "metadata", "annotations").get(f"pulumi.com/{name}")
    return "" if isinstance(value, Unknown) or value is None else str(value)


def is_true(text: str) -> bool:
    """Whether an annotation's value means yes."""
    return text.lower() in {"1", "t", "true"}


def without_nulls(value: Any) -> Any:
    """The value without map entries that are null: they stand for what the program did not set."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in cast("Properties", value).items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in cast("list[Any]", value)]
    return value


def block(value: Any, *names: str) -> Object:
    """The map at that path, empty where there is none."""
    for name in names:
        value = cast("Object", value).get(name) if isinstance(value, dict) else None
    return cast("Object", value) if isinstance(value, dict) else {}


def blocks(value: Any, *names: str) -> list[Object]:
    """The maps in the list at that path, none where there is no list."""
    items: Any = block(value, *names[:-1]).get(names[-1]) if names else value
    return [cast("Object", item) for item in cast("list[Any]", items) if isinstance(item, dict)] if isinstance(items, list) else []
