"""Hypervisors with one thing wrong each: doctor names it, says what to do, and says nothing else."""

from dataclasses import replace

import pytest

from ops.doctor import judges
from ops.doctor.model import Seen
from ops.verify.model import Said, Status
from tests.ops.doctor.made_hosts import (
    GIB,
    UNCOUNTED,
    capabilities,
    cores,
    domain,
    having,
    made,
    only,
    operator,
    paged,
    plan_with,
    pool_state,
    recorded,
    refused,
    said,
    seen,
    wrong,
)
from tests.settings.documents import merged


def test_nothing_is_wrong_with_a_healthy_hypervisor_and_operator() -> None:
    found = judges.findings(seen())
    assert [finding for finding in found if finding.status is not Status.PASSED] == []
    assert {"host.libvirt", "kvm.boots", "host.topology", "host.tenants", "memory.enough", "pool.space", "pool.nvme", "link.mtu", "address.free"} <= {
        finding.id for finding in found
    }


def test_a_hypervisor_that_does_not_answer_is_one_finding_and_the_rest_is_not_checked() -> None:
    what = seen()
    why = Said(output="", exit_code=1, error="Cannot recv data: ssh: Could not resolve hostname kvm1.example: Name or service not known")
    host = replace(what.hosts["kvm1"], virsh=dict.fromkeys(what.hosts["kvm1"].virsh, why), by_shell={})
    found = wrong(replace(what, hosts={"kvm1": host}))
    assert {name: finding.status for name, finding in found.items()} == {"host.libvirt": Status.FAILED, "host.rest": Status.NOT_CHECKED}
    assert "DNS" in found["host.libvirt"].remedy


def test_old_libvirt() -> None:
    text = recorded("first")["version"].output.replace("daemon: 9.0.0", "daemon: 3.0.0")
    found = only(seen(virsh={"version": said(text)}), "host.libvirt-version")
    assert (found.found, found.severity) == ("3.0.0", "error")
    assert "3.9.0" in found.limit
    assert "3.9.0" in found.remedy


@pytest.mark.parametrize(
    ("old", "new", "disk", "cpu", "finding_id"),
    [
        ("daemon: 9.0.0", "daemon: 6.2.9", {"io": "io_uring"}, {}, "host.libvirt-version"),
        ("QEMU 7.2.22", "QEMU 4.2.1", {"io": "io_uring"}, {}, "host.qemu-version"),
        ("daemon: 9.0.0", "daemon: 7.0.0", {}, {"mode": "maximum"}, "host.libvirt-version"),
        ("daemon: 9.0.0", "daemon: 7.7.0", {"queue_size": 512}, {}, "host.libvirt-version"),
        ("QEMU 7.2.22", "QEMU 2.11.9", {"queue_size": 512}, {}, "host.qemu-version"),
    ],
)
def test_what_is_declared_raises_the_least_version(old: str, new: str, disk: dict[str, str], cpu: dict[str, str], finding_id: str) -> None:
    text = said(recorded("first")["version"].output.replace(old, new))
    assert not wrong(seen(virsh={"version": text}))
    only(seen(plan_with(control_plane={"disk": disk, "cpu": cpu}), virsh={"version": text}), finding_id)


def test_several_io_threads_of_a_disk_and_a_whole_drive_raise_it_too() -> None:
    many = plan_with(control_plane={"disk": {"io_threads": 2}})
    assert set(wrong(seen(many))) == {"host.libvirt-version", "host.qemu-version"}
    new = recorded("first")["version"].output.replace("daemon: 9.0.0", "daemon: 10.0.0").replace("QEMU 7.2.22", "QEMU 9.0.0")
    assert not wrong(seen(many, virsh={"version": said(new)}))
    drive = {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 10}
    whole = plan_with(hypervisors={"kvm1": {"drives": {"one": drive}}}, control_plane={"etcd_disk": {"kind": "drive", "of": "nvme"}})
    old = said(recorded("first")["version"].output.replace("daemon: 9.0.0", "daemon: 5.9.0"))
    assert "whole NVMe drive" in wrong(seen(whole, virsh={"version": old}))["host.libvirt-version"].limit


def test_no_kvm() -> None:
    found = only(seen(virsh=recorded("emulator-no-kvm")), "kvm.offered")
    assert found.severity == "error"
    assert "is not supported" in found.found
    assert "firmware" in found.remedy


