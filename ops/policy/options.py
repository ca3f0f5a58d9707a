"""The words of `ops policy`."""

import argparse
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Words:
    """What was asked for on the command line."""

    file: str
    """Path of the record, or - for standard input."""
    stack: str | None
    as_json: bool
    levels: bool


def add(command: argparse.ArgumentParser) -> None:
    """All options."""
    command.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="what `pulumi preview --json --show-sames` wrote; - is standard input (-)"
    )
    command.add_argument("--stack", metavar="NAME", help="take the rules' levels from this stack's file, not from the settings in the record")
    command.add_argument("--levels", action="store_true", help="judge nothing: print the stack's levels for the engine's --policy-pack-config")
    command.add_argument("--json", action="store_true", help="one document with every violation")
