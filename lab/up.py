"""`up`: a whole environment on this machine, from nothing or from wherever the last `up` was broken off."""

import re
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lab import calico_images, hypervisor, machine, report, stackfile
from lab.access import Access, open_access
from lab.display import Display
from lab.fabric import phases
from lab.fabric import status as bgp
from lab.fabric.daemons import RouterKind
from lab.fabric.declared import plan_of
from lab.places import Lab, LabError, LibvirtHost
from lab.process import attempt
from lab.progress import Progress
from lab.session import Session, exclusive, finish_broken_off, prepare

CONSOLE_LINES = 25
WIDTH = 80
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to bring up: a stack, values over those of its file, what routers run, more words for `pulumi up`, and how much to tell."""

    stack: str
    settings: Sequence[tuple[str, Any]] = ()
    router: RouterKind = "bird"
    images: str | None = None
    """The folder with archives of Calico's images; None: as at the last `up`, else in the cache."""
    more: Sequence[str] = ()
    verbose: bool = False


def up(lab: Lab, wish: Wish, progress: Progress) -> int:
    """Bring the stack up in the lab and show what runs; gives the exit code."""
    hypervisor.refuse_foreign(lab)
    resolved = calico_images.resolve(lab, wish.stack, wish.settings, wish.images, needed=True)
    network = stackfile.lab_network(resolved.declared)
    with exclusive(lab):
        tools = machine.tools(lab, progress)
        progress.say(f"  {resolved.line}")
        image_dir = machine.image(lab, network, progress, resolved.pods)
        here = machine.host(lab, resolved.declared, image_dir, progress)
        session = Session(lab=lab, stack=wish.stack, engine=tools.engine, plugins=tools.plugins, isolated=False)
        with progress.phase("state"):
            prepare(session, here, resolved.settings)
            plan = plan_of(lab, wish.stack)
            phases.fetch_manifests(plan)
            phases.declare_passwords(session, plan)
            finish_broken_off(session)
            (lab.root / "stack").write_text(f"{wish.stack}\n")
            calico_images.note(lab, resolved.folder)
            start_stopped(lab)
        phases.routers_up(lab, plan, network, wish.router, progress)
        with progress.phase("pulumi up"):
            code = progress.exit_code(engine_up(session, wish, progress))
        if code != 0:
            show_consoles(lab, progress)
        if code != 0 or wish.more:
            return code
        access = open_access(session)
        phases.fabric_up(access, plan, network, wish.router, progress)
        with progress.phase("look"):
            facts, sessions = report.collect(access), bgp.collect(access, plan)
    show(facts, sessions, progress)
    progress.say(report.times_line(progress.times))
    return 0


def show(facts: Sequence[report.NodeFacts], sessions: Sequence[bgp.SessionFacts], progress: Progress) -> None:
    """Print the nodes, the BGP sessions, and what is wrong with those that are down."""
    progress.console.print(report.node_table(facts))
    if sessions:
        progress.console.print(bgp.table(sessions))
    for sentence in bgp.sentences(sessions):
        progress.say(textwrap.fill(sentence, WIDTH, subsequent_indent="  "))


def engine_up(session: Session, wish: Wish, progress: Progress) -> int:
    """One `pulumi up`, its output shortened on the terminal and whole in the log; gives the engine's exit code."""
    log = session.lab.log_dir / time.strftime("up-%Y%m%d-%H%M%S.log")
    display = Display(say=progress.say, note=progress.note, log=log, verbose=wish.verbose)
    try:
        words = ["up", "--yes", "--skip-preview", "--non-interactive", "--suppress-outputs", "--color", "never"]
        code = session.follow([*words, *wish.more], display.line)
    finally:
        display.close()
    if code != 0:
        progress.say(f"pulumi up failed ({code}); all that it said is in {log}")
    return code


def start_stopped(lab: Lab) -> None:
    """Start machines that are there and do not run, as after a reboot of this machine: the engine does not look."""
    for host in hypervisor.hosts(lab):
        virsh = ["virsh", "-c", host.uri]
        for name in attempt([*virsh, "list", "--inactive", "--persistent", "--name"]).stdout.split():
            attempt([*virsh, "start", name], timeout_s=120)


def console_logs(lab: Lab) -> dict[str, Path]:
    """The file with each guest's serial console, by the guest's name."""
    return {name: path for host in hypervisor.hosts(lab) for name, path in _consoles_of(host).items()}


def _consoles_of(host: LibvirtHost) -> dict[str, Path]:
    virsh, found = ["virsh", "-c", host.uri], dict[str, Path]()
    for name in attempt([*virsh, "list", "--all", "--name"]).stdout.split():
        domain = ElementTree.fromstring(attempt([*virsh, "dumpxml", name]).stdout or "<domain/>")  # noqa: S314 - libvirt's own words
        for serial in [*domain.iterfind("./devices/serial"), *domain.iterfind("./devices/console")]:
            for part, key in (("log", "file"), ("source", "path")):
                element = serial.find(part)
                if element is not None and element.get(key, "").startswith("/") and not element.get(key, "").startswith("/dev/"):
                    found[name] = hypervisor.seen_from_outside(host, Path(element.get(key, "")))
    return found


def show_consoles(lab: Lab, progress: Progress) -> None:
    """Show the end of each guest's serial console."""
    for name, path in console_logs(lab).items():
        if path.is_file():
            with path.open("rb") as stream:
                stream.seek(max(0, path.stat().st_size - 32768))
                lines = ANSI.sub("", stream.read().decode(errors="replace")).splitlines()
            progress.say(f"--- console of {name} (the end of {path}):")
            for line in [line for line in lines if line.strip()][-CONSOLE_LINES:]:
                progress.say(f"  {line}")


def status(session: Session, progress: Progress) -> int:
    """Show the table for a lab that is up."""
    access: Access = open_access(session)
    show(report.collect(access), bgp.collect(access, plan_of(session.lab, session.stack)), progress)
    return 0


def last_stack(lab: Lab) -> str:
    """The stack that the lab was last brought up with."""
    path = lab.root / "stack"
    if not path.exists():
        raise LabError(f"lab {lab.name!r} is not up: run `make up`")
    return path.read_text().strip()
