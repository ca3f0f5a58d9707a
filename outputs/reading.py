"""Reading the contract out of plain data, with errors that say where, what, and what to do."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from .contract import Environment, Published
from .errors import ContractError, problems
from .version import CONTRACT_VERSION, disagreement

Model = TypeVar("Model", bound=Published)


def read(model: type[Model], outputs: Mapping[str, Any], where: str) -> Model:
    """The stack outputs as a model; ContractError, beginning with `where` they were looked for, if they do not keep the contract."""
    if not outputs:
        raise ContractError(f"{where} has no outputs yet: run `pulumi up` there first")
    if "contract_version" not in outputs:
        raise ContractError(f"{where} has outputs, but no contract_version: name a stack of underlay, and bring it up if underlay is newer than it")
    if said := disagreement(outputs["contract_version"]):
        raise ContractError(f"{where} cannot be read: {said}")
    try:
        return model.model_validate(dict(outputs))
    except ValidationError as error:
        lines = "".join(f"\n  - {line}" for line in problems(error))
        raise ContractError(
            f"{where} says that it keeps contract {outputs['contract_version']}, and does not (this program reads {CONTRACT_VERSION}); "
            f"run `pulumi up` there, with underlay as published:{lines}"
        ) from None


def from_json(source: str | bytes | Path | Mapping[str, Any]) -> Environment:
    """The contract from JSON text, a file of it, or a mapping. Text that begins with no bracket is a file's path."""
    if isinstance(source, Mapping):
        return read(Environment, source, "the mapping")
    if isinstance(source, Path) or source.lstrip()[:1] not in ("{", b"{", "[", b"[", "", b""):
        path = Path(source if isinstance(source, Path | str) else source.decode())
        return read(Environment, _object(_text(path), f"file {path}"), f"file {path}")
    return read(Environment, _object(source, "the text"), "the text")


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ContractError(f"file {path} cannot be read ({error}): write it by `pulumi stack output --json > FILE`") from None


def _object(text: str | bytes, where: str) -> Mapping[str, Any]:
    try:
        content: object = json.loads(text)
    except ValueError as error:
        raise ContractError(f"{where} is not JSON ({error}): give it what `pulumi stack output --json` prints") from None
    if not isinstance(content, dict):
        raise ContractError(f"{where} holds no JSON object: give it what `pulumi stack output --json` prints")
    return cast("Mapping[str, Any]", content)
