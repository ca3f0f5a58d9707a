"""`ops doctor` from its command line to its exit code, against made-up hypervisors with one thing wrong each."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.doctor import command, hosts
from tests.ops.doctor.made_hosts import capabilities, cores, pool_state, recorded, said
from tests.ops.doctor.made_programs import Machine, machine, remove
from tests.settings.documents import Tree

pytestmark = pytest.mark.engine  # a second of processes each
Make = Callable[..., Machine]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes the machine and the hypervisor, with other settings where wanted."""

    def make(**areas: Tree) -> Machine:
        return machine(tmp_path, monkeypatch, **areas)

    return make


def only(found: dict[str, Tree], name: str, *, code: int = 30) -> Tree:
    assert set(found) == {"", name}, found
    assert found[""]["code"] == code
    assert found[name]["remedy"]
    return found[name]


def test_a_healthy_hypervisor_and_machine_pass_whole(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    assert made().doctor(capsys) == {"": {"code": 0}}


def test_no_kvm(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = made()
    here.virsh |= recorded("emulator-no-kvm")
    assert "modprobe" in only(here.doctor(capsys), "kvm.offered")["remedy"]


def test_kvm_that_boots_no_guest(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = made()
    here.shell["kvm"] = said("qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69", 5)
    assert "MSR" in only(here.doctor(capsys), "kvm.boots")["found"]


def test_too_few_cores(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = made()
    here.virsh["capabilities"] = capabilities(cores(0, 3))
    assert only(here.doctor(capsys), "host.topology")["found"] == "NUMA node 0: 4 cores, threads 0-3"


def test_a_pool_that_is_full(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = made()
    here.virsh["pool-state"] = pool_state(0.5)
    assert "free or add 1.5 GiB" in only(here.doctor(capsys), "pool.space")["remedy"]


@pytest.mark.parametrize("tool", ["mkisofs", "xsltproc"])
def test_a_missing_tool(made: Make, capsys: pytest.CaptureFixture[str], tool: str) -> None:
    here = made()
    remove(here, tool)
    assert "apt install" in only(here.doctor(capsys), f"tool.{tool}")["remedy"]


def test_old_libvirt(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = made()
    here.virsh["version"] = said(recorded("first")["version"].output.replace("daemon: 9.0.0", "daemon: 3.0.0"))
    assert "3.9.0" in only(here.doctor(capsys), "host.libvirt-version")["remedy"]


def test_an_address_that_is_taken_as_the_hypervisor_and_as_this_machine_see_it(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = made()
    here.shell["addresses"] = said(here.hypervisor.by_shell["addresses"].output.replace("10.20.0.22 silent", "10.20.0.22 00:11:22:33:44:55"))
    found = only(here.doctor(capsys), "address.free")
    assert (found["where"], found["declared"]) == ("kvm1", "10.20.0.22 for small-worker-2")
    here.shell.clear()
    (here.programs / "ping").write_text('#!/bin/sh\n[ "$7" = 10.20.0.10 ]\n')
    found = only(here.doctor(capsys), "address.free")
    assert (found["where"], found["declared"]) == ("this machine", "10.20.0.10 for the API")


def test_a_bridge_whose_mtu_is_too_small(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = made(network={"mtu": 9000})
    here.shell["bridge"] = said("1500\nport enp1s0 9000\nport vnet0 1500")
    found = only(here.doctor(capsys), "link.mtu")
    assert "ip link set br0 mtu 9000" in found["remedy"]


def test_without_virsh_nothing_passes(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = made()
    remove(here, "virsh")
    found = here.doctor(capsys)
    assert (found[""]["code"], found["host.libvirt"]["remedy"]) == (20, "apt install libvirt-clients")
    assert found["host.rest"]["status"] == "not checked"


def test_a_refused_key_is_a_finding_of_libvirt_and_of_the_shell(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = made()
    here.virsh["refuse"] = said("Cannot recv data: root@kvm1.example: Permission denied (publickey).: Connection reset by peer")
    found = here.doctor(capsys)
    assert found[""]["code"] == 30
    assert "Permission denied" in found["host.libvirt"]["found"]
    assert "BatchMode=yes" in found["host.libvirt"]["remedy"]
    here.virsh.clear()
    here.shell["refuse"] = said("root@kvm1.example: Permission denied (publickey).")
    found = here.doctor(capsys)
    assert "Permission denied" in found["host.shell"]["found"]
    assert {found[name]["status"] for name in ("host.shell", "kvm.boots", "clock.synchronised")} == {"not checked"}


def test_a_hypervisor_that_hangs_is_left_after_its_time(made: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    here = made()
    here.virsh["hang"] = said("")
    monkeypatch.setattr(hosts, "LIBVIRT_S", 1)
    begun = time.monotonic()
    found = here.doctor(capsys)
    assert time.monotonic() - begun < 30
    assert (found[""]["code"], found["host.libvirt"]["found"]) == (30, "no answer in 1 s")


def test_a_shell_that_hangs_half_way_has_said_what_it_said(made: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    here = made()
    here.shell["kvm"] = said("hang")
    monkeypatch.setattr(hosts, "SHELL_S", 3)
    found = here.doctor(capsys)
    assert set(found) == {"", "host.shell", "kvm.boots"}
    assert "cut off: no answer in 3 s" in found["host.shell"]["found"]
    assert found["kvm.boots"]["status"] == "not checked"


def test_an_encrypted_uri_is_no_host_called_unknown(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    found = made(hypervisors={"kvm1": {"uri": {"secure": "v1:x"}}}).doctor(capsys)
    assert (found[""]["code"], found["host.libvirt"]["status"]) == (20, "not checked")
    assert "encrypted" in found["host.libvirt"]["found"]


def test_an_interrupt_is_130_and_no_traceback(made: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from ops import __main__ as command_line

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    here = made()
    monkeypatch.setattr(command, "_look", interrupted)
    assert command_line.main(["doctor", "--stack", "small", "--project", str(here.folder)]) == 130
    assert capsys.readouterr().out == ""