def test_kvm_that_is_there_and_whose_guests_do_not_boot() -> None:
    words = "qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69"
    assert words in only(seen(told={"kvm": said(words, 5)}), "kvm.boots").found
    assert "20 s" in only(seen(told={"kvm": said("", 5)}), "kvm.boots").found
    assert only(seen(told={"kvm": said("no right to open /dev/kvm", 4)}), "kvm.boots").status is Status.NOT_CHECKED


def test_emulation_needs_no_kvm() -> None:
    plan = plan_with(
        hypervisors={"kvm1": {"domain_type": "qemu"}}, control_plane={"cpu": {"mode": "maximum"}}, workers={"worker": {"cpu": {"mode": "maximum"}}}
    )
    assert not wrong(seen(plan, virsh=recorded("emulator-qemu"), told={"kvm": said("no /dev/kvm", 3)}))


def test_a_cpu_model_that_the_host_has_not() -> None:
    plan = plan_with(workers={"worker": {"cpu": {"mode": "custom", "model": "SapphireRapids"}}})
    text = recorded("emulator-kvm")["emulator"].output.replace(
        "<model usable='yes' vendor='unknown'>486<", "<model usable='no' vendor='Intel'>SapphireRapids<"
    )
    assert "unknown" in only(seen(plan), "cpu.model").found
    known = {"features of SapphireRapids": recorded("features")["features of the host"]}
    assert "lacks" in only(seen(plan, virsh={"emulator": said(text), **known}), "cpu.model").found


def test_a_cpu_without_aes_and_a_model_that_hides_it() -> None:
    slow = said(recorded("features")["features of the host"].output.replace("name='aes'", "name='ae'"))
    found = only(seen(virsh={"features of the host": slow}), "cpu.features")
    assert (found.severity, found.found) == ("warning", "the host's CPU (kvm64) without aes")
    plan = plan_with(workers={"worker": {"cpu": {"mode": "custom", "model": "qemu64"}}})
    usable = (
        recorded("emulator-kvm")["emulator"].output.replace(">qemu64<", ">qemu64-v0<").replace("vendor='unknown'>486<", "vendor='unknown'>qemu64<")
    )
    hidden = only(seen(plan, virsh={"emulator": said(usable)}), "cpu.features")
    assert "it hides aes, pclmuldq, avx2, bmi2, adx, pcid, invpcid of" in hidden.found
    assert "host-passthrough" in hidden.remedy
    assert only(seen(virsh={"features of the host": said("")}), "cpu.features").status is Status.NOT_CHECKED


def test_what_runs_there_already_and_cannot_be_seen_is_no_room() -> None:
    hidden = {"domains": Said(output="", exit_code=124, error="no answer in 30 s")}
    found = wrong(seen(virsh=hidden))
    assert {name: finding.status for name, finding in found.items()} == dict.fromkeys(("running.machines", "memory.enough"), Status.NOT_CHECKED)
    uncounted = plan_with(**UNCOUNTED)
    assert wrong(seen(uncounted, virsh=hidden))["cpu.enough"].status is Status.NOT_CHECKED
    assert wrong(seen(uncounted, virsh={**hidden, "capabilities": capabilities(cores(0, 7))}))["cpu.enough"].status is Status.FAILED
    few = said("Node 0:\n1048576KiB: 20\n")
    there = {**hidden, "capabilities": capabilities(cores(0, 63), pages={1048576: 100})}
    assert wrong(seen(plan_with(**paged()), virsh={**there, "pages": few}))["memory.hugepages"].status is Status.NOT_CHECKED


def test_an_emulators_answer_that_is_missing_hides_no_cpu_model() -> None:
    plan = plan_with(
        hypervisors={"kvm1": {"domain_type": "qemu"}}, control_plane={"cpu": {"mode": "maximum"}}, workers={"worker": {"cpu": {"mode": "maximum"}}}
    )
    late = Said(output="", exit_code=124, error="no answer in 30 s")
    assert only(seen(plan, virsh={"emulator": late}), "cpu.model").status is Status.NOT_CHECKED


