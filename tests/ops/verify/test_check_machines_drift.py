"""Drift of machines: what the stylesheet makes of a plan has none, and each thing that is changed in it is named with both values."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any
from xml.etree import ElementTree

import pytest
from made_nodes import CP, ONE, all_passed, failures, plan_of, said, seen, statuses, unreachable

from lab.plugins.libvirt.domain_xml import Surroundings, VolumeSource, domain_xml
from ops.verify.checks import machines_drift
from ops.verify.model import Said, Seen, Status
from plan import NodePlan, Plan
from render import domain

pytestmark = pytest.mark.skipif(shutil.which("xsltproc") is None, reason="no xsltproc")
(DRIFT,) = machines_drift.CHECKS
Change = Callable[[ElementTree.Element], object]
TOPOLOGY = {"numa": [{"threads": ["0-31", "32-63"], "memory_mib": 262144, "hugepages": {"1G": 128}}]}
DRIVES = {
    "fast": {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 894},
    "faster": {"kind": "pci", "address": "0000:c1:1f.7", "size_gib": 894},
    "plain": {"kind": "block", "device": "/dev/disk/by-id/nvme-one", "size_gib": 894},
}
RICH = plan_of(
    hypervisors={"kvm1": {"topology": TOPOLOGY, "reserved_cpus": "0-1,32-33", "shared_cpus": "2-9,34-41", "drives": DRIVES}},
    control_plane={
        "vcpus": 4,
        "hugepages": "1G",
        "lock_memory": True,
        "cpu": {"mode": "custom", "model": "EPYC", "features": {"pdpe1gb": "require", "svm": "disable"}},
        "disk": {"io_threads": 2, "queues": 2, "io": "io_uring", "queue_size": 512},
        "nic": {"queues": 4, "driver": "vhost", "rx_queue_size": 1024, "tx_queue_size": 256},
        "etcd_disk": {"kind": "drive", "of": "nvme", "queues": 4},
        "containerd_disk": {"kind": "volume", "size_gib": 50, "cache": "directsync"},
    },
    workers={
        "worker": {
            "count": 1,
            "vcpus": 3,
            "cpu": {"mode": "host-model", "features": {"pdpe1gb": "require"}},
            "containerd_disk": {"kind": "drive", "of": "pci"},
        },
        "edge": {
            "count": 1,
            "vcpus": 2,
            "memory_mib": 4096,
            "disk": {"size_gib": 20, "io_threads": 0, "io": "threads", "cache": "unsafe"},
            "cpu_policy": {"kind": "shared"},
            "first_host": 61,
            "containerd_disk": {"kind": "drive", "of": "block"},
        },
    },
)
EMULATED = plan_of(
    hypervisors={"kvm1": {"domain_type": "qemu", "topology": None, "reserved_cpus": None}},
    control_plane={"cpu_policy": {"kind": "emulated"}, "cpu": {"mode": "maximum"}},
    workers={"worker": {"cpu_policy": {"kind": "emulated"}, "cpu": {"mode": "maximum"}}},
)
EDGE = "small-edge-1"


@cache
def defined(name: str, *, emulated: bool = False) -> str:
    """What libvirt gets of a machine: the provider's definition through the stylesheet."""
    plan = EMULATED if emulated else RICH
    node = next(node for node in plan.nodes if node.name == name)
    host = plan.settings.hypervisors["kvm1"]
    source = provider_xml(node, host.domain_type, host.pool.name)
    sheet = domain.domain_xslt(node, host, environment=plan.settings.name)
    command = ["sh", "-c", 'sheet=$(mktemp) && trap "rm -f $sheet" EXIT && printf %s "$1" >"$sheet" && xsltproc --nonet "$sheet" -', "sh", sheet]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def provider_xml(node: NodePlan, domain_type: str, pool: str) -> str:
    """What the provider makes of what components/machine.py gives it."""
    attached = domain.attached(node)
    data = [{"volumeId": disk.volume} if disk.drive is None else {"blockDevice": disk.drive.place} for disk in attached]
    inputs = {
        "name": node.name,
        "type": domain_type,
        "memory": node.memory_mib,
        "vcpu": node.vcpus,
        "machine": "q35",
        "cpu": {"mode": node.cpu.mode},
        "disks": [{"volumeId": node.root_volume}, *data],
        "networkInterfaces": [{"bridge": "br0", "mac": node.mac}],
    }
    names = (node.root_volume, *(disk.volume for disk in attached if disk.volume))
    return domain_xml(
        inputs, Surroundings(volumes={name: VolumeSource(pool, name, "qcow2") for name in names}, seed_path="/p/seed.iso", identity="x")
    )


