"""Property values on the wire (protobuf structs) as plain Python values, and back.

Handlers see `None`, `bool`, `int`, `float`, `str`, `list` and `dict`; an unknown value is `UNKNOWN`. Which values
were secret is kept beside the values, as paths, so that no handler has to unwrap anything. The SDK's
`pulumi.provider.experimental.PropertyValue` is not used: 3.259.0 reads an unknown as an ordinary string and cannot write one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from google.protobuf import struct_pb2
from pulumi.runtime import rpc

Properties = dict[str, Any]
"""Property values by wire name (camelCase), decoded."""

Path = tuple[str | int, ...]
"""Where a value is inside `Properties`: map keys and list indexes."""

_SIGNATURE: Final = rpc._special_sig_key  # pyright: ignore[reportPrivateUsage] # noqa: SLF001 - part of the wire format
_SECRET: Final = rpc._special_secret_sig  # pyright: ignore[reportPrivateUsage] # noqa: SLF001
_OUTPUT: Final = rpc._special_output_value_sig  # pyright: ignore[reportPrivateUsage] # noqa: SLF001
_RESOURCE: Final = rpc._special_resource_sig  # pyright: ignore[reportPrivateUsage] # noqa: SLF001
_ASSET: Final = rpc._special_asset_sig  # pyright: ignore[reportPrivateUsage] # noqa: SLF001


class Unknown:
    """The type of `UNKNOWN`, a value that is not known before the update runs."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value has no truth: test `value is UNKNOWN` first")


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """An output value that is secret, where neither an input nor the resource's declaration says so."""

    value: Any


@dataclass(frozen=True)
class Asset:
    """A text or file asset: exactly one of `text`, `path` and `uri` is set."""

    text: str | None = None
    path: str | None = None
    uri: str | None = None


def decode(message: struct_pb2.Struct) -> tuple[Properties, frozenset[Path]]:
    """The properties of a message without its top-level nulls, and the paths of its secrets."""
    secrets: set[Path] = set()
    values = {name: _decode(value, (name,), secrets) for name, value in message.fields.items()}
    return {name: value for name, value in values.items() if value is not None}, frozenset(secrets)


def _decode(value: struct_pb2.Value, path: Path, secrets: set[Path]) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value == rpc.UNKNOWN else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_decode(item, (*path, index), secrets) for index, item in enumerate(value.list_value.values)]
    if kind == "struct_value":
        return _decode_struct(value.struct_value.fields, path, secrets)
    return None


def _decode_struct(fields: Mapping[str, struct_pb2.Value], path: Path, secrets: set[Path]) -> Any:
    signature = fields[_SIGNATURE].string_value if _SIGNATURE in fields else ""
    if not signature:
        return {name: _decode(item, (*path, name), secrets) for name, item in fields.items()}
    if signature == _SECRET:
        secrets.add(path)
        return _decode(fields["value"], path, secrets)
    if signature == _OUTPUT:
        if "secret" in fields and fields["secret"].bool_value:
            secrets.add(path)
        return _decode(fields["value"], path, secrets) if "value" in fields else UNKNOWN
    if signature == _RESOURCE:
        return _decode(fields["id"], path, secrets) if "id" in fields else fields["urn"].string_value
    if signature == _ASSET:
        found = {name: fields[name].string_value for name in ("text", "path", "uri") if name in fields}
        return Asset(**found)
    raise ValueError(f"{'.'.join(map(str, path))}: the lab's stand-ins do not take archives or byte strings")


def encode(values: Mapping[str, Any], secrets: Collection[Path] = ()) -> struct_pb2.Struct:
    """The message for these properties; what lies at one of the paths `secrets` is marked secret."""
    return struct_pb2.Struct(fields={name: _encode(value, (name,), secrets) for name, value in values.items()})


def _encode(value: Any, path: Path, secrets: Collection[Path]) -> struct_pb2.Value:
    if isinstance(value, Secret):
        return _secret(_plain(value.value, path, secrets))
    plain = _plain(value, path, secrets)
    return _secret(plain) if path in secrets else plain


def _secret(value: struct_pb2.Value) -> struct_pb2.Value:
    fields = {_SIGNATURE: struct_pb2.Value(string_value=_SECRET), "value": value}
    return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))


def _plain(value: Any, path: Path, secrets: Collection[Path]) -> struct_pb2.Value:
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, Unknown):
        return struct_pb2.Value(string_value=rpc.UNKNOWN)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Asset):
        pairs = {_SIGNATURE: _ASSET} | {name: text for name, text in vars(value).items() if text is not None}
        return struct_pb2.Value(struct_value=struct_pb2.Struct(fields={name: struct_pb2.Value(string_value=text) for name, text in pairs.items()}))
    if isinstance(value, Mapping):
        fields = {str(name): _encode(item, (*path, str(name)), secrets) for name, item in cast("Mapping[Any, Any]", value).items()}
        return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))
    if isinstance(value, list | tuple):
        items = [_encode(item, (*path, index), secrets) for index, item in enumerate(cast("Iterable[Any]", value))]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
    raise TypeError(f"{'.'.join(map(str, path))}: a {type(value).__name__} cannot be a property value")


def has_unknown(value: Any) -> bool:
    """Whether the value is `UNKNOWN` or holds one."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in cast("Mapping[Any, Any]", value).values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in cast("Iterable[Any]", value))
    return (isinstance(value, Secret) and has_unknown(value.value)) or isinstance(value, Unknown)
