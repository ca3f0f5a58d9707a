"""What a reader of the contract is told when it cannot be read."""

from collections.abc import Iterator

from pydantic import ValidationError


class ContractError(ValueError):
    """Where the contract was looked for, what is wrong with it, and what to do; never a secret value."""


def problems(error: ValidationError) -> Iterator[str]:
    """One line for each mistake: the field's path and what is wrong, without its value."""
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in one["loc"]).lstrip(".")
        said = "is missing" if one["type"] == "missing" else one["msg"].removeprefix("Value error, ")
        yield f"{path}: {said}"
