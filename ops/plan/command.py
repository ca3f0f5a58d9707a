"""`ops plan`: where every machine stands, and the record of that."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from ops.plan import record, report
from ops.plan.options import Words
from ops.plan.seated import Seated, seated
from ops.stack import OpsError, read

MOST = 140
"""Columns above which lines are too long to read."""


def run(words: Words) -> tuple[str, int]:
    """What is said and its exit code; OpsError where there is no such stack file, or it cannot be written."""
    if words.check and not words.record:
        raise OpsError("--check goes with --record: it says whether there would be anything to write")
    if words.record and words.as_json:
        raise OpsError("--record shows what it changes, and --json the seats: give one of them")
    file = read(words.file)
    found = seated(file)
    colour = sys.stdout.isatty()
    if words.record and report.exit_code(found) == report.SEATED:
        return _recorded(words, file.text, found, colour=colour)
    if words.as_json:
        return report.as_json(found), report.exit_code(found)
    width = min(max(shutil.get_terminal_size().columns, report.WIDTH), MOST) if colour else report.WIDTH
    # where not every machine has a seat nothing is recorded: what is shown says why
    return report.as_text(found, colour=colour, width=width), report.exit_code(found)


def _recorded(words: Words, before: str, found: Seated, *, colour: bool) -> tuple[str, int]:
    assert found.placement is not None  # noqa: S101 - every machine has a seat
    after = record.recorded(before, found.placement)
    if after == before:
        return f"{_shown(words.file)}: every seat is recorded.\n", report.SEATED
    if not words.check:
        record.write(words.file, after)
    return report.written(_change(words, before, after), colour=colour), report.UNRECORDED if words.check else report.SEATED


def _change(words: Words, before: str, after: str) -> Iterator[Text]:
    name = _shown(words.file)
    yield from record.difference(name, before, after)
    yield Text()
    if words.check:
        yield Text(f"{name} does not record these seats: adding or removing machines may move others. Write them with --record alone.")
    else:
        yield Text(f"Written into {name}; nothing moves these machines now but a change there.")


def _shown(path: Path) -> str:
    """Below the folder that the command runs in as it would be typed there."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
