"""The command line around an environment: `python -m ops router-config | bgp | ingress | preview-summary | touched | doctor | verify | hypervisor | plan | policy`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ops import ingress, sessions, touched
from ops.doctor import options as doctor_options
from ops.hypervisor import options as hypervisor_options
from ops.plan import options as plan_options
from ops.policy import options as policy_options
from ops.preview import command as preview
from ops.stack import OpsError, path_of, plan_of
from ops.verify import options
from plan import Plan
from render import router_config
from render.ingress.server import nginx_conf

STACKS = Path(__file__).parents[1] / "stacks"
FORMATS: dict[str, Callable[[Plan, str], str]] = {"bird": router_config.bird, "frr": router_config.frr}


class _Arguments(argparse.Namespace):
    command: str
    stack: str
    format: str
    router: str | None
    output: Path | None
    node: str | None
    nginx_conf: bool
    response: int | None
    file: str
    diff: Path | None
    base: str | None
    all: bool
    skip: list[str]
    json: bool
    levels: bool
    stacks: Path | None
    outputs: str | None
    only: list[str]
    junit: Path | None
    html: Path | None
    watch: float | None
    time_limit: float
    project: Path | None
    uri: str
    environment: str
    record: bool
    check: bool


def parser() -> argparse.ArgumentParser:
    """The words that are understood."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--stack", required=True, metavar="NAME", help="stack file stacks/Pulumi.<NAME>.yaml")
    found = argparse.ArgumentParser(prog="python -m ops", description="What a stack declares, for people and for routers.")
    commands = found.add_subparsers(dest="command", required=True)
    routers = commands.add_parser("router-config", parents=[common], help="print the routers' half of the BGP sessions, ready to load")
    routers.add_argument("--format", required=True, choices=sorted(FORMATS), help="for which routing daemon")
    routers.add_argument("--router", metavar="NAME", help="which router; needed where several are declared, except with --output")
    routers.add_argument("--output", type=Path, metavar="DIR", help="write a file for each router there: <router>.<format>.conf")
    bgp = commands.add_parser("bgp", parents=[common], help="show all BGP sessions")
    bgp.add_argument("--node", metavar="NAME", help="those of one node, as it sees them")
    front = commands.add_parser("ingress", parents=[common], help="show the ingress controller in numbers")
    front.add_argument("--response", type=int, metavar="KIB", help="say what becomes of a response of this size, instead of the expected one")
    front.add_argument("--nginx-conf", action="store_true", help="print NGINX's configuration as the ConfigMap makes it")
    means = "say in plain words what a preview of the engine means; exit codes 0, 10, 20, 30, 40 are for gates"
    _add_preview(commands.add_parser("preview-summary", help=means))
    means = "say before `pulumi up` whether it will work and be fast; exit codes 0, 10, 20, 30 are for gates"
    doctor_options.add(commands.add_parser("doctor", parents=[common], help=means))
    means = "look at the running environment and say whether it is what the stack declares; exit codes 0, 10, 20, 30 are for gates"
    options.add(commands.add_parser("verify", parents=[common], help=means))
    means = "show where every machine stands, core by core, and record it; exit codes 0, 10, 30 are for gates"
    plan_options.add(commands.add_parser("plan", help=means))
    means = "hold a recorded preview against the rules of policy/; exit codes 0, 10, 40 are for gates"
    policy_options.add(commands.add_parser("policy", help=means))
    hypervisor_options.add(commands.add_parser("hypervisor", help="say what a hypervisor is, for its place in a stack file"))
    _add_touched(commands.add_parser("touched", help="name the stacks that the commits since BASE touch"))
    return found


def _add_preview(summary: argparse.ArgumentParser) -> None:
    summary.add_argument("file", nargs="?", default="-", metavar="FILE", help="what `pulumi preview --json` wrote; - is standard input (-)")
    summary.add_argument("--stack", metavar="NAME", help="the stack's name, and the file of its settings where the preview does not hold them")
    summary.add_argument("--format", choices=preview.FORMS, default="markdown", help="markdown for a comment, text, or json (markdown)")
    summary.add_argument(
        "--diff", type=Path, metavar="FILE", help="what `pulumi preview --diff` printed, to be folded below instead of a diff made from the JSON"
    )


