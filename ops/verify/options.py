"""The words of `python -m ops verify`; imported by every command, so nothing that is slow to import is."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIMIT_S: Final = 600.0


@dataclass(frozen=True, kw_only=True)
class Words:
    """What is asked for."""

    stack: str
    stacks: Path
    """Folder of the stack files."""
    outputs: str | None
    only: tuple[str, ...]
    skip: tuple[str, ...]
    as_json: bool
    junit: Path | None
    html: Path | None
    watch_s: float | None
    limit_s: float


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--stacks", type=Path, metavar="DIR", help="folder of the stack files (stacks)")
    parser.add_argument(
        "--outputs", metavar="FILE", help="what `pulumi stack output --json --show-secrets` prints, - for standard input (the engine is asked)"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="CHECK", help="an id, an area or a pattern, several with commas: services,nodes.*"
    )
    parser.add_argument("--skip", action="append", default=[], metavar="CHECK", help="the same, for checks that are left out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML there too")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page there too")
    parser.add_argument("--watch", type=_seconds, metavar="S", help="verify again S seconds after each run, until interrupted")
    parser.add_argument(
        "--time-limit", type=_seconds, default=LIMIT_S, metavar="S", help=f"what has not answered by then counts as not checked ({LIMIT_S:g})"
    )


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds, more than 0")
    return found
