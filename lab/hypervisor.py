"""The lab's hypervisors: Debian's libvirt and QEMU in its namespace, each over directories of its own; a libvirt of the machine's is never touched."""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab import network as wire
from lab.fabric import namespace as routers
from lab.network import LabNetwork
from lab.places import Lab, LabError, LibvirtHost
from lab.process import alive, attempt, end, in_namespace, in_network_namespace

READY_S = 60
DAEMONS = ("virtlogd", "libvirtd")
MARK = "UNDERLAY_LIBVIRT_OF"
"""Environment variable of each daemon, by which those of one hypervisor are told from another's; its value is the sockets' directory."""

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


def hosts(lab: Lab) -> list[LibvirtHost]:
    """The hypervisors that the lab has, running or not: the first, and others by their keys."""
    found = sorted(path.name.removeprefix("libvirt-") for path in lab.run_dir.glob("libvirt-*") if path.is_dir())
    return [lab.first, *(LibvirtHost(lab=lab, key=key) for key in found)]


def seen_from_outside(host: LibvirtHost, path: Path) -> Path:
    """Where a file that libvirt names (a console log, say) is for everybody else."""
    for inside, outside in host.directories.items():
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


def find(lab: Lab, program: str, host: LibvirtHost | None = None) -> int | None:
    """The process id of the lab's own daemon of that name; of the named hypervisor alone, where one is named."""
    mark = f"{MARK}={host.socket_dir}".encode() if host else None
    for pid in processes(lab):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            named = program in (Path(words[0]).name, *words[1:3]) and alive(pid)
            if named and (mark is None or mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")):
                return pid
    return None


def answers(host: LibvirtHost) -> bool:
    """Whether libvirt answers on the hypervisor's socket."""
    return host.socket.exists() and attempt(["virsh", "-c", host.uri, "version"], timeout_s=10).returncode == 0


def running(lab: Lab, wanted: Sequence[LibvirtHost] = ()) -> bool:
    """Whether namespace, time server and these hypervisors are up; the first, where none is named."""
    if not wire.exists(lab) or not find(lab, "lab.clock"):
        return False
    return all(find(lab, program, host) for host in wanted or [lab.first] for program in DAEMONS) and all(map(answers, wanted or [lab.first]))


def start(lab: Lab, network: LabNetwork, wanted: Sequence[LibvirtHost] = ()) -> None:
    """Bring namespace, hypervisors (the first, where none is named) and the nodes' time server up; what runs already stays as it is."""
    refuse_foreign(lab)
    lab.run_dir.mkdir(parents=True, exist_ok=True)
    (lab.run_dir / "checkout").write_text(f"{lab.checkout}\n")
    wire.make(lab, network)
    for host in wanted or [lab.first]:
        _start_libvirt(host)
    if not find(lab, "lab.clock"):
        _launch(lab, "clock", [sys.executable, "-m", "lab.clock", str(network.gateway.ip)], {})
    patience_s = READY_S * max(1, len(wanted))
    deadline = time.monotonic() + patience_s
    while not running(lab, wanted):
        if time.monotonic() > deadline:
            late = next((host for host in wanted or [lab.first] if not answers(host)), lab.first)
            raise LabError(f"libvirt does not answer after {patience_s} s; its log ends:\n{_tail(lab.log_dir / (late.own('libvirtd') + '.log'))}")
        time.sleep(0.2)


def _start_libvirt(host: LibvirtHost) -> None:
    for inside, outside in host.directories.items():
        inside.mkdir(parents=True, exist_ok=True)
        outside.mkdir(parents=True, exist_ok=True)
    for folder in (host.pool_dir, host.files_dir, host.directories[Path("/var/log/libvirt")] / "qemu"):
        folder.mkdir(exist_ok=True)
    etc = host.directories[Path("/etc/libvirt")]
    for name, text in (("qemu.conf", QEMU_CONF), ("libvirtd.conf", LIBVIRTD_CONF), ("virtlogd.conf", VIRTLOGD_CONF)):
        (etc / name).write_text(text)
    mounts = [f"mount --bind {shlex.quote(str(outside))} {inside}" for inside, outside in host.directories.items()]
    # Away from the machine's systemd-machined: it would list the lab's guests among the machine's own.
    hide = "if [ -d /run/dbus ]; then mount -t tmpfs -o size=4k none /run/dbus; fi"
    script = " && ".join([*mounts, hide, *_page_mounts(), f"cd {shlex.quote(str(host.lab.checkout))}", 'exec "$@"'])
    # `ip netns exec` gives the command a mount namespace of its own, in which these mounts stay.
    private = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    for program in DAEMONS:
        if not find(host.lab, program, host):
            words = [program, "-f", f"/etc/libvirt/{program}.conf", "-p", f"/run/libvirt/{program}.pid"]
            _launch(host.lab, host.own(program), [*private, *words], {MARK: str(host.socket_dir)})


def _page_mounts() -> list[str]:
    """Shell words that mount huge pages of each size where libvirt looks for them: without a mount it refuses guests that want them."""
    sizes = sorted(int(path.name.split("-")[1].removesuffix("kB")) for path in Path("/sys/kernel/mm/hugepages").glob("hugepages-*kB"))
    places = [(f"/run/libvirt/hugepages-{kib}", kib) for kib in sizes]
    return [f"{{ mkdir -p {place} && mount -t hugetlbfs -o pagesize={kib}K none {place} || true; }}" for place, kib in places]


def _launch(lab: Lab, name: str, command: list[str], more: dict[str, str]) -> None:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/root", "LANG": "C.UTF-8", **more}
    lab.log_dir.mkdir(parents=True, exist_ok=True)
    with (lab.log_dir / f"{name}.log").open("ab") as log:
        # It outlives this command, and is nobody's child.
        subprocess.run(
            ["setsid", "--fork", *in_namespace(lab.namespace, command)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=lab.checkout,
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
