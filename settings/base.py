"""The one base of all settings models, and what they report."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


@dataclass(frozen=True)
class Problem:
    """One mistake or one warning: where it is, and what to do about it.

    `path` is the dotted place in the stack file; `message` names value, limit and remedy.
    """

    path: str
    message: str

    def __str__(self) -> str:
        """The line that the operator reads."""
        return f"{self.path}: {self.message}" if self.path else self.message


class Problems(ValueError):  # noqa: N818 - it carries several mistakes of one validator
    """Several mistakes found by one check across fields or areas; `settings.errors` prints them one a line."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class Settings(BaseModel):
    """A group of settings: unknown keys are refused, values never change, input is never echoed by pydantic itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        found = list(self.disagreements())
        if found:
            raise Problems(found)
        return self

    def disagreements(self) -> Iterable[Problem]:
        """Every mistake between the fields of this group; an empty path means the group itself."""
        return ()