def test_a_volume_group_that_is_still_to_be_made() -> None:
    pool = {"name": "nvme", "kind": "logical", "managed": True, "volume_group": "nvme", "devices": ["/dev/nvme0n1", "/dev/nvme1n1"]}
    plan = plan_with(
        hypervisors={"kvm1": {"pool": pool, "files_pool": {"name": "default", "kind": "dir"}}}, image={"raw": "images/node-1.36.3/node.raw"}
    )
    files = recorded("first")
    gone = refused("Storage pool not found: no storage pool with matching name 'nvme'")
    answers = {"pool": gone, "pool-state": gone, "files-pool": files["pool"], "files-pool-state": pool_state(20), "files-pool-volumes": said("")}
    disk = 'NAME="/dev/nvme{0}n1" TYPE="disk" TRAN="nvme" ROTA="0"'
    both = said("\n".join(f"device {100 * GIB}\n{disk.format(number)}" for number in (0, 1)))
    assert not wrong(seen(plan, virsh=answers, told={"pool-block": both}))
    one = said(f"device {100 * GIB}\n{disk.format(0)}")
    assert only(seen(plan, virsh=answers, told={"pool-block": one}), "pool.space").severity == "error"
    missing = said(f"{one.output}\nmissing /dev/nvme1n1")
    found = only(seen(plan, virsh=answers, told={"pool-block": missing}), "pool.state")
    assert found.found == "no block device /dev/nvme1n1"


def test_too_few_cores_for_machines_that_nobody_counted() -> None:
    uncounted = plan_with(**UNCOUNTED)
    assert not wrong(seen(uncounted))
    found = only(seen(uncounted, virsh={"capabilities": capabilities(cores(0, 7))}), "cpu.enough")
    assert (found.found, found.severity) == ("10 vCPUs on 8 CPUs", "error")
    assert "vcpus" in found.remedy
    others = having({"big": domain("big", vcpus=60), "off": domain("off", "52:54:00:99:99:98", vcpus=60)}, "off")
    assert only(seen(uncounted, virsh=others), "cpu.enough").found == "70 vCPUs on 64 CPUs"


def test_too_little_memory_in_all_and_now() -> None:
    little = said(
        "total  :             33554432 KiB\nfree   :             30000000 KiB\nbuffers:                0 KiB\ncached :                0 KiB\n"
    )
    assert "40960 MiB for 3 machines" in only(seen(virsh={"memory": little}), "memory.enough").declared
    full = said(
        "total  :            268435456 KiB\nfree   :              1000000 KiB\nbuffers:                0 KiB\ncached :                0 KiB\n"
    )
    assert "before `up`" in only(seen(virsh={"memory": full}), "memory.enough").remedy
    nodes = plan_with().nodes
    there = having({node.name: made(node) for node in nodes})
    assert not wrong(seen(virsh={"memory": full, **there}))


def test_huge_pages_that_nobody_reserved() -> None:
    plan, there = plan_with(**paged()), {"capabilities": capabilities(cores(0, 63), pages={1048576: 100})}
    assert not wrong(seen(plan, virsh=there))
    few = said("Node 0:\n4KiB: 1\n2048KiB: 0\n1048576KiB: 20\n\nNode 1:\n4KiB: 1\n2048KiB: 0\n1048576KiB: 19\n")
    found = only(seen(plan, virsh={**there, "pages": few}), "memory.hugepages")
    assert (found.declared[:8], found.found) == ("40 pages", "39 free")
    assert "reserve 1 more" in found.remedy


def test_huge_pages_of_the_wrong_numa_node() -> None:
    plan, there = plan_with(**paged(2)), {"capabilities": capabilities(cores(0, 31), cores(32, 63), pages={1048576: 200})}
    assert not wrong(seen(plan, virsh=there))
    far = said("Node 0:\n1048576KiB: 7\n\nNode 1:\n1048576KiB: 100\n")
    found = only(seen(plan, virsh={**there, "pages": far}), "memory.numa")
    assert (found.severity, found.limit) == ("error", "7 pages")


def test_a_pool_that_is_full() -> None:
    found = only(seen(virsh={"pool-state": pool_state(1.5)}), "pool.space")
    assert (found.severity, found.found) == ("error", "1.5 GiB free")
    assert "free or add 0.5 GiB" in found.remedy


def test_what_a_file_system_keeps_for_root_is_not_free() -> None:
    block = 'available 536870912\nNAME="/dev/nvme0n1" TYPE="disk" TRAN="nvme" ROTA="0"'
    found = only(seen(virsh={"pool-state": pool_state(900)}, told={"pool-block": said(block)}), "pool.space")
    assert (found.severity, found.found) == ("error", "0.5 GiB free")


