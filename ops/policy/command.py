"""`ops policy`: holds a recorded preview against the rules; the exit code is for gates."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError

from ops.policy import report
from ops.policy.options import Words
from ops.preview.document import Preview, PreviewError
from ops.preview.document import read as read_preview
from ops.stack import OpsError, path_of
from ops.stack import read as read_stack
from policy.recorded import RecordError, read
from policy.rule import Level
from policy.rules import RULES, level_of, violations
from settings.errors import problems_of
from settings.policies import Policies

AREA: Final = "policies"
_OF_A_REFUSAL: Final = re.compile(r"policy |(error: )?(preview failed|Detected that \S+ exited prematurely)")
"""What the engine says where its own run of the rules refuses; the last while it ends its plugins, where they are slow."""


def run(words: Words, stacks: Path) -> tuple[str, int]:
    """What is wrong, and the gate; OpsError where the request makes no sense. `stacks` holds the stack files."""
    if words.levels:
        if words.stack is None:
            raise OpsError("--levels: of which stack? name it with --stack")
        return configuration(_of_stack(stacks, words.stack)), report.CODES["nothing"]
    text = _text(words.file)
    try:
        stack, preview = read(text), read_preview(text)
    except (RecordError, PreviewError) as error:
        raise OpsError(f"{_named(words.file)} {error}") from None
    levels = _of_stack(stacks, words.stack) if words.stack is not None else _levels(preview.settings or {}, "the record's settings")
    held = report.Held(violations=tuple(violations(stack, levels)), levels=levels, errors=())
    held = replace(held, errors=_errors(preview, explained=bool(held.refused)))
    said = report.as_json(held) if words.as_json else report.as_text(held)
    return said, report.exit_code(held)


def _errors(preview: Preview, *, explained: bool) -> tuple[str, ...]:
    """Why the preview failed, where the rules do not explain it: where they refuse, the engine's own run of them goes on, and then fails."""
    if not preview.refused:
        return ()
    said = [each.text for each in preview.diagnostics if each.severity == "error"]
    others = [text for text in said if not _OF_A_REFUSAL.match(text)]
    return tuple(others if explained or others else said or ["the engine ended without a reason"])


def configuration(levels: Mapping[str, Level]) -> str:
    """Every rule's level in the form of `pulumi preview --policy-pack-config`."""
    return json.dumps({rule.id: {"enforcementLevel": level_of(rule, levels)} for rule in RULES}, indent=2) + "\n"


def _of_stack(stacks: Path, stack: str) -> Mapping[str, Level]:
    """Of the stack's file alone: its other settings may be wrong, which the preview then says."""
    path = path_of(stacks, stack)
    return _levels(read_stack(path).document, str(path))


def _levels(environment: Mapping[str, Any], where: str) -> Mapping[str, Level]:
    try:
        found = Policies.model_validate(environment.get(AREA) or {})
    except ValidationError as error:
        lines = "\n".join(f"  - {AREA}.{problem}" for problem in problems_of(error, Policies))
        raise OpsError(f"{where}:\n{lines}") from None
    return cast("Mapping[str, Level]", found.levels)


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise OpsError(f"{_named(file)}: {error}") from None


def _named(file: str) -> str:
    return "standard input" if file == "-" else file
