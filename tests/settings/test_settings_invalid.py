"""Every invalid document gives exactly the lines that it names, and no secret."""

import copy
import traceback
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError

from settings import Environment, SettingsError, load
from tests.settings.documents import INVALID, STACKS, Tree, invalid, stack

SECRET = "hunter2"


def expected(path: Path) -> list[str]:
    return [line.removeprefix("# expect: ") for line in path.read_text().splitlines() if line.startswith("# expect: ")]


def refusal(document: Any) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(document)
    return caught.value


def spoken(error: BaseException) -> str:
    """Everything that an error says of itself."""
    return "".join([str(error), repr(error), repr(error.args), *traceback.format_exception(error, chain=True)])


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_document_gives_its_lines_and_no_others(path: Path) -> None:
    lines = expected(path)
    assert lines, "names no expectation"
    error = refusal(invalid(path))
    assert [str(problem) for problem in error.problems] == lines
    assert str(error).splitlines()[1:] == [f"  - {line}" for line in lines]
    assert str(error).startswith(f"{len(lines)} mistake{'' if len(lines) == 1 else 's'} ")


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_no_error_repeats_a_secret(path: Path) -> None:
    document = invalid(path)
    if path.stem.startswith("secret-"):
        assert SECRET in repr(document), "holds no secret to hide"
    error = refusal(document)
    assert SECRET not in spoken(error)
    assert error.__cause__ is None
    assert error.__context__ is None, "pydantic's error holds the document"
    with pytest.raises(ValidationError) as inner:
        Environment.model_validate(document)
    assert SECRET not in spoken(inner.value)


Steps = tuple[str | int, ...]


def leaves(tree: Any, steps: Steps = ()) -> list[Steps]:
    """Places of all values that are no map or list with something in it."""
    pairs = cast("Tree", tree).items() if isinstance(tree, dict) else enumerate(cast("list[Any]", tree)) if isinstance(tree, list) else ()
    found = [place for key, value in pairs for place in leaves(value, (*steps, key))]
    return found or [steps]


def planted(tree: Any, steps: Steps, value: Any) -> Any:
    """The tree with another value at a place."""
    copied = copy.deepcopy(tree)
    owner = copied
    for step in steps[:-1]:
        owner = owner[step]
    owner[steps[-1]] = value
    return copied


def problem_with(document: Tree) -> str | None:
    """What the error says, None where there is none."""
    try:
        load(document)
    except SettingsError as error:
        return spoken(error)
    return None


@pytest.mark.parametrize("value", [f"https://root:{SECRET}@host/path", {"password": SECRET}, [f"token {SECRET}"]], ids=["url", "map", "list"])
def test_a_secret_planted_anywhere_is_not_repeated(value: Any) -> None:
    document = stack(STACKS[0])
    said = {place: problem_with(planted(document, place, value)) for place in leaves(document)}
    assert sum(text is not None for text in said.values()) > len(said) // 2
    assert [place for place, text in said.items() if text is not None and SECRET in text] == []


def test_a_password_in_any_group_is_refused_and_not_repeated() -> None:
    document = stack(STACKS[0])
    groups = {place[:depth] for place in leaves(document) for depth in range(len(place)) if isinstance(place[depth], str)}
    said = {group: problem_with(planted(document, (*group, "password"), SECRET)) for group in groups}
    assert [group for group, text in said.items() if text is not None and SECRET in text] == []
    free = {("hypervisors",), ("workers",), ("workers", "worker", "labels"), ("node", "sysctls")}
    free |= {group for group in groups if group[-2:-1] == ("routers",)}  # there it is the name of a secret
    assert {group for group, text in said.items() if text is None} <= free
