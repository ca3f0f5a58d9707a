"""`python -m ops preview-summary`: reads what the engine wrote, says what it means; the exit code is for gates."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ops.preview import as_json, difference_text, markdown, plain_text
from ops.preview.document import PreviewError, read
from ops.preview.effects import Severity
from ops.preview.summary import settings_plan, summarise
from ops.stack import OpsError, plan_of

Form = Literal["markdown", "text", "json"]
FORMS: Final[tuple[Form, ...]] = ("markdown", "text", "json")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for."""

    file: str
    """Path of the engine's JSON, or - for standard input."""
    stack: str | None
    form: Form
    diff: Path | None
    """What `pulumi preview --diff` printed, to be folded below instead of the diff made from the JSON."""


def form(name: str) -> Form:
    """The form of this name; the first of FORMS for any other."""
    known: dict[str, Form] = {each: each for each in FORMS}
    return known.get(name, FORMS[0])


def summary(request: Request, stacks: Path) -> tuple[str, Severity]:
    """The text and the gate; OpsError where the request makes no sense. `stacks` holds the stack files."""
    where = "standard input" if request.file == "-" else request.file
    try:
        preview = read(sys.stdin.read() if request.file == "-" else Path(request.file).read_text())
        diff = _COLOUR.sub("", request.diff.read_text()).splitlines() if request.diff else None
    except PreviewError as error:
        raise OpsError(f"{where} {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise OpsError(f"{where}: {error}") from None
    plan = settings_plan(preview)
    if plan is None and request.stack is not None and not preview.refused:
        plan = plan_of(stacks, request.stack)
    found = summarise(preview, plan, stack=request.stack)
    if request.form == "json":
        return as_json.write(found), found.severity
    if request.form == "text":
        return plain_text.write(found), found.severity
    return markdown.write(found, diff if diff is not None else difference_text.lines(found.changes)), found.severity