def _add_touched(names: argparse.ArgumentParser) -> None:
    since = names.add_mutually_exclusive_group(required=True)
    since.add_argument("--base", metavar="REF", help="the commit or branch that the change goes to")
    since.add_argument("--all", action="store_true", help="all stacks")
    names.add_argument("--skip", action="append", default=[], metavar="NAME", help="a stack file that is no environment of yours")
    names.add_argument("--json", action="store_true", help="one list, for a matrix")


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


def _ingress(arguments: _Arguments) -> str:
    plan = plan_of(STACKS, arguments.stack)
    if plan.ingress is None:
        raise OpsError(f"stack {arguments.stack!r} declares no ingress; write ingress in its stack file")
    if arguments.response is not None and arguments.response < 1:
        raise OpsError(f"--response {arguments.response}: expected KiB, 1 or more")
    return nginx_conf(plan.ingress) if arguments.nginx_conf else ingress.report(plan, plan.ingress, arguments.response)


def _touched(arguments: _Arguments) -> str:
    names = touched.touched(arguments.base, checkout=STACKS.parent, skipped=arguments.skip)
    return touched.written(names, as_json=arguments.json)


def _preview_summary(arguments: _Arguments) -> tuple[str, int]:
    request = preview.Request(file=arguments.file, stack=arguments.stack, form=preview.form(arguments.format), diff=arguments.diff)
    text, severity = preview.summary(request, STACKS)
    return text, int(severity)


def _doctor(arguments: _Arguments) -> tuple[str, int]:
    from ops.doctor import command  # its libraries take time that other commands need not spend

    folder = arguments.project or STACKS.parent
    return command.run(doctor_options.Words(stack=arguments.stack, project=folder, as_json=arguments.json, every=arguments.all))


def _verify(arguments: _Arguments) -> tuple[str, int]:
    from ops.verify import command  # half a second that other commands need not spend

    words = options.Words(
        stack=arguments.stack,
        stacks=arguments.stacks or STACKS,
        outputs=arguments.outputs,
        only=tuple(arguments.only),
        skip=tuple(arguments.skip),
        as_json=arguments.json,
        junit=arguments.junit,
        html=arguments.html,
        watch_s=arguments.watch,
        limit_s=arguments.time_limit,
    )
    return "", command.run(words)


def _hypervisor(arguments: _Arguments) -> str:
    from ops.hypervisor import command  # its libraries take time that other commands need not spend

    return command.run(hypervisor_options.Words(uri=arguments.uri, environment=arguments.environment))


def _plan(arguments: _Arguments) -> tuple[str, int]:
    from ops.plan import command  # its libraries take time that other commands need not spend

    file = Path(arguments.file) if arguments.file else path_of(STACKS, arguments.stack)
    return command.run(plan_options.Words(file=file, as_json=arguments.json, record=arguments.record, check=arguments.check))


def _policy(arguments: _Arguments) -> tuple[str, int]:
    from ops.policy import command  # rules that other commands do not ask

    stack = arguments.stack or None
    return command.run(policy_options.Words(file=arguments.file, stack=stack, as_json=arguments.json, levels=arguments.levels), STACKS)


COMMANDS: dict[str, Callable[[_Arguments], str | tuple[str, int]]] = {
    "router-config": _router_config,
    "bgp": _bgp,
    "ingress": _ingress,
    "preview-summary": _preview_summary,
    "touched": _touched,
    "doctor": _doctor,
    "verify": _verify,
    "hypervisor": _hypervisor,
    "plan": _plan,
    "policy": _policy,
}
"""What each command says, and its exit code where that is not 0."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the result alone goes to standard output. 2 means that what was asked for makes no sense."""
    arguments = parser().parse_args(words, namespace=_Arguments())
    try:
        said = COMMANDS[arguments.command](arguments)
    except OpsError as error:
        sys.stderr.write(f"ops: {error}\n")
        return 2
    result, code = (said, 0) if isinstance(said, str) else said
    sys.stdout.write(result)
    return code


if __name__ == "__main__":
    sys.exit(main())
