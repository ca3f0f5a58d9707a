"""Types of the contract's values. Addresses and networks stay text: Pulumi's inputs want text, and `ipaddress` reads it."""

from ipaddress import ip_address, ip_network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, Strict, StringConstraints, WithJsonSchema

from .version import CONTRACT_VERSION, disagreement, major

MASK = "[secret]"
"""What `pulumi stack output --json` prints for a secret unless asked to show it."""


class Part(BaseModel):
    """A group of the contract's fields: unknown ones are ignored, as a newer environment may have more; values never change."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)


def _whole(value: object) -> object:
    """A StackReference gives every number as a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _address(value: str) -> str:
    ip_address(value)
    return value


def _network(value: str) -> str:
    ip_network(value)
    return value


def _readable(value: str) -> str:
    if said := disagreement(value):
        raise ValueError(said)
    return value


def _unmasked(value: object) -> object:
    return None if value == MASK else value


def known(*values: str) -> WithJsonSchema:
    """The values of today for a text. A newer minor version may have more, so a reader takes any."""
    return WithJsonSchema({"anyOf": [{"enum": list(values)}, {"type": "string"}]})


Text = Annotated[str, StringConstraints(min_length=1)]
Count = Annotated[int, Strict(), Field(ge=0), BeforeValidator(_whole)]
Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
Version = Annotated[str, AfterValidator(_readable), WithJsonSchema({"type": "string", "pattern": rf"^{major(CONTRACT_VERSION)}\.[0-9]{{1,4}}$"})]
Kubeconfig = Annotated[
    Annotated[SecretStr, Field(min_length=1)] | None,
    BeforeValidator(_unmasked),
    WithJsonSchema({"type": "string", "format": "password", "minLength": 1}),
]
"""None where it was masked; published it always is."""
