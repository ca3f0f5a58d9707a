"""Debian's libvirt and QEMU in the lab's namespace, over directories of its own: a libvirt of the machine's is never touched."""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lab import network as wire
from lab.fabric import namespace as routers
from lab.network import LabNetwork
from lab.places import Lab, LabError
from lab.process import alive, attempt, end, in_namespace, in_network_namespace

READY_S = 60
DAEMONS = ("virtlogd", "libvirtd")

QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
"""
LIBVIRTD_CONF = 'auth_unix_ro = "none"\nauth_unix_rw = "none"\nunix_sock_rw_perms = "0700"\nlog_outputs = "2:stderr"\n'
# Consoles are read when something fails: keep them whole, a guest's boot is a few hundred KB.
VIRTLOGD_CONF = 'log_outputs = "3:stderr"\nmax_size = 16777216\n'


def directories(lab: Lab) -> dict[Path, Path]:
    """The lab's own directory behind each of libvirt's."""
    return {
        Path("/run/libvirt"): lab.run_dir / "libvirt",
        Path("/etc/libvirt"): lab.root / "libvirt" / "etc",
        Path("/var/lib/libvirt"): lab.root / "libvirt" / "lib",
        Path("/var/cache/libvirt"): lab.root / "libvirt" / "cache",
        Path("/var/log/libvirt"): lab.log_dir / "libvirt",
    }


def seen_from_outside(lab: Lab, path: Path) -> Path:
    """Where a file that libvirt names (a console log, say) is for everybody else."""
    for inside, outside in directories(lab).items():
        if path.is_relative_to(inside):
            return outside / path.relative_to(inside)
    return path


def owner(lab: Lab) -> Path | None:
    """The checkout whose lab of this name is up, or half up; None where nothing of it is there."""
    try:
        checkout = Path((lab.run_dir / "checkout").read_text().strip())
    except OSError:
        return None
    return checkout if wire.namespace_path(lab).exists() else None


def is_here(lab: Lab) -> bool:
    """Whether the lab's namespace is there and belongs to this checkout."""
    return owner(lab) == lab.checkout and wire.exists(lab)


def refuse_foreign(lab: Lab) -> None:
    """LabError where the name belongs to a lab of another checkout that still exists."""
    found = owner(lab)
    if found and found != lab.checkout and found.exists():
        raise LabError(f"lab {lab.name!r} is up from {found}: run `make down` there, or take another --name here")
    for other in lab.run_dir.parent.glob("*/routers/*"):
        if f"underlay-{other.parts[-3]}-{other.name}" == lab.namespace:
            raise LabError(f"router {other.name!r} of lab {other.parts[-3]!r} has the name {lab.namespace} already: take another --name here")


def processes(lab: Lab) -> Iterator[int]:
    """Everything that lives in the lab's namespaces: libvirt, its guests, the time server, engine runs, routers."""
    for path in (wire.namespace_path(lab), *routers.paths(lab)):
        yield from in_network_namespace(path)


def find(lab: Lab, program: str) -> int | None:
    """The process id of the lab's own daemon of that name."""
    for pid in processes(lab):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            if program in (Path(words[0]).name, *words[1:3]) and alive(pid):
                return pid
    return None


def answers(lab: Lab) -> bool:
    """Whether libvirt answers on the lab's socket."""
    return lab.libvirt_socket.exists() and attempt(["virsh", "-c", lab.libvirt_uri, "version"], timeout_s=10).returncode == 0


def running(lab: Lab) -> bool:
    """Whether the whole hypervisor is up."""
    return wire.exists(lab) and all(find(lab, program) for program in (*DAEMONS, "lab.clock")) and answers(lab)


def start(lab: Lab, network: LabNetwork) -> None:
    """Bring namespace, libvirt and the nodes' time server up; what runs already stays as it is."""
    refuse_foreign(lab)
    lab.run_dir.mkdir(parents=True, exist_ok=True)
    (lab.run_dir / "checkout").write_text(f"{lab.checkout}\n")
    wire.make(lab, network)
    for inside, outside in directories(lab).items():
        inside.mkdir(parents=True, exist_ok=True)
        outside.mkdir(parents=True, exist_ok=True)
    for folder in (lab.pool_dir, lab.log_dir / "libvirt" / "qemu"):
        folder.mkdir(exist_ok=True)
    etc = directories(lab)[Path("/etc/libvirt")]
    for name, text in (("qemu.conf", QEMU_CONF), ("libvirtd.conf", LIBVIRTD_CONF), ("virtlogd.conf", VIRTLOGD_CONF)):
        (etc / name).write_text(text)
    for program in DAEMONS:
        if not find(lab, program):
            _launch(lab, program, [program, "-f", f"/etc/libvirt/{program}.conf", "-p", f"/run/libvirt/{program}.pid"])
    if not find(lab, "lab.clock"):
        _launch(lab, "clock", [sys.executable, "-m", "lab.clock", str(network.gateway.ip)])
    deadline = time.monotonic() + READY_S
    while not running(lab):
        if time.monotonic() > deadline:
            raise LabError(f"libvirt does not answer after {READY_S} s; its log ends:\n{_tail(lab.log_dir / 'libvirtd.log')}")
        time.sleep(0.2)


def _launch(lab: Lab, name: str, command: list[str]) -> None:
    mounts = [f"mount --bind {shlex.quote(str(outside))} {inside}" for inside, outside in directories(lab).items()]
    # Away from the machine's systemd-machined: it would list the lab's guests among the machine's own.
    hide = "if [ -d /run/dbus ]; then mount -t tmpfs -o size=4k none /run/dbus; fi"
    script = " && ".join([*mounts, hide, f"cd {shlex.quote(str(lab.checkout))}", 'exec "$@"'])
    # `ip netns exec` gives the command a mount namespace of its own, in which these mounts stay.
    private = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/root", "LANG": "C.UTF-8"}
    lab.log_dir.mkdir(parents=True, exist_ok=True)
    with (lab.log_dir / f"{name}.log").open("ab") as log:
        # It outlives this command, and is nobody's child.
        subprocess.run(
            ["setsid", "--fork", *in_namespace(lab.namespace, [*private, *command])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            check=True,
        )


def _tail(log: Path, lines: int = 15) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(nothing)"


def stop(lab: Lab) -> list[str]:
    """End every process of the lab, remove its namespaces and run directory; gives, one line each, what would not go."""
    left = [f"process {pid}" for pid in end(lambda: processes(lab))]
    if not left:
        for router in routers.names(lab):
            routers.remove(lab, router)
        wire.remove(lab)
        shutil.rmtree(lab.run_dir, ignore_errors=True)
    left += [f"namespace {path.name}" for path in (wire.namespace_path(lab), *routers.paths(lab)) if path.exists()]
    if lab.run_dir.exists():
        left.append(str(lab.run_dir))
    return left