def with_machines(plan: Plan = RICH, /, **changed: str) -> Seen:
    """The only hypervisor's answers; keywords are nodes with _ for -."""
    answers: dict[str, Said] = {}
    for node in plan.nodes:
        text = changed.get(node.name.replace("-", "_")) or defined(node.name, emulated=plan is EMULATED)
        answers[f"dumpxml {node.name}"] = said(text)
    return seen(plan=plan, hypervisors={"kvm1": answers})


def otherwise(name: str, change: Change, *, emulated: bool = False) -> str:
    root = ElementTree.fromstring(defined(name, emulated=emulated))  # noqa: S314 - made here
    change(root)
    return ElementTree.tostring(root, encoding="unicode")


def sets(path: str, **attributes: str) -> Change:
    """Attributes of an element; an empty value takes one away."""

    def change(root: ElementTree.Element) -> None:
        element = root.find(path)
        assert element is not None, path
        for name, value in attributes.items():
            key = name.rstrip("_")
            element.attrib.pop(key, None)
            if value:
                element.set(key, value)

    return change


def without(path: str) -> Change:
    def change(root: ElementTree.Element) -> None:
        parents = {child: parent for parent in root.iter() for child in parent}
        gone = root.findall(path)
        assert gone, path
        for element in gone:
            parents[element].remove(element)

    return change


def having(path: str, text: str) -> Change:
    def change(root: ElementTree.Element) -> None:
        element = root.find(path)
        assert element is not None, path
        element.append(ElementTree.fromstring(text))  # noqa: S314 - made here

    return change


@pytest.mark.parametrize("plan", [RICH, EMULATED], ids=["rich", "emulated"])
def test_machines_as_they_are_rendered_have_not_drifted(plan: Plan) -> None:
    assert all_passed(DRIFT, with_machines(plan))
    assert list(DRIFT.virsh(plan, "kvm1")) == [f"dumpxml {node.name}" for node in plan.nodes]


