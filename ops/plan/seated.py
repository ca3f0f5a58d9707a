"""A stack's seats, also where not every machine has one: `up` would refuse that, and here it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError, create_model

from ops.stack import StackFile
from placement import Placement
from settings import Environment, SettingsError, checks, load
from settings.base import Problem
from settings.checks import seating


@dataclass(frozen=True, kw_only=True)
class Seated:
    """What is known of a stack's placement."""

    environment: Environment | None
    """Its settings, or those of them that decide on seats; None where these are wrong in themselves."""
    mistakes: tuple[Problem, ...]
    """Everything that is wrong in the stack file beside missing seats."""
    warnings: tuple[Problem, ...]

    @property
    def placement(self) -> Placement | None:
        """Where machines stand; None where the settings do not say what there is."""
        return self.environment.placement if self.environment is not None else None


def seated(file: StackFile) -> Seated:
    """The seats that a stack file declares."""
    try:
        environment = load(file.document)
    except SettingsError as error:
        mistakes = file.mistakes(error.problems)
    else:
        return Seated(environment=environment, mistakes=(), warnings=tuple(environment.warnings()))
    partly = _partly(file.document)
    missing = list(seating.seats(partly)) if partly is not None else []
    return Seated(environment=partly, mistakes=tuple(problem for problem in mistakes if problem not in missing), warnings=())


def _partly(document: Mapping[str, Any]) -> Environment | None:
    """An environment of the areas that decide on seats alone."""
    try:
        areas = _areas().model_validate({name: document[name] for name in checks.SEATS if name in document})
    except ValidationError:
        return None
    environment = Environment.model_construct(**{name: getattr(areas, name) for name in checks.SEATS})
    return None if list(seating.known_hypervisors(environment)) else environment


@cache
def _areas() -> type[BaseModel]:
    """A model of those areas."""
    fields: dict[str, Any] = {name: (Environment.model_fields[name].annotation, Environment.model_fields[name]) for name in sorted(checks.SEATS)}
    return create_model("Areas", **fields)
