"""A stand-in for a node: the scripts' real bash, coreutils and jq in a root folder of their own, with recorded fakes of what acts on a machine."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

_ENTER = """
set -eu
mount --make-rprivate /
mount --rbind /usr "$1/usr"
mount --rbind "$1/local" "$1/usr/local"
mount --rbind /dev "$1/dev"
[[ ! -e "$1/fake/real-proc" ]] || mount --rbind /proc "$1/proc"
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec chroot "$1" "$2" "${@:3}"
"""

# Every fake writes its name and arguments to /calls; what it answers lies in /fake.
_RECORD = """#!/bin/bash
printf '%s\\n' "${0##*/} $*" >>/calls
"""

_FAKES = {
    "systemctl": """
case $1 in
  is-active) [[ -e /fake/active/${!#} ]];;
  start|restart|reload-or-restart)
    if [[ -e /fake/broken/$2 ]]; then echo "Job for $2.service failed." >&2; exit 1; fi
    : >"/fake/active/$2";;
  stop) rm -f "/fake/active/$2";;
esac
""",
    "modprobe": """
code=0
for name; do
  [[ $name != --* ]] || continue
  if [[ -e /fake/no-module/$name ]]; then code=1; else mkdir -p "/sys/module/$name"; fi
done
exit $code
""",
    "journalctl": 'for n in {1..30}; do echo "journal line $n of ${!#}"; done | tail -n 20\n',
    "swapoff": "echo 'Filename Type Size Used Priority' >/proc/swaps\n",
    "kubeadm": """
echo "[$1] kubeadm at work"
[[ ! -e /fake/kubeadm-seconds ]] || read -r -t "$(</fake/kubeadm-seconds)" <>/fake/never || true
if [[ -e /fake/kubeadm-fails ]]; then echo "error: preflight checks failed" >&2; exit 3; fi
echo done >/var/lib/kubelet/config.yaml
""",
    "curl": """
for url; do :; done
name=${url#*://}; name=/fake/curl/${name//\\//_}
[[ -e $name ]] || { echo "curl: (7) Failed to connect to ${url#*://}" >&2; exit 7; }
cat "$name"
""",
    "nft": "[[ -e /fake/nft ]]\n",
    "iptables": "cat /fake/iptables\n",
}


@dataclass(frozen=True)
class Run:
    """How a script ended and what it said."""

    code: int
    out: str
    err: str
    calls: list[str]
    """What it asked the fakes to do, in order."""


class Sandbox:
    """The root folder of a node, and the way into it."""

    def __init__(self, folder: Path, *, network: str = "") -> None:
        """`network` is a network namespace's file under /proc, if it has one of its own."""
        self.root = folder / "root"
        self._network = ["nsenter", f"--net={network}", "--"] if network else []
        for name in (
            "usr",
            "dev",
            "local/sbin",
            "tmp",
            "root",
            "fake/active",
            "fake/broken",
            "fake/no-module",
            "fake/curl",
            "run/cloud-init",
            "run/containerd",
        ):
            (self.root / name).mkdir(parents=True)
        for name in (
            "etc/systemd/system/multi-user.target.wants",
            "etc/underlay",
            "var/log",
            "var/lib/kubelet",
            "lib/modules/6.1.0-test",
            "proc/net",
        ):
            (self.root / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib64"):
            (self.root / name).symlink_to(f"usr/{name}")
        for path in Path("/usr/lib").iterdir():
            if path.name != "modules":
                (self.root / "lib" / path.name).symlink_to(path)
        (self.root / "etc/alternatives").mkdir()
        for path in filter(Path.is_symlink, Path("/etc/alternatives").iterdir()):
            (self.root / "etc/alternatives" / path.name).symlink_to(path.readlink())
        for name, body in _FAKES.items():
            self.program(name, _RECORD + body)
        os.mkfifo(self.root / "fake" / "never")
        self.write("etc/underlay/image.json", '{"kubernetes": "1.36.3", "parts": []}')
        self.write("run/cloud-init/result.json", "{}")
        self.write("proc/sys/kernel/osrelease", "6.1.0-test\n")
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        self.write("etc/group", "root:x:0:\n")
        self.write("proc/swaps", "Filename Type Size Used Priority\n")
        self._socket("run/containerd/containerd.sock")

    def write(self, name: str, text: str) -> Path:
        """A file of the node."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, name: str) -> str:
        """What a file of the node holds."""
        return (self.root / name).read_text()

    def mode(self, name: str) -> str:
        """A file's mode, octal."""
        return f"{(self.root / name).stat().st_mode & 0o7777:o}"

    def program(self, name: str, text: str) -> None:
        """Puts a program where the scripts find it first."""
        path = self.root / "local" / "sbin" / name
        path.write_text(text)
        path.chmod(0o755)

    def kernel(
        self, sysctls: Mapping[str, str], *, hashsize: int = 1024, modules: tuple[str, ...] = ("nf_conntrack",), builtin: tuple[str, ...] = ()
    ) -> None:
        """The kernel as it was before: paths below /proc/sys and their values, modules."""
        for path, value in sysctls.items():
            self.write(f"proc/sys/{path}", f"{value}\n")
        for name in modules:
            (self.root / "sys" / "module" / name).mkdir(parents=True, exist_ok=True)
        self.write("sys/module/nf_conntrack/parameters/hashsize", f"{hashsize}\n")
        self.write("lib/modules/6.1.0-test/modules.builtin", "".join(f"kernel/x/{name}.ko\n" for name in builtin))

    def command(self, *command: str) -> list[str]:
        """The command line that runs a program inside."""
        return [*self._network, "unshare", "--mount", "--", "bash", "-c", _ENTER, "enter", str(self.root), *command]

    def start(self, script: str) -> subprocess.Popen[str]:
        """Starts a script as the product does: on the standard input of `bash -s`."""
        process = subprocess.Popen(
            self.command("/bin/bash", "-s"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert process.stdin is not None
        process.stdin.write(script)
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, script: str, *, timeout: float = 60) -> Run:
        """Runs a script to its end."""
        before = len(self.calls())
        process = self.start(script)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            err += f"\nkilled after {timeout} s"
        return Run(process.returncode, out, err, self.calls()[before:])

    def run_program(self, *command: str, timeout: float = 60) -> Run:
        """Runs a program that lies on the node."""
        before = len(self.calls())
        done = subprocess.run(self.command(*command), text=True, capture_output=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL)
        return Run(done.returncode, done.stdout, done.stderr, self.calls()[before:])

    def calls(self) -> list[str]:
        """All calls of fakes so far."""
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def _socket(self, name: str) -> None:
        here = Path.cwd()
        os.chdir((self.root / name).parent)  # a socket's path has room for 107 bytes
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(Path(name).name)
        finally:
            os.chdir(here)


def sandbox_or_skip(folder: Path) -> Sandbox:
    """A sandbox, or a skipped test that says why."""
    if os.geteuid() != 0:
        pytest.skip("a node's root folder needs root (unshare --mount, chroot)")
    if shutil.which("jq") is None:
        pytest.skip("jq is not here, and nodes have it")
    return Sandbox(folder)
