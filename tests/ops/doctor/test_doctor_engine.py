"""doctor on a real libvirtd: what it finds is so, and nothing is changed. And its guest, booted for real."""

import asyncio
import os
import shutil
import subprocess
import sys
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from lab import kvm, machine
from lab.network import LabNetwork
from lab.places import Lab
from lab.progress import Progress
from ops.doctor import guest, hosts, judges, script
from ops.doctor.model import Finding, Seen
from ops.verify.model import Status
from plan import Plan
from tests.ops.doctor.made_hosts import UNCOUNTED, operator, plan_with, recorded
from tests.plugins.private_libvirt import private_libvirt, virsh
from tests.plugins.ssh_server import write_keys
from tests.settings.documents import merged

pytestmark = [pytest.mark.engine, pytest.mark.skipif(shutil.which("libvirtd") is None, reason="no libvirtd")]
LAB_NETWORK = LabNetwork(bridge="br0", gateway=IPv4Interface("10.77.0.1/24"), pods=IPv4Network("192.168.0.0/16"))


def declared(uri: str) -> Plan:
    """Three emulated machines whose addresses are this machine's loopback's, and a bridge that nobody has."""
    emulated = {"cpu": {"mode": "custom", "model": "qemu64"}}
    host = {"uri": uri, "domain_type": "qemu", "network": {"bridge": "br-nobody"}, "pool": {"name": "nodes"}}
    return plan_with(**merged(UNCOUNTED, {"hypervisors": {"kvm1": host}, "control_plane": emulated, "workers": {"worker": emulated}}))


def asked(plan: Plan) -> dict[str, Finding]:
    seen = Seen(plan=plan, stack="small", hosts=asyncio.run(hosts.ask_all(plan)), operator=operator())
    return {finding.id: finding for finding in judges.findings(seen) if finding.where == "kvm1"}


def everything(uri: str) -> list[str]:
    """All that a libvirt has, in its own words."""
    words = ("list --all", "pool-list --all", "net-list --all", "vol-list nodes", "pool-dumpxml nodes", "dumpxml small-cp-1")
    return [virsh(uri, *each.split()) for each in words]


def test_it_finds_what_is_there_and_changes_nothing(tmp_path: Path) -> None:
    with private_libvirt(tmp_path) as uri:
        (tmp_path / "pool").mkdir()
        virsh(uri, "pool-define-as", "nodes", "dir", "--target", str(tmp_path / "pool"))
        definition = tmp_path / "domain.xml"
        definition.write_text(recorded("second")["domain other"].output.replace("<name>other<", "<name>small-cp-1<"))
        virsh(uri, "define", str(definition))
        stopped = asked(declared(uri))
        assert stopped["host.libvirt"].status is Status.PASSED, stopped["host.libvirt"]
        assert "pool-start nodes" in stopped["pool.state"].remedy
        virsh(uri, "pool-start", "nodes")
        before = everything(uri)
        found = asked(declared(uri))
        assert everything(uri) == before
    assert {name for name in found if found[name].status is Status.PASSED} >= {
        "host.libvirt",
        "host.shell",
        "host.libvirt-version",
        "host.qemu-version",
        "cpu.model",
        "pool.state",
    }
    assert "br-nobody" in found["link.there"].declared
    assert found["link.there"].status is Status.FAILED
    assert "52:54:00:aa:bb:cc" in found["running.name"].found
    enough = (os.cpu_count() or 1) >= sum(node.vcpus for node in declared(uri).nodes)
    assert (found["cpu.enough"].status is Status.PASSED) == enough
    free = shutil.disk_usage(tmp_path).free
    assert float(found["pool.space"].found.split()[0]) == pytest.approx(free / 2**30, abs=2)
    gone = asked(declared(uri))
    assert (gone["host.libvirt"].status, gone["host.rest"].status) == (Status.FAILED, Status.NOT_CHECKED)


def test_its_shell_is_reached_over_ssh_as_the_uri_says_and_only_where_the_key_is_known(tmp_path: Path) -> None:
    write_keys(tmp_path)
    with subprocess.Popen([sys.executable, "-m", "tests.plugins.ssh_server", str(tmp_path)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            reached_on(int(server.stdout.readline()), tmp_path)
        finally:
            server.terminate()


def reached_on(port: int, folder: Path) -> None:
    known = folder / "known"
    uri = f"qemu+ssh://root@127.0.0.1:{port}/system?keyfile={folder / 'client'}&knownhosts={known}"
    unknown = asyncio.run(hosts.ask_shell(uri, "echo", 20))
    assert "Host key verification failed" in unknown.parts[""].error
    known.write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    text = script.whole(plan_with(), declared(uri).settings.hypervisors["kvm1"], (), places={"pool": (str(folder),)}, emulator="")
    found = asyncio.run(hosts.ask_shell(uri, text, 60))
    told = found.parts
    assert found.clock_s is not None
    assert found.clock_s[0] <= float(told["time"].output.split()[1]) <= found.clock_s[1]
    assert told["bridge"].exit_code == 1
    assert told["pool-block"].output.startswith("available ")


def test_its_guest_boots_where_guests_boot_and_only_there() -> None:
    lab = Lab(name="test")
    kernel = machine.image(lab, LAB_NETWORK, Progress.quiet()) / "vmlinuz"
    words = guest.script("qemu-system-x86_64", [str(kernel)])
    emulated = words.replace("-accel kvm -cpu host", "-accel tcg").replace(f"timeout --kill-after=2 {guest.BOOT_S}", "timeout 120")
    emulated = emulated.replace("[ -c /dev/kvm ]", "true").replace("[ -r /dev/kvm ] && [ -w /dev/kvm ]", "true")
    assert run(emulated) == (0, "booted")
    broken = emulated.replace(f"'{kernel}'", "/dev/null").replace(str(kernel), "/dev/null")
    assert run(broken)[0] == 5
    if Path("/dev/kvm").exists():
        assert (run(words) == (0, "booted")) == kvm.boots(kernel, "kvm")
    else:
        assert run(words) == (3, "no /dev/kvm")


def run(words: str) -> tuple[int, str]:
    done = subprocess.run(["bash", "-s"], input=words, capture_output=True, text=True, check=False, timeout=180)
    return done.returncode, done.stdout.strip()
