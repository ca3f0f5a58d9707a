"""How doctor asks: batches for virsh, a script for the shell, commands with limits, and a guest to boot."""

import asyncio
import os
import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ops.doctor import guest, questions, script
from ops.doctor.processes import run
from ops.verify.model import Said
from settings import load
from tests.ops.doctor.made_hosts import plan_with, recorded, said
from tests.settings.documents import minimal

READING = {"version", "capabilities", "domcapabilities", "nodememstats", "freepages", "list", "dumpxml", "nodedev-list", "nodedev-dumpxml"}
READING_MORE = {
    "pool-list",
    "net-list",
    "net-dumpxml",
    "net-info",
    "net-dhcp-leases",
    "pool-dumpxml",
    "pool-info",
    "vol-list",
    "vol-info",
    "iface-dumpxml",
}


def test_every_question_to_libvirt_only_reads() -> None:
    for network in ({"bridge": "br0"}, {"libvirt_network": "net; destroy x"}):
        document = minimal()
        document["hypervisors"]["kvm1"]["network"] = network
        if "libvirt_network" in network:
            network["libvirt_network"] = "nodes"
        settings = load(document)
        hypervisor = settings.hypervisors["kvm1"]
        first = questions.first(hypervisor)
        names = {
            "domains": said("a\nb; destroy c\n"),
            "disks": said("block_vda\n"),
            "networks": said("default\n"),
            "pool-volumes": said(" small-cp-1-root   /x\n"),
        }
        second = questions.second(hypervisor, plan_with().nodes, {**recorded("first"), **names})
        assert "volume small-cp-1-root" in second
        assert second["domain b; destroy c"] == "dumpxml 'b; destroy c'"
        asked = {**first, **second, **questions.writable(hypervisor)}
        assert {words.split()[0] for words in asked.values()} <= READING | READING_MORE


def test_a_batch_is_split_into_its_answers_and_an_error_stays_in_its_part() -> None:
    text = "@@underlay:a@@one\ntwo\n@@underlay:b@@error: failed to get pool 'x'\nerror: Storage pool not found: x\n@@underlay:c@@\n"
    found = questions.split(text, dict.fromkeys("abcd", ""))
    assert found["a"] == Said(output="one\ntwo\n", exit_code=0)
    assert found["b"].exit_code == 1
    assert (found["c"].exit_code, found["c"].error) == (0, "")
    assert "before it came to this" in found["d"].error


def test_a_connection_that_fails_is_the_reason_of_every_answer() -> None:
    said_by_virsh = "error: failed to connect to the hypervisor\nerror: Cannot recv data: ssh: connect to host h port 22: Connection refused\n"
    found = questions.split(said_by_virsh, {"a": "", "b": ""})
    assert {answer.error for answer in found.values()} == {"Cannot recv data: ssh: connect to host h port 22: Connection refused"}


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("qemu:///system", ["bash", "-s"]),
        ("qemu+unix:///system?socket=/run/x", ["bash", "-s"]),
        ("qemu+ssh://root@kvm1/system", ["-l", "root", "--", "kvm1", "exec bash -s"]),
        (
            "qemu+ssh://kvm1:2222/system?keyfile=/k&knownhosts=/h",
            ["-p", "2222", "-i", "/k", "-o", "UserKnownHostsFile=/h", "--", "kvm1", "exec bash -s"],
        ),
        ("qemu+tls://kvm1/system", None),
        ("qemu+tcp://kvm1/system", None),
        ("test:///default", None),
    ],
)
def test_the_way_to_a_shell_is_that_of_the_uri_and_never_asks(uri: str, words: list[str] | None) -> None:
    found = script.reach(uri)
    if words is None:
        assert found is None
    else:
        assert found is not None
        assert list(found[-len(words) :]) == words
        assert found[0] == "bash" or "BatchMode=yes" in found


def test_the_script_runs_here_and_says_each_of_its_parts() -> None:
    """Real answers of this machine: an address of its own answers, one that nobody has does not, and the disk under / has a name."""
    plan = plan_with(
        hypervisors={"kvm1": {"domain_type": "qemu"}}, control_plane={"cpu": {"mode": "maximum"}}, workers={"worker": {"cpu": {"mode": "maximum"}}}
    )
    hypervisor = plan.settings.hypervisors["kvm1"].model_copy(
        update={"network": plan.settings.hypervisors["kvm1"].network.model_copy(update={"bridge": "lo"})}
    )
    text = script.whole(
        replace(plan, nodes=()), hypervisor, (), places={"pool": ("/nowhere/yet",), "files-pool": ("/dev/no-such-disk",)}, emulator=""
    )
    answer = asyncio.run(run(["bash", "-s"], timeout_s=30, stdin=text))
    parts = script.split(answer)
    assert list(parts) == ["time", "pool-block", "files-pool-block", "bridge", "addresses"]
    assert parts["files-pool-block"].output == "missing /dev/no-such-disk"
    assert parts["bridge"].output.splitlines()[1:] == ["no bridge"]
    assert parts["pool-block"].output.startswith("available ")
    assert parts["bridge"].output.splitlines()[0] == Path("/sys/class/net/lo/mtu").read_text().strip()
    assert parts["time"].output.startswith("clock ")


def test_a_command_that_hangs_ends_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    begun = time.monotonic()
    answer = asyncio.run(run(["bash", "-c", f"sleep 60 & echo $! > {note}; wait"], timeout_s=1))
    assert answer.error == "no answer in 1 s"
    assert time.monotonic() - begun < 20
    pid = int(note.read_text())
    for _ in range(50):
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            break
        time.sleep(0.1)
    else:
        os.kill(pid, 9)
        raise AssertionError("the command's child runs on")


def test_a_command_that_is_not_there_is_no_answer() -> None:
    assert "cannot be run" in asyncio.run(run(["/no/such/program"], timeout_s=1)).error


def test_the_guests_program_is_an_executable_whose_text_is_where_it_looks() -> None:
    program = guest.program()
    assert program[:4] == b"\x7fELF"
    entry = struct.unpack_from("<Q", program, 24)[0]
    code = program[entry - 0x400000 :]
    at = struct.unpack_from("<I", code, 11)[0] - 0x400000
    length = struct.unpack_from("<I", code, 16)[0]
    assert program[at : at + length] == f"{guest.MARK}\n".encode()
    assert len(program) == at + length
