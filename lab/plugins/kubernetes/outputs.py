"""What the engine records of an object, what of that is secret, and what a preview shows instead."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Any, Final, cast

from lab.plugins.base import UNKNOWN, Path, Properties, Secret, Unknown

from .fields import observed, owned, owned_tree
from .objects import Kind, Object, block, without_nulls

FIELD_MANAGER: Final = "__fieldManager"
"""The output that holds the field manager's name, as the vendor's plugin has it."""
INITIAL_API_VERSION: Final = "__initialApiVersion"

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_SERVER_METADATA: Final = frozenset({"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"})
_SHORTEST_SECRET: Final = 4
_WITHOUT_STATUS: Final = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "EndpointSlice",
        "IngressClass",
        "NetworkPolicy",
        "PriorityClass",
        "Role",
        "RoleBinding",
        "RuntimeClass",
        "Secret",
        "ServiceAccount",
        "StorageClass",
    }
)


def recorded(kind: Kind, live: Object, manager: str, declared: Properties, secrets: Iterable[Path]) -> Properties:
    """The outputs of a live object: of a patch the fields that `manager` owns and what was declared, else all but what changes by itself."""
    metadata = block(live, "metadata")
    if kind.patch:
        tree = owned_tree(live, manager)
        outputs: Object = _filled(owned(tree, live) if tree else {}, declared)
        own = block(outputs, "metadata")
        outputs["metadata"] = {**own, **{name: metadata[name] for name in ("name", "namespace", "uid") if name in metadata}}
    else:
        outputs = {**live, "metadata": {name: value for name, value in metadata.items() if name not in {"managedFields", "resourceVersion"}}}
    outputs |= {"apiVersion": kind.api_version, "kind": kind.kind, FIELD_MANAGER: manager, INITIAL_API_VERSION: kind.api_version}
    return marked(kind, without_nulls(outputs), secrets)


def _filled(values: Object, other: Object) -> Object:
    """The values, and what only the other has."""
    both = {name: _filled(block(values, name), block(other, name)) for name, value in values.items() if isinstance(value, dict) and name in other}
    return {**other, **values, **both}


def masked(message: str, inputs: Properties, secrets: Iterable[Path]) -> str:
    """The message without the secret inputs that it may quote."""
    texts: set[str] = set()
    for path in secrets:
        _collect(_at(inputs, path), texts)
    for text in sorted(texts, key=len, reverse=True):
        message = message.replace(text, "[secret]").replace(json.dumps(text)[1:-1], "[secret]")
    return message


def _at(value: Any, path: Path) -> Any:
    for part in path:
        if isinstance(value, dict):
            value = cast("Properties", value).get(str(part))
        elif isinstance(value, list) and isinstance(part, int) and part < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[part]
        else:
            return None
    return value


def _collect(value: Any, texts: set[str]) -> None:
    if isinstance(value, dict | list):
        for item in cast("Properties", value).values() if isinstance(value, dict) else cast("list[Any]", value):
            _collect(item, texts)
    elif isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
        texts.add(value)


def marked(kind: Kind, outputs: Properties, secrets: Iterable[Path]) -> Properties:
    """The outputs with `Secret` around what must be secret though no input at the same path is.

    The server may order a list as it likes: one that had a secret anywhere is secret as a whole.
    """
    found = dict(outputs)
    if (kind.group, kind.kind) == ("", "Secret"):
        found |= {name: Secret(found[name]) for name in ("data", "stringData") if name in found}
        _wrap(found, ("metadata", "annotations", _LAST_APPLIED))
    for path in secrets:
        for position, part in enumerate(path):
            if isinstance(part, int):
                _wrap(found, path[:position])
                break
    return found


def _wrap(values: Properties, path: Path) -> None:
    """Makes the value at the path secret, if there is one; the maps on the way are copied, not changed."""
    place = values
    for part in path[:-1]:
        inner = place.get(str(part))
        if not isinstance(inner, dict):
            return
        place[str(part)] = dict(cast("Properties", inner))
        place = place[str(part)]
    last = str(path[-1])
    if last in place and not isinstance(place[last], Secret):
        place[last] = Secret(place[last])


def planned(kind: Kind, inputs: Properties, old: Properties) -> Properties:
    """What a preview shows: the inputs, and what the server decides as it was, or as unknown before there is anything."""
    outputs = {**inputs, "apiVersion": inputs.get("apiVersion", kind.api_version), "kind": inputs.get("kind", kind.kind)}
    before = block(old, "metadata")
    metadata = inputs.get("metadata")
    if not isinstance(metadata, Unknown):
        decided = {name: before.get(name, UNKNOWN) for name in ("name", "namespace", "uid") if kind.namespaced or name != "namespace"}
        outputs["metadata"] = {**decided, **(metadata or {})}
    if not kind.patch and kind.kind not in _WITHOUT_STATUS:
        outputs["status"] = UNKNOWN
    spec = inputs.get("spec")
    if kind.kind == "Service" and not kind.patch and isinstance(spec, dict):
        was = block(old, "spec")
        outputs["spec"] = {**{name: was.get(name, UNKNOWN) for name in ("clusterIP", "clusterIPs")}, **cast("Properties", spec)}
    kept = {name: old[name] for name in (FIELD_MANAGER, INITIAL_API_VERSION) if name in old}
    return marked(kind, {**outputs, **kept}, ())


def inputs_now(kind: Kind, inputs: Properties, live: Object, before: Properties) -> Properties:
    """The inputs as the live object has them; for an import, which has none, what a program would declare."""
    if not inputs:
        imported = {name: value for name, value in live.items() if name not in {"status", "metadata"}}
        metadata = {name: value for name, value in block(live, "metadata").items() if name not in _SERVER_METADATA}
        return marked(kind, {**imported, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}, ())
    found = observed(inputs, _with_string_data(kind, inputs, live), before)
    # What only names the object is no field of it: the server may leave it out or fill it in.
    names = {name: inputs[name] for name in ("apiVersion", "kind") if name in inputs}
    return {**found, **names}


def _with_string_data(kind: Kind, inputs: Properties, live: Object) -> Object:
    """A Secret's `stringData` is written as base64 under `data`."""
    declared: Any = inputs.get("stringData")
    if kind.kind != "Secret" or not isinstance(declared, dict):
        return live
    data = block(live, "data")
    text: dict[str, str] = {}
    for name in cast("Properties", declared):
        try:
            text[name] = base64.b64decode(data[name]).decode()
        except (KeyError, binascii.Error, UnicodeDecodeError):
            continue
    return {**live, "stringData": text}
