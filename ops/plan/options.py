"""The words of `ops plan`."""

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Words:
    """What was asked for on the command line."""

    file: Path
    as_json: bool
    record: bool
    check: bool


def add(command: argparse.ArgumentParser) -> None:
    """All options."""
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--stack", metavar="NAME", help="stack file stacks/Pulumi.<NAME>.yaml")
    which.add_argument("--file", type=Path, metavar="FILE", help="stack file anywhere")
    command.add_argument("--json", action="store_true", help="one document with nodes, hypervisors, cores and what is missing")
    command.add_argument("--record", action="store_true", help="write the seats into the stack file, so that nothing moves them")
    command.add_argument("--check", action="store_true", help="with --record: write nothing, and end with 10 where seats are not recorded")
