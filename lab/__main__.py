"""The lab's command line: `python -m lab up | down | preview | doctor | ssh | kubectl | status | verify | pulumi | app | app-down`."""

import argparse
import os
import signal
import subprocess
import sys
from typing import Any

from lab import calico_images, hypervisor, machine, policies, stackfile, up
from lab.access import open_access
from lab.app import command as application
from lab.display import Quieter
from lab.doctor import Wish as DoctorWish
from lab.doctor import doctor
from lab.down import down
from lab.fabric import phases
from lab.fabric.daemons import RouterKind
from lab.fabric.declared import plan_of
from lab.places import Lab, LabError
from lab.progress import Progress
from lab.session import Session, exclusive, prepare
from lab.verify import verify


class _Arguments(argparse.Namespace):
    command: str
    name: str
    stack: str | None
    set: list[str]
    verbose: bool
    router: RouterKind
    images: str | None
    node: str
    arguments: list[str]

    def settings(self) -> list[tuple[str, Any]]:
        return [stackfile.parse_assignment(text) for text in self.set]


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default="lab", help="which lab of this machine (lab)")
    stack = argparse.ArgumentParser(add_help=False)
    stack.add_argument("--stack", help="stack file stacks/Pulumi.<stack>.yaml (lab)")
    stack.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="put a value of the environment over the stack file's; null removes"
    )
    stack.add_argument(
        "--images", metavar="DIR", help="folder with archives of Calico's images; with all of them nodes run Calico (~/.cache/underlay/images)"
    )
    router = argparse.ArgumentParser(add_help=False)
    router.add_argument("--router", choices=("bird", "frr"), default="bird", help="what the routers run (bird)")
    parser = argparse.ArgumentParser(prog="python -m lab", description="One environment on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    bring_up = commands.add_parser("up", parents=[common, stack, router], help="bring the environment up and show what runs")
    bring_up.add_argument("arguments", nargs="*", help="more words for `pulumi up`, after --; then no look at the nodes follows")
    bring_up.add_argument("--verbose", action="store_true", help="show all that the engine says")
    commands.add_parser("down", parents=[common], help="remove everything of the lab")
    with_tools = commands.add_parser("with-tools", parents=[common], help="run a command that finds the engine and Kubernetes' programs, as tests do")
    with_tools.add_argument("arguments", nargs="+", help="the command, after --")
    commands.add_parser("status", parents=[common], help="show the nodes")
    look_at = commands.add_parser("verify", parents=[common], help="say whether the running environment is what its stack declares")
    look_at.add_argument("arguments", nargs="*", help="words of `python -m ops verify`, after --")
    commands.add_parser("app", parents=[common], help="bring the application of examples/app up on the running lab, and ask it from every node")
    commands.add_parser("app-down", parents=[common], help="remove that application")
    look = commands.add_parser("preview", parents=[common, stack], help="show what `up` would make; needs no hypervisor")
    look.add_argument("arguments", nargs="*", help="more words for `pulumi preview`, after --")
    ask = commands.add_parser(
        "doctor", parents=[common, stack], help="say whether `up` will work and be fast; starts the hypervisor, and makes nothing on it"
    )
    ask.add_argument("arguments", nargs="*", help="words of `python -m ops doctor`, after --")
    pulumi = commands.add_parser("pulumi", parents=[common, stack], help="run any command of the engine in the lab's project")
    pulumi.add_argument("arguments", nargs="+", help="the engine's words, after --")
    shell = commands.add_parser("ssh", parents=[common], help="open a shell on a node, or run a command there")
    shell.add_argument("node", help="a node's name, its end, or its address")
    shell.add_argument("arguments", nargs="*", help="the command, after --")
    kubectl = commands.add_parser("kubectl", parents=[common], help="run kubectl as administrator")
    kubectl.add_argument("arguments", nargs="+", help="kubectl's words, after --")
    return parser


def _session(lab: Lab, stack: str) -> Session:
    tools = machine.tools(lab, Progress.quiet())
    return Session(lab=lab, stack=stack, engine=tools.engine, plugins=tools.plugins, isolated=not hypervisor.is_here(lab))


def _preview(lab: Lab, arguments: _Arguments, progress: Progress) -> int:
    stack = arguments.stack or "lab"
    resolved = calico_images.resolve(lab, stack, arguments.settings(), arguments.images)
    tools = machine.tools(lab, progress)
    session = Session(lab=lab, stack=stack, engine=tools.engine, plugins=tools.plugins, isolated=not hypervisor.is_here(lab))
    with exclusive(lab):
        with progress.phase("state"):
            prepare(session, machine.known(lab, resolved.declared, resolved.pods), resolved.settings)
            plan = plan_of(lab, stack)
            phases.fetch_manifests(plan)
            phases.declare_passwords(session, plan)
        words = ["preview", "--non-interactive", "--color", "always" if progress.console.is_terminal else "never", *policies.words(lab, stack)]
        with progress.phase("pulumi preview"):
            return progress.exit_code(session.follow([*words, *arguments.arguments], Quieter(progress.say).line))


def _pulumi(lab: Lab, arguments: _Arguments) -> int:
    stack = arguments.stack or up.last_stack(lab)
    session = _session(lab, stack)
    resolved = calico_images.resolve(lab, stack, arguments.settings(), arguments.images)
    with exclusive(lab):
        prepare(session, machine.known(lab, resolved.declared, resolved.pods), resolved.settings)
        plan = plan_of(lab, stack)
        phases.fetch_manifests(plan)
        phases.declare_passwords(session, plan)
        return session.attach(arguments.arguments)


def _run(arguments: _Arguments) -> int:
    lab, progress = Lab(name=arguments.name), Progress()
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and runs libvirt: run it as root")
    if arguments.command == "up":
        wish = up.Wish(
            stack=arguments.stack or "lab",
            settings=arguments.settings(),
            router=arguments.router,
            images=arguments.images,
            more=arguments.arguments,
            verbose=arguments.verbose,
        )
        return up.up(lab, wish, progress)
    if arguments.command == "down":
        return down(lab, progress)
    if arguments.command == "with-tools":
        return subprocess.run(arguments.arguments, check=False, env={**os.environ, **machine.test_tools(progress)}).returncode
    if arguments.command == "preview":
        return _preview(lab, arguments, progress)
    if arguments.command == "doctor":
        asked = DoctorWish(stack=arguments.stack or "lab", settings=arguments.settings(), images=arguments.images, more=arguments.arguments)
        return doctor(lab, asked, progress)
    if arguments.command == "pulumi":
        return _pulumi(lab, arguments)
    session = _session(lab, up.last_stack(lab))
    if arguments.command == "status":
        return up.status(session, progress)
    if arguments.command == "verify":
        return verify(session, arguments.arguments)
    if arguments.command in ("app", "app-down"):
        return (application.up if arguments.command == "app" else application.down)(session, progress)
    access = open_access(session)
    words = access.kubectl(*arguments.arguments) if arguments.command == "kubectl" else access.ssh(access.node(arguments.node), *arguments.arguments)
    return subprocess.run(words, check=False).returncode


def main() -> int:
    """Run one command; 1 where it failed, 130 where it was interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        return _run(_parser().parse_args(namespace=_Arguments()))
    except LabError as error:
        sys.stderr.write(f"lab: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("lab: interrupted; the same command goes on from here\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
