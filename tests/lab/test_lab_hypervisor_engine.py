"""The lab's own libvirt on this machine: up, twice, broken, and gone without a trace."""

import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from lab import clock, down, drives, hypervisor, kvm, machine, network, up
from lab.network import LabNetwork
from lab.places import Lab, LibvirtHost
from lab.process import in_namespace, run
from lab.progress import Progress

pytestmark = pytest.mark.engine
NETWORK = LabNetwork(bridge="br0", gateway=IPv4Interface("10.77.0.1/24"), pods=IPv4Network("192.168.0.0/16"))
GUEST = """\
<domain type='qemu'><name>guest</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>console=ttyS0 quiet</cmdline></os>
<devices><console type='pty'><log file='/var/log/libvirt/qemu/guest-console.log' append='on'/><target type='serial' port='0'/></console></devices></domain>
"""
DAEMONS = ("virtlogd", "libvirtd", "lab.clock")
MACHINES_OWN = [Path(path) for path in ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt", "/run/libvirt")]


def listing() -> dict[str, tuple[int, int]]:
    """Everything of the machine's own libvirt, with size and time."""
    paths = [path for folder in MACHINES_OWN for path in folder.rglob("*")]
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in paths}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One lab for all: it is started and broken again and again, as people's are."""
    lab = Lab(name="test-host")
    assert down.down(lab, Progress.quiet()) == 0
    yield lab
    assert down.down(lab, Progress.quiet()) == 0
    assert down.remains(lab) == []


def test_the_hypervisor_starts_is_found_again_and_leaves_the_machines_own_libvirt_alone(lab: Lab) -> None:
    before = listing()
    hypervisor.start(lab, NETWORK)
    found = {name: hypervisor.find(lab, name) for name in DAEMONS}
    assert all(found.values())
    hypervisor.start(lab, NETWORK)
    assert {name: hypervisor.find(lab, name) for name in DAEMONS} == found
    assert "QEMU" in run(["virsh", "-c", lab.libvirt_uri, "version"])
    assert listing() == before


def test_a_killed_libvirtd_comes_back_and_keeps_what_it_knew(lab: Lab) -> None:
    hypervisor.start(lab, NETWORK)
    virsh = ["virsh", "-c", lab.libvirt_uri]
    run([*virsh, "pool-define-as", "kept", "dir", "--target", lab.pool_dir])
    killed = hypervisor.find(lab, "libvirtd")
    assert killed
    os.kill(killed, signal.SIGKILL)
    hypervisor.start(lab, NETWORK)
    assert hypervisor.find(lab, "libvirtd") not in {None, killed}
    assert "kept" in run([*virsh, "pool-list", "--all", "--name"])


def test_two_hypervisors_do_not_see_each_other_and_one_may_die_alone(lab: Lab) -> None:
    both = (lab.first, LibvirtHost(lab=lab, key="east"))
    hypervisor.start(lab, NETWORK, both)
    found = {host: {name: hypervisor.find(lab, name, host) for name in DAEMONS[:2]} for host in both}
    pids = [pid for daemons in found.values() for pid in daemons.values()]
    assert None not in pids
    assert len(set(pids)) == 4
    run(["virsh", "-c", both[1].uri, "pool-define-as", "eastern", "dir", "--target", both[1].pool_dir])
    assert "eastern" in run(["virsh", "-c", both[1].uri, "pool-list", "--all", "--name"])
    assert "eastern" not in run(["virsh", "-c", lab.libvirt_uri, "pool-list", "--all", "--name"])
    os.kill(found[both[1]]["libvirtd"] or 0, signal.SIGKILL)
    hypervisor.start(lab, NETWORK, both)
    assert hypervisor.find(lab, "libvirtd", both[1]) not in pids
    assert {name: hypervisor.find(lab, name, both[0]) for name in DAEMONS[:2]} == found[both[0]]
    assert hypervisor.hosts(lab) == list(both)


def test_libvirt_finds_huge_pages_of_every_size_that_the_kernel_has(lab: Lab) -> None:
    hypervisor.start(lab, NETWORK)
    mounts = [line.split() for line in Path(f"/proc/{hypervisor.find(lab, 'libvirtd', lab.first)}/mounts").read_text().splitlines()]
    sizes = {path.name.split("-")[1] for path in Path("/sys/kernel/mm/hugepages").glob("hugepages-*kB")}
    assert {Path(where).name.split("-")[1] + "kB" for _, where, kind, *_ in mounts if kind == "hugetlbfs" and "libvirt" in where} == sizes
    assert not [line for line in Path("/proc/mounts").read_text().splitlines() if "/run/libvirt/hugepages" in line], "outside of the lab"


