"""From the plain object of a stack file to checked settings."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError, create_model

from settings import checks
from settings.base import Problem
from settings.environment import Environment
from settings.errors import SettingsError, problems_of


def load(document: Mapping[str, Any]) -> Environment:
    """Settings from a stack's `underlay:environment` object; SettingsError names every mistake."""
    try:
        return Environment.model_validate(document)
    except ValidationError as error:
        problems = problems_of(error, Environment)
    problems += [problem for problem in _between_sound_areas(document) if problem not in problems]
    # raised outside the except block: pydantic's error, which holds the document and with it a secret, is not this one's context
    raise SettingsError(problems)


def _between_sound_areas(document: object) -> list[Problem]:
    """Disagreements between the areas that are right in themselves, so that one typo does not hide them until the next run."""
    if not isinstance(document, Mapping):
        return []
    sound: dict[str, Any] = {}
    for name in Environment.model_fields:
        try:
            area = _alone(name).model_validate({name: document[name]} if name in document else {})
        except ValidationError:
            continue
        sound[name] = getattr(area, name)
    return checks.mistakes(Environment.model_construct(**sound), frozenset(sound))


@cache
def _alone(name: str) -> type[BaseModel]:
    """A model of one area, so that it can be validated without the others."""
    field = Environment.model_fields[name]
    definition: dict[str, Any] = {name: (field.annotation, field)}
    return create_model(name, **definition)