def test_a_pool_that_fills_up_one_day() -> None:
    found = only(seen(virsh={"pool-state": pool_state(100)}), "pool.space")
    assert found.severity == "warning"
    assert "disk.size_gib" in found.remedy


def test_a_logical_pool_needs_all_of_it_at_once() -> None:
    pools = {"pool": {"name": "nvme", "kind": "logical"}, "files_pool": {"name": "default", "kind": "dir"}}
    plan = plan_with(hypervisors={"kvm1": pools}, image={"raw": "images/node-1.36.3/node.raw"})
    files = recorded("first")
    logical = said(
        "<pool type='logical'><name>nvme</name><source><device path='/dev/nvme0n1'/></source><target><path>/dev/nvme</path></target></pool>"
    )
    answers = {"pool": logical, "files-pool": files["pool"], "files-pool-state": pool_state(20), "files-pool-volumes": said("")}
    assert not wrong(seen(plan, virsh={**answers, "pool-state": pool_state(201)}))
    assert only(seen(plan, virsh={**answers, "pool-state": pool_state(199)}), "pool.space").severity == "error"
    assert only(seen(plan, virsh={**answers, "files-pool-state": pool_state(0.001)}), "files-pool.space").severity == "error"


def test_a_pool_that_is_not_there_of_another_kind_or_not_active() -> None:
    gone = refused("Storage pool not found: no storage pool with matching name 'default'")
    assert "managed: true" in only(seen(virsh={"pool": gone, "pool-state": gone}), "pool.state").remedy
    plan = plan_with(hypervisors={"kvm1": {"pool": {"managed": True, "path": "/srv/pool"}}})
    assert not wrong(seen(plan, virsh={"pool": gone, "pool-state": gone}))
    other = said(recorded("first")["pool"].output.replace("type='dir'", "type='iscsi'"))
    assert "iscsi" in only(seen(virsh={"pool": other}), "pool.state").found
    assert "pool-start default" in only(seen(virsh={"pool-state": pool_state(900, "inactive")}), "pool.state").remedy


def test_a_pool_that_is_not_on_nvme() -> None:
    disk = said('NAME="/dev/sda1" TYPE="part" TRAN="" ROTA="1"\nNAME="/dev/sda" TYPE="disk" TRAN="sata" ROTA="1"')
    found = only(seen(told={"pool-block": disk}), "pool.nvme")
    assert (found.found, found.severity) == ("/dev/sda (sata, rotational)", "warning")


LIVED_IN = {
    "tenants": {"db": {"vcpus": 2, "cpus": "60-61", "memory_mib": 512}},
    "drives": {"one": {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 1}, "two": {"kind": "block", "device": "/dev/sda", "size_gib": 1}},
}
GARBLED = (
    "",
    "\0",
    "<pool",
    "error: \n",
    "Node x:\n4KiB: many\n",
    "<a><b/></a>",
    "@@underlay:x@@",
    "9" * 400,
    "²:²\nTotal: ²\nAvailable: 1e9",
    "<vcpu>x</vcpu>",
)


@pytest.mark.parametrize("text", GARBLED)
@pytest.mark.parametrize("code", [0, 1])
def test_no_answer_makes_a_judge_raise_or_everything_look_well(text: str, code: int) -> None:
    plan = plan_with(**merged(paged(), {"workers": {"worker": {"nic": {"driver": "vhost"}}}, "hypervisors": {"kvm1": LIVED_IN}}))
    what = seen(plan)
    answer = said(text, code)
    host, here = what.hosts["kvm1"], operator()
    garbled = Seen(
        plan=plan,
        stack="small",
        hosts={
            "kvm1": replace(
                host,
                virsh={**dict.fromkeys(host.virsh, answer), "domain x": answer, "leases x": answer, "disk x": answer},
                by_shell=dict.fromkeys(host.by_shell, answer),
            )
        },
        operator=replace(here, commands=dict.fromkeys(here.commands, answer), image_kubernetes=text),
    )
    for one in (garbled, replace(garbled, hosts={"kvm1": replace(host, virsh={}, by_shell={})}), replace(garbled, hosts={})):
        found = {finding.id: finding.status for finding in judges.findings(one)}
        assert found["python.packages"] is Status.FAILED
        assert not {Status.PASSED} & {found.get(name) for name in ("host.topology", "host.pages", "host.drives", "memory.hugepages")}
        assert found.get("host.tenants") is not Status.PASSED or text in ("", "\0")
        assert found.get("kvm.boots") is not Status.PASSED
