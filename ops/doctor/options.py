"""The words of `ops doctor`."""

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Words:
    """What was asked for on the command line."""

    stack: str
    project: Path
    as_json: bool
    every: bool


def add(command: argparse.ArgumentParser) -> None:
    """The options beside --stack."""
    command.add_argument("--project", type=Path, metavar="DIR", help="folder with the Pulumi.yaml that the engine uses (this checkout)")
    command.add_argument("--all", action="store_true", help="show also what is well")
    command.add_argument("--json", action="store_true", help="one document with every finding")
