"""The command line around an environment: `python -m ops router-config | bgp`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ops import sessions
from ops.stack import OpsError, plan_of
from plan import Plan
from render import router_config

STACKS = Path(__file__).parents[1] / "stacks"
FORMATS: dict[str, Callable[[Plan, str], str]] = {"bird": router_config.bird, "frr": router_config.frr}


class _Arguments(argparse.Namespace):
    command: str
    stack: str
    format: str
    router: str | None
    output: Path | None
    node: str | None


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--stack", required=True, metavar="NAME", help="stack file stacks/Pulumi.<NAME>.yaml")
    parser = argparse.ArgumentParser(prog="python -m ops", description="What a stack declares, for people and for routers.")
    commands = parser.add_subparsers(dest="command", required=True)
    routers = commands.add_parser("router-config", parents=[common], help="print the routers' half of the BGP sessions, ready to load")
    routers.add_argument("--format", required=True, choices=sorted(FORMATS), help="for which routing daemon")
    routers.add_argument("--router", metavar="NAME", help="which router; needed where several are declared, except with --output")
    routers.add_argument("--output", type=Path, metavar="DIR", help="write a file for each router there: <router>.<format>.conf")
    bgp = commands.add_parser("bgp", parents=[common], help="show all BGP sessions")
    bgp.add_argument("--node", metavar="NAME", help="those of one node, as it sees them")
    return parser


def _router_config(arguments: _Arguments) -> str:
    plan = plan_of(STACKS, arguments.stack)
    names = [router.name for router in plan.pod_network.bgp.routers]
    if not names:
        raise OpsError(f"stack {arguments.stack!r} declares no router; name one in pod_network.bgp.routers")
    if arguments.router is not None and arguments.router not in names:
        raise OpsError(f"--router {arguments.router!r}: no such router, declared: {', '.join(names)}")
    chosen = names if arguments.router is None else [arguments.router]
    if arguments.output is not None:
        return _written(plan, arguments.output, arguments.format, chosen)
    if len(chosen) > 1:
        raise OpsError(f"{len(names)} routers are declared: {', '.join(names)}; choose one with --router, or write a file for each with --output DIR")
    return FORMATS[arguments.format](plan, chosen[0])


def _written(plan: Plan, folder: Path, form: str, routers: Sequence[str]) -> str:
    paths = {name: folder / f"{name}.{form}.conf" for name in routers}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in paths.items():
            path.write_text(FORMATS[form](plan, name))
    except OSError as error:
        raise OpsError(f"--output {folder}: {error}") from error
    return "".join(f"{path}\n" for path in paths.values())


def _bgp(arguments: _Arguments) -> str:
    plan = plan_of(STACKS, arguments.stack)
    try:
        return sessions.table(plan, arguments.node)
    except KeyError:
        raise OpsError(f"--node {arguments.node!r}: no such node, declared: {', '.join(node.name for node in plan.nodes)}") from None


COMMANDS: dict[str, Callable[[_Arguments], str]] = {"router-config": _router_config, "bgp": _bgp}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the result alone goes to standard output. 2 means that what was asked for makes no sense."""
    arguments = _parser().parse_args(words, namespace=_Arguments())
    try:
        result = COMMANDS[arguments.command](arguments)
    except OpsError as error:
        sys.stderr.write(f"ops: {error}\n")
        return 2
    sys.stdout.write(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
