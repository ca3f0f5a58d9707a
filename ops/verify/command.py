"""`python -m ops verify`: the forms of the report, and the exit code."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ops.stack import OpsError, plan_of
from ops.verify import access, registry
from ops.verify.options import Words
from ops.verify.report import as_json, junit, page, table
from ops.verify.report.model import Mark, Report, digest
from ops.verify.run import Request, verify
from ops.verify.select import select

CODES: Final[dict[Mark, int]] = {Mark.PASSED: 0, Mark.SKIPPED: 0, Mark.WARNING: 10, Mark.NOT_CHECKED: 20, Mark.FAILED: 30}
"""Exit codes by the worst that a check says; 1 and 2 are left to crashes and to mistakes on the command line."""
INTERRUPTED: Final = 130


def run(words: Words) -> int:
    """Verify, show, and give the exit code. OpsError where the request makes no sense."""
    for path in (words.junit, words.html):
        if path is not None and not path.absolute().parent.is_dir():
            raise OpsError(f"{path}: there is no folder {path.absolute().parent}")
    checks = select(registry.checks(), words.only, words.skip)
    plan = plan_of(words.stacks, words.stack)
    opened = access.read(words.stack, words.outputs, checkout=words.stacks.parent)
    request = Request(stack=words.stack, plan=plan, access=opened, checks=checks, within_s=words.limit_s, say=_say)
    last: int | None = None
    try:
        for report in _reports(lambda: verify(request), words.watch_s):
            _show(report, words)
            last = CODES[digest(report).verdict]
    except KeyboardInterrupt:
        if words.watch_s is not None and last is not None:
            return last
        _say("interrupted; the nodes end what still runs there")
        return INTERRUPTED
    return last or 0


def _reports(make: Callable[[], Report], again_s: float | None) -> Iterator[Report]:
    yield make()
    while again_s is not None:
        time.sleep(again_s)
        yield make()


def _say(line: str) -> None:
    sys.stderr.write(f"  {line}\n")
    sys.stderr.flush()


def _show(report: Report, words: Words) -> None:
    for path, form in ((words.junit, junit.write), (words.html, page.write)):
        if path is not None:
            _write(path, form(report))
    if words.as_json:
        sys.stdout.write(as_json.write(report))
    else:
        width = shutil.get_terminal_size((120, 24)).columns
        sys.stdout.write(table.write(report, width=width, colour=sys.stdout.isatty()))
    sys.stdout.flush()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise OpsError(f"{path}: {error}") from error
