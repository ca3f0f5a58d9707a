"""Seats as entries of `placements`, written into a stack file so that every other line of it stays."""

import difflib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.text import Text

from ops.flow import Quoted
from ops.plan import yaml_edit
from ops.stack import ENVIRONMENT, OpsError
from placement import Placement, Seat
from placement.words import cpu_list

PLACE = ("config", ENVIRONMENT, "placements")
COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def entries(placement: Placement) -> dict[str, dict[str, Any]]:
    """What is recorded of each machine: its hypervisor, its cores where they are its own, its drives."""
    return {seat.machine: _entry(seat) for seat in placement.seats}


def _entry(seat: Seat) -> dict[str, Any]:
    own = {"cpus": Quoted(cpu_list(seat.cpus))} if seat.cores else {}
    drives = {"drives": dict(seat.drives)} if seat.drives else {}
    return {"hypervisor": seat.host, **own, **drives}


def recorded(text: str, placement: Placement) -> str:
    """The stack file's text with all seats; the same text where they are recorded already."""
    try:
        return yaml_edit.with_mapping(text, PLACE, entries(placement))
    except yaml_edit.NotEditableError as error:
        raise OpsError(f"the seats cannot be written in place: {error}") from None


def difference(name: str, before: str, after: str) -> Iterator[Text]:
    """What changes, as `diff -u` shows it."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="")
    return (Text(line, style=COLOURS.get(line[:1], "")) for line in lines)


def write(path: Path, text: str) -> None:
    """Put a new text in the file's place in one step, with its mode; OpsError where that cannot be."""
    target = path.resolve()
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        part = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(text.encode())
                stream.flush()
                os.fsync(stream.fileno())
            part.chmod(mode)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OpsError(f"{path}: {error.strerror or error}") from error
