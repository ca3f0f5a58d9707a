"""BIRD and FRR as a router: started in its namespace, with sockets, pid files and configuration in the lab's own folder."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from lab.fabric import namespace
from lab.places import Lab, LabError, write_private
from lab.process import attempt, end, in_namespace, in_network_namespace

RouterKind = Literal["bird", "frr"]
READY_S = 20.0
FRR_DAEMONS = Path("/usr/lib/frr")
"""Debian's place for FRR's daemons."""
FRR_USER = "frr"
OWN_SCRATCH = 'mkdir -p /var/tmp/frr && mount --bind "$0" /var/tmp/frr && exec "$@"'
"""FRR keeps logs for the case of a crash there. `ip netns exec` gives the command a mount namespace of its own, in which this mount stays."""


def kind(lab: Lab, router: str) -> RouterKind | None:
    """What the router runs; None where nothing was started yet."""
    noted = namespace.router_dir(lab, router) / "kind"
    return "frr" if noted.exists() and noted.read_text() == "frr" else "bird" if noted.exists() else None


def bring_up(lab: Lab, router: str, wanted: RouterKind, text: str) -> None:
    """Let the router run this configuration. An unchanged one stays untouched; LabError where the daemon refuses it."""
    folder = namespace.router_dir(lab, router)
    if kind(lab, router) not in (None, wanted):
        stop(lab, router)
    (folder / "kind").write_text(wanted)
    file = folder / f"{wanted}.conf"
    same = file.exists() and file.read_text() == text
    if answers(lab, router) and same:
        return
    candidate = folder / f"new-{wanted}.conf"
    write_private(candidate, text)
    _check(router, wanted, candidate)
    if wanted == "bird" and answers(lab, router):
        _configure(lab, router, candidate)
        candidate.replace(file)
        return
    stop(lab, router)
    candidate.replace(file)
    (_start_bird if wanted == "bird" else _start_frr)(lab, router)


def answers(lab: Lab, router: str) -> bool:
    """Whether the router's daemons run and answer."""
    runs = kind(lab, router)
    return runs is not None and ask(lab, router, "show status" if runs == "bird" else "show bgp summary") != ""


def ask(lab: Lab, router: str, question: str) -> str:
    """What the router says to a command of its own command line; empty where it does not answer."""
    folder = namespace.router_dir(lab, router)
    if kind(lab, router) == "bird":
        done = attempt(["birdc", "-r", "-s", folder / "bird.ctl", *question.split()], timeout_s=10)
    else:
        done = attempt([*_vtysh(folder), "-c", question], timeout_s=10)
    return done.stdout if done.returncode == 0 else ""


def processes(lab: Lab, router: str) -> Iterator[int]:
    """Everything that lives in the router's namespace."""
    return in_network_namespace(namespace.path(lab, router))


def stop(lab: Lab, router: str) -> list[int]:
    """End the router's daemons; its namespace and cable stay. Gives what would not end."""
    left = end(lambda: processes(lab, router))
    if not left:
        for pattern in ("*.ctl", "*.pid", "*.vty", "*.api"):
            for path in namespace.router_dir(lab, router).glob(pattern):
                path.unlink(missing_ok=True)
    return left


def _check(router: str, wanted: RouterKind, candidate: Path) -> None:
    words = ["bird", "-p", "-c", candidate] if wanted == "bird" else ["vtysh", "--dryrun", "--inputfile", candidate]
    done = attempt(words)
    if done.returncode != 0:
        candidate.unlink(missing_ok=True)
        raise LabError(f"router {router!r}: {words[0]} refuses its configuration: {(done.stderr + done.stdout).strip()[-1000:]}")


def _configure(lab: Lab, router: str, file: Path) -> None:
    socket = namespace.router_dir(lab, router) / "bird.ctl"
    done = attempt(["birdc", "-s", socket, "configure", f'"{file}"'], timeout_s=30)
    if done.returncode != 0 or "econfigur" not in done.stdout:
        raise LabError(f"router {router!r}: birdc configure failed: {(done.stdout + done.stderr).strip()[-1000:]}")


def _start_bird(lab: Lab, router: str) -> None:
    folder = namespace.router_dir(lab, router)
    _launch(lab, router, ["bird", "-f", "-c", folder / "bird.conf", "-s", folder / "bird.ctl", "-P", folder / "bird.pid"])
    _wait(lab, router)


def _start_frr(lab: Lab, router: str) -> None:
    folder = namespace.router_dir(lab, router)
    # FRR drops root before it opens its sockets.
    shutil.chown(folder, FRR_USER, FRR_USER)
    (folder / "scratch").mkdir(exist_ok=True)
    shutil.chown(folder / "scratch", FRR_USER, FRR_USER)
    for program in ("zebra", "bgpd"):
        files = ["-i", folder / f"{program}.pid", "-z", folder / "zserv.api", "--vty_socket", folder]
        # No vty on TCP, and no configuration but what vtysh hands on below.
        daemon = [FRR_DAEMONS / program, "-f", "/dev/null", *files, "-P", "0", "-u", FRR_USER, "-g", FRR_USER, "--log", "stdout"]
        _launch(lab, router, ["sh", "-c", OWN_SCRATCH, folder / "scratch", *daemon])
        _wait_for(folder / f"{program}.vty", router)
    done = attempt([*_vtysh(folder), "-b"], timeout_s=30)
    if done.returncode != 0:
        raise LabError(f"router {router!r}: FRR refuses its configuration: {(done.stdout + done.stderr).strip()[-1000:]}")
    _wait(lab, router)


def _vtysh(folder: Path) -> list[str | Path]:
    return ["vtysh", "--vty_socket", folder, "--config_dir", folder]


def _wait_for(path: Path, router: str) -> None:
    deadline = time.monotonic() + READY_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise LabError(f"router {router!r}: {path.name} did not come within {READY_S:.0f} s; its log is beside those of libvirt")
        time.sleep(0.1)


def _wait(lab: Lab, router: str) -> None:
    deadline = time.monotonic() + READY_S
    while not answers(lab, router):
        if time.monotonic() > deadline:
            log = lab.log_dir / f"router-{router}.log"
            said = log.read_text(errors="replace")[-1000:] if log.exists() else "(nothing)"
            raise LabError(f"router {router!r} does not answer after {READY_S:.0f} s; its log ends:\n{said}")
        time.sleep(0.1)


def _launch(lab: Lab, router: str, command: Sequence[str | Path]) -> None:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
    lab.log_dir.mkdir(parents=True, exist_ok=True)
    with (lab.log_dir / f"router-{router}.log").open("ab") as log:
        # It outlives this command, and is nobody's child.
        subprocess.run(
            ["setsid", "--fork", *in_namespace(namespace.name(lab, router), command)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            check=True,
        )