ROOT_DISK = "devices/disk[1]"
CHANGES: Mapping[str, tuple[str, Change, str]] = {
    "vcpus": (CP, lambda root: setattr(root.find("vcpu"), "text", "6"), "6 vCPUs, declared 4"),
    "hot-plugged": (CP, sets("vcpu", current="2"), "2 vCPUs, declared 4"),
    "memory": (CP, lambda root: setattr(root.find("memory"), "text", "4096"), "memory is 4096 MiB, declared 8192 MiB"),
    "pin": (CP, sets("cputune/vcpupin[2]", cpuset="63"), "vCPU 1 on 63, declared 42"),
    "no pin": (CP, without("cputune/vcpupin[1]"), "vCPU 0 on any CPU, declared 10"),
    "no pins": (CP, without("cputune"), "vCPU 3 on any CPU, declared 43"),
    "wider": (EDGE, sets("cputune/vcpupin[1]", cpuset="0-63,^9"), "vCPU 0 on 0-63,^9, declared 2-9,34-41"),
    "emulator": (CP, sets("cputune/emulatorpin", cpuset="0-63"), "QEMU's own threads on 0-63, declared 0-1,32-33"),
    "emulator of none": (EDGE, without("cputune/emulatorpin"), "QEMU's own threads on any CPU, declared 0-1,32-33"),
    "io thread": (CP, without("cputune/iothreadpin[2]"), "I/O thread 2 on any CPU, declared 0-1,32-33"),
    "numa": (CP, sets("numatune/memory", nodeset="1"), "memory is bound to NUMA node 1 (strict), declared NUMA node 0 (strict)"),
    "numa mode": (CP, sets("numatune/memory", mode="preferred"), "memory is bound to NUMA node 0 (preferred), declared NUMA node 0 (strict)"),
    "no numa": (CP, without("numatune"), "memory is bound to none, declared NUMA node 0 (strict)"),
    "numa of none": (EDGE, having(".", "<numatune><memory mode='strict' nodeset='0'/></numatune>"), "NUMA node 0 (strict), declared none"),
    "pages": (CP, sets("memoryBacking/hugepages/page", size="2048"), "huge pages of 2048 KiB, declared 1048576"),
    "pages in another unit": (CP, sets("memoryBacking/hugepages/page", size="2", unit="MiB"), "huge pages of 2048 KiB, declared 1048576"),
    "no pages": (CP, without("memoryBacking/hugepages"), "huge pages of no KiB, declared 1048576"),
    "pages of none": (ONE, having("memoryBacking", "<hugepages><page size='1' unit='G'/></hugepages>"), "pages of 1048576 KiB, declared none"),
    "not locked": (CP, without("memoryBacking/locked"), "memory is not locked, declared locked"),
    "locked": (EDGE, having("memoryBacking", "<locked/>"), "memory is locked, declared not locked"),
    "cpu mode": (CP, sets("cpu", mode="host-passthrough"), "CPU mode is host-passthrough, declared custom"),
    "cpu model": (CP, lambda root: setattr(root.find("cpu/model"), "text", "Nehalem"), "CPU model is Nehalem, declared EPYC"),
    "feature": (CP, without("cpu/feature[@name='pdpe1gb']"), "CPU feature pdpe1gb is unset, declared require"),
    "feature's policy": (CP, sets("cpu/feature[@name='svm']", policy="optional"), "CPU feature svm is optional, declared disable"),
    "topology": (CP, sets("cpu/topology", threads="1", cores="4"), "CPU topology's cores is 4, declared 2; CPU topology's threads is 1, declared 2"),
    "no topology": (CP, without("cpu/topology"), "CPU topology's sockets is unset, declared 1"),
    "cache": (CP, sets(f"{ROOT_DISK}/driver", cache="writeback"), "disk's cache is writeback, declared none"),
    "io": (CP, sets(f"{ROOT_DISK}/driver", io="threads"), "disk's io is threads, declared io_uring"),
    "discard": (CP, sets(f"{ROOT_DISK}/driver", discard=""), "disk's discard is unset, declared unmap"),
    "queues": (CP, sets(f"{ROOT_DISK}/driver", queues="1"), "disk's queues is 1, declared 2"),
    "queue size": (CP, sets(f"{ROOT_DISK}/driver", queue_size=""), "disk's queue_size is unset, declared 512"),
    "bus": (CP, sets(f"{ROOT_DISK}/target", bus="sata"), "disk is on bus sata, expected virtio"),
    "threads of a disk": (CP, without(f"{ROOT_DISK}/driver/iothreads"), "disk has no I/O threads, declared 2"),
    "a thread of none": (EDGE, sets(f"{ROOT_DISK}/driver", iothread="1"), "disk has 1 I/O threads, declared 0"),
    "threads in all": (CP, lambda root: setattr(root.find("iothreads"), "text", "1"), "1 I/O threads in all, declared 4"),
    "no threads": (CP, without("iothreads"), "no I/O threads in all, declared 4"),
    "shared thread": (CP, sets("devices/disk[@type='nvme']/driver", iothread="1"), "I/O thread 1 serves several disks, declared one"),
    "of another kind": (CP, sets(ROOT_DISK, type_="network"), "disk is of type network, expected file or volume"),
    "of another pool": (CP, sets(f"{ROOT_DISK}/source", pool="slow"), "disk is in pool slow, declared default"),
    "another volume": (CP, sets(f"{ROOT_DISK}/source", volume="copy"), "disk is copy, declared volume small-cp-1-root"),
    "data disk gone": (CP, without("devices/disk[@type='nvme']"), "etcd disk vdc is not there"),
    "another drive": (
        CP,
        sets("devices/disk[@type='nvme']/source/address", bus="0x42"),
        "etcd disk is nvme 0000:42:00.0, declared nvme 0000:41:00.0",
    ),
    "data disk's queues": (CP, sets("devices/disk[@type='nvme']/driver", queues="1"), "etcd disk's queues is 1, declared 4"),
    "data disk's volume": (
        CP,
        lambda root: data_source(root, "vdd").set("volume", "x"),
        "containerd disk is x, declared volume small-cp-1-containerd",
    ),
    "data disk's serial": (CP, lambda root: setattr(data(root, "vdd").find("serial"), "text", "y"), "containerd disk's serial is y, declared"),
    "not passed through": (ONE, without("devices/hostdev"), "containerd disk: PCI device 0000:c1:1f.7 is not passed through, declared drive faster"),
    "block device": (
        EDGE,
        lambda root: data_source(root, "vdd").set("dev", "/dev/sda"),
        "is block /dev/sda, declared block /dev/disk/by-id/nvme-one",
    ),
    "nic": (CP, without("devices/interface/driver"), "NIC's name is unset, declared vhost"),
    "nic's queues": (CP, sets("devices/interface/driver", queues=""), "NIC's queues is unset, declared 4"),
    "nic's ring": (CP, sets("devices/interface/driver", rx_queue_size="256"), "NIC's rx_queue_size is 256, declared 1024"),
    "nic's other ring": (CP, sets("devices/interface/driver", tx_queue_size=""), "NIC's tx_queue_size is unset, declared 256"),
    "queues of none": (EDGE, having("devices/interface", "<driver queues='2'/>"), "NIC's queues is 2, declared 1"),
    "balloon": (CP, sets("devices/memballoon", model="virtio"), "memory balloon is virtio, declared none"),
    "no mark": (CP, without("metadata"), "mark's environment is unset, declared small"),
    "another's mark": (CP, sets("metadata/{https://underlay.dev/libvirt/1}machine", environment="big"), "mark's environment is big, declared small"),
}