def test_block_drives_are_loop_devices_that_keep_what_they_hold_and_go_with_the_lab(lab: Lab) -> None:
    hypervisor.start(lab, NETWORK)
    drive = drives.LoopDrive(lab=lab, hypervisor="local", name="nvme1", size_gib=1)
    drives.make(drive)
    device = drive.link.resolve()
    assert stat.S_ISBLK(device.stat().st_mode)
    assert int(Path(f"/sys/block/{device.name}/size").read_text()) * 512 == 1 << 30
    drive.link.write_bytes(b"etcd")
    drives.make(replace(drive, size_gib=2))
    assert drive.link.resolve() == device
    assert int(Path(f"/sys/block/{device.name}/size").read_text()) * 512 == 2 << 30
    with drive.link.open("rb") as stream:
        assert stream.read(4) == b"etcd"
    assert set(drives.remains(lab)) == {f"loop device {device}", str(drive.link.parents[1])}
    assert down.down(lab, Progress.quiet()) == 0
    assert drives.remains(lab) == []
    assert not Path(f"/sys/block/{device.name}/loop/backing_file").exists()


def test_the_namespace_has_the_wire_and_no_way_out(lab: Lab) -> None:
    hypervisor.start(lab, NETWORK)
    routes = run(in_namespace(lab.namespace, ["ip", "-4", "route"]))
    assert "10.77.0.0/24 dev br0" in routes
    assert "192.168." not in routes
    assert "default" not in routes
    links = run(in_namespace(lab.namespace, ["ip", "-oneline", "link"]))
    assert [line.split(":")[1].strip() for line in links.splitlines()] == ["lo", "br0"]
    assert "mtu 1500" in links.splitlines()[1]


def test_the_nodes_clock_answers_on_the_gateway(lab: Lab) -> None:
    hypervisor.start(lab, NETWORK)
    ask = (
        "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10); "
        "s.sendto(bytes([0x23]) + bytes(47), ('10.77.0.1', 123)); sys.stdout.write(s.recv(512).hex())"
    )
    answer = bytes.fromhex(run(in_namespace(lab.namespace, ["python3", "-c", ask])))
    seconds = clock.stamp(time.time()) >> 32
    assert abs(int.from_bytes(answer[40:44], "big") - seconds) <= 2


def test_a_guests_console_is_kept_for_the_one_who_looks_why_up_failed(lab: Lab, tmp_path: Path) -> None:
    hypervisor.start(lab, NETWORK)
    kernel, initrd = machine.image(lab, NETWORK, Progress.quiet()) / "vmlinuz", lab.pool_dir / "initrd"
    initrd.write_bytes(kvm.archive(kvm.program()))
    description = tmp_path / "guest.xml"
    description.write_text(GUEST.format(kernel=kernel, initrd=initrd))
    run(["virsh", "-c", lab.libvirt_uri, "define", description])
    run(["virsh", "-c", lab.libvirt_uri, "start", "guest"])
    log = lab.log_dir / "libvirt/qemu/guest-console.log"
    deadline = time.monotonic() + 60
    while kvm.MARKER.strip().decode() not in (log.read_text(errors="replace") if log.exists() else ""):
        assert up.console_logs(lab) == {"guest": log}
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_down_ends_what_runs_in_the_namespace_and_nothing_else(lab: Lab) -> None:
    hypervisor.start(lab, NETWORK)
    inside = subprocess.Popen(in_namespace(lab.namespace, ["sleep", "300"]))
    outside = subprocess.Popen(["sleep", "300"])
    try:
        assert down.down(lab, Progress.quiet()) == 0
        assert inside.wait(10) != 0
        assert outside.poll() is None
    finally:
        outside.kill()
        outside.wait()
    assert not network.namespace_path(lab).exists()
    assert not lab.libvirt_socket.exists()


def test_the_probe_for_kvm_can_say_yes_and_no(lab: Lab) -> None:
    kernel = machine.image(lab, NETWORK, Progress.quiet()) / "vmlinuz"
    assert kvm.boots(kernel, "tcg")
    assert not kvm.boots(Path("/dev/null"), "tcg")
    assert kvm.domain_type(kernel) == ("kvm" if kvm.boots(kernel, "kvm") else "qemu")
