"""A libvirtd of the test's own: in its own mount, network and PID namespaces, gone with everything it started when the test ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

START_S = 240
"""Within which a daemon is ready, also where machines are emulated beside it."""
_DAEMONS = """\
set -e
mount --make-rprivate /
for folder in /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do
    mkdir -p "$folder"
    mount -t tmpfs tmpfs "$folder"
done
mkdir -p /run/libvirt
mount --bind "$1" /run/libvirt
cat > /etc/libvirt/qemu.conf <<EOF
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
remember_owner = 0
EOF
printf 'unix_sock_rw_perms = "0700"\\nauth_unix_rw = "none"\\n' > /etc/libvirt/libvirtd.conf
ip link set lo up
virtlogd -d
libvirtd &
wait $!
"""
# The shell stays: as the namespace's first process it reaps the emulators that libvirt probes, for whose end libvirt waits.


@contextlib.contextmanager
def private_libvirt(folder: Path) -> Generator[str]:
    """The URI of a libvirtd whose sockets are in `folder`. Pools must be below it too, as it sees no other folder of its own."""
    sockets = folder / "libvirt"
    sockets.mkdir()
    log = (folder / "libvirtd.log").open("wb")
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _DAEMONS, "sh", str(sockets)]
    daemon = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    uri = f"qemu+unix:///system?socket={sockets}/libvirt-sock"
    try:
        _wait_for(uri, daemon, folder / "libvirtd.log")
        yield uri
    finally:
        os.killpg(daemon.pid, signal.SIGKILL)  # the PID namespace goes with its first process, every guest with it
        daemon.wait()
        log.close()
        shutil.rmtree(sockets, ignore_errors=True)


class VirshFailedError(Exception):
    """virsh refused a command; the message is its own."""


def virsh(uri: str, *args: str, timeout_s: float = 60) -> str:
    """The output of a virsh command."""
    outcome = subprocess.run(["virsh", "-q", "-c", uri, *args], check=False, capture_output=True, text=True, timeout=timeout_s)
    if outcome.returncode:
        raise VirshFailedError(outcome.stderr.strip())
    return outcome.stdout.strip()


def _wait_for(uri: str, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(VirshFailedError):
            virsh(uri, "uri")
            # with no cache yet it runs every emulator to ask what it can, and answers nobody's first question before: 32 s beside two emulated machines
            virsh(uri, "version", "--daemon", timeout_s=START_S)
            return
        if daemon.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"libvirtd did not start: {log.read_text()[-2000:]}")
