"""`python -m outputs schema | fields | show | compare`: the contract's schema and fields, an environment's outputs for a person, and what changed between two schemas."""

import argparse
import json
import sys
from pathlib import Path

from . import fields, schema
from .compatibility import compatible
from .contract import Environment
from .display import lines
from .errors import ContractError


class _Arguments(argparse.Namespace):
    command: str
    write: bool
    file: str
    old: Path
    new: Path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m outputs", description="What applications read of an environment.")
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("schema", help="print the contract's JSON Schema")
    made.add_argument("--write", action="store_true", help=f"write it to {schema.FILE.relative_to(schema.FILE.parents[2])} instead")
    commands.add_parser("fields", help="print the table of fields for docs/outputs.md")
    show = commands.add_parser("show", help="show an environment's outputs, from `pulumi stack output --json`")
    show.add_argument("file", nargs="?", default="-", help="a file with them (standard input)")
    compare = commands.add_parser("compare", help="say what a reader would notice between two schemas; exit code 1 where that is anything")
    compare.add_argument("old", type=Path)
    compare.add_argument("new", type=Path)
    return parser


def _run(arguments: _Arguments) -> int:
    if arguments.command == "schema":
        if arguments.write:
            schema.FILE.write_text(schema.text())
        else:
            sys.stdout.write(schema.text())
        return 0
    if arguments.command == "fields":
        sys.stdout.write(fields.table())
        return 0
    if arguments.command == "show":
        source = sys.stdin.read() if arguments.file == "-" else Path(arguments.file)
        sys.stdout.write("\n".join(lines(Environment.from_json(source))) + "\n")
        return 0
    found = compatible(*(json.loads(path.read_text()) for path in (arguments.old, arguments.new)))
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


def main() -> int:
    """Run one command; 1 where it failed."""
    try:
        return _run(_parser().parse_args(namespace=_Arguments()))
    except ContractError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
