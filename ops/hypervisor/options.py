"""The words of `ops hypervisor`."""

import argparse
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Words:
    """What was asked for on the command line."""

    uri: str
    environment: str


def add(command: argparse.ArgumentParser) -> None:
    """The command's own commands with their options."""
    commands = command.add_subparsers(dest="action", required=True)
    describe = commands.add_parser("describe", help="print the block that a stack file declares of a hypervisor, as its libvirt says it")
    describe.add_argument("uri", metavar="URI", help="libvirt connection URI, such as qemu+ssh://root@kvm1/system; only read from")
    describe.add_argument("--environment", default="", metavar="NAME", help="leave out the machines of this environment: they are no tenants")