def data(root: ElementTree.Element, target: str) -> ElementTree.Element:
    return next(disk for disk in root.findall("devices/disk") if (found := disk.find("target")) is not None and found.get("dev") == target)


def data_source(root: ElementTree.Element, target: str) -> ElementTree.Element:
    source = data(root, target).find("source")
    assert source is not None
    return source


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_changed_is_named_with_both_values(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines_drift, "MOST", 100)
    where, change, words = CHANGES[name]
    problems = failures(DRIFT, with_machines(**{where.replace("-", "_"): otherwise(where, change)}))
    assert list(problems) == [where]
    assert words in problems[where]


def test_pins_of_an_emulated_machine_are_drift_too() -> None:
    change = having(".", "<cputune><vcpupin vcpu='0' cpuset='3'/></cputune>")
    assert failures(DRIFT, with_machines(EMULATED, small_cp_1=otherwise(CP, change, emulated=True))) == {CP: "vCPU 0 on 3, declared any CPU"}


def test_a_running_host_model_is_written_out_by_libvirt() -> None:
    """dumpxml of a running machine shows the custom model that host-model has become; what that model has by itself is not named."""
    live = without("cpu/feature")

    def written_out(policy: str) -> Change:
        def change(root: ElementTree.Element) -> None:
            live(root)
            sets("cpu", mode="custom", match="exact", check="full")(root)
            having("cpu", "<model fallback='forbid'>EPYC-Milan</model>")(root)
            if policy:
                having("cpu", f"<feature policy='{policy}' name='pdpe1gb'/>")(root)

        return change

    assert failures(DRIFT, with_machines(small_worker_1=otherwise(ONE, written_out("")))) == {}
    assert failures(DRIFT, with_machines(small_worker_1=otherwise(ONE, written_out("require")))) == {}
    assert failures(DRIFT, with_machines(small_worker_1=otherwise(ONE, written_out("disable")))) == {
        ONE: "CPU feature pdpe1gb is disable, declared require"
    }


def test_many_differences_are_counted() -> None:
    changed = otherwise(CP, without("cputune"))
    (words,) = failures(DRIFT, with_machines(small_cp_1=changed)).values()
    assert words.endswith("; and 3 more")
    assert words.count(";") == machines_drift.MOST


@pytest.mark.parametrize("text", ["", "<domain/>", "<domain><devices><disk/></devices></domain>", "error: gone", "<pool/>", "\0"])
def test_what_is_no_definition_is_not_checked(text: str) -> None:
    what = with_machines()
    answers: dict[str, Any] = {**what.hypervisors["kvm1"], f"dumpxml {CP}": said(text)}
    assert statuses(DRIFT, replace(what, hypervisors={"kvm1": answers}))[CP] is Status.NOT_CHECKED
    silent = dict.fromkeys(answers, unreachable())
    assert set(statuses(DRIFT, replace(what, hypervisors={"kvm1": silent})).values()) == {Status.NOT_CHECKED}
    assert set(statuses(DRIFT, seen(plan=RICH)).values()) == {Status.NOT_CHECKED}
