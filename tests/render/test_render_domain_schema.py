"""The domain's stylesheet, applied by xsltproc to what the provider makes, read by libvirt's own schema."""

import dataclasses
import itertools
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from render_plans import full, lab, node

from lab.plugins.libvirt.domain_xml import Surroundings, VolumeSource, domain_xml
from plan import NodePlan, Plan
from render import domain
from settings.disks import Disk
from settings.forms import parse_cpu_set
from settings.hypervisor import Hypervisor
from settings.machine import Cpu, Nic

Find = Callable[[str], str]
ROOT = {"size_gib": 40, "queues": 4}
FULL, LAB = full(control_plane__disk=ROOT), lab()
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
DRIVES = {
    "fast": {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 894},
    "faster": {"kind": "pci", "address": "0000:c1:1f.7", "size_gib": 894},
    "plain": {"kind": "block", "device": "/dev/disk/by-id/nvme-one", "size_gib": 894},
}
VOLUME = {"kind": "volume", "size_gib": 20, "io": "io_uring", "cache": "writeback", "queues": 2, "queue_size": 256}
DISKS: dict[str, dict[str, Any]] = {
    "volume": VOLUME,
    "nvme": {"kind": "drive", "of": "nvme", "queues": 4, "discard": "ignore"},
    "pci": {"kind": "drive", "of": "pci"},
    "block": {"kind": "drive", "of": "block", "cache": "directsync", "queue_size": 1024},
}


def with_disks(etcd: dict[str, Any] | None, containerd: dict[str, Any] | None, **changes: Any) -> Plan:
    drives = {f"hypervisors__{name}__drives": DRIVES for name in ("kvm-a", "kvm-b", "kvm-c")}
    return full(**{"control_plane__disk": ROOT, **drives, **changes}, control_plane__etcd_disk=etcd, control_plane__containerd_disk=containerd)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)


def written(folder: Path, text: str, name: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def provider_xml(each: NodePlan, domain_type: str) -> str:
    """What the provider makes of what components/machine.py gives it."""
    data = [{"volumeId": disk.purpose} if disk.drive is None else {"blockDevice": disk.drive.place} for disk in domain.attached(each)]
    inputs = {
        "name": each.name, "type": domain_type, "memory": each.memory_mib, "vcpu": each.vcpus, "machine": "q35",
        "kernel": "/k", "initrd": "/i", "cmdlines": [{"_": "ro"}], "cpu": {"mode": each.cpu.mode},
        "disks": [{"volumeId": "v"}, *data], "networkInterfaces": [{"bridge": "br0", "mac": each.mac}],
        "consoles": [{"type": "pty", "targetPort": "0", "targetType": "serial"}], "graphics": {"type": "spice"}, "video": {"type": "qxl"},
    }  # fmt: skip
    volumes = {name: VolumeSource("pool", name, "qcow2") for name in ("v", *(disk.purpose for disk in each.disks))}
    return domain_xml(inputs, Surroundings(volumes=volumes, seed_path="/p/seed.iso", identity="x"))


def machines() -> Iterator[tuple[NodePlan, Hypervisor]]:
    """Every disk kind for each purpose, every policy, CPU mode, page size and driver."""
    for etcd, containerd in itertools.product((None, *DISKS), repeat=2):
        if etcd is None or etcd != containerd or etcd == "volume":  # a hypervisor here has one drive of each kind
            plan = with_disks(DISKS.get(etcd or ""), DISKS.get(containerd or ""))
            yield plan.nodes[0], plan.settings.hypervisors[plan.nodes[0].hypervisor]
    base, host = node(FULL, "cp-1"), FULL.settings.hypervisors["kvm-a"]
    cpus = (Cpu(), Cpu(mode="custom", model="qemu64", features={"sse4.2": "require", "vmx": "disable"}), Cpu(mode="host-model"), Cpu(mode="maximum"))
    plain = Disk(size_gib=10, io_threads=0, io="threads")
    disks = (plain, Disk(size_gib=10, queues=4, queue_size=512), Disk(size_gib=10, io="io_uring", cache="writeback", discard="ignore"))
    nics = (Nic(), Nic(queues=4, driver="vhost", rx_queue_size=1024, tx_queue_size=256))
    drivers = itertools.cycle(itertools.product(disks, nics))
    for cpu, domain_type, hugepages in itertools.product(cpus, ("kvm", "qemu"), (None, "2M", "1G")):
        disk, nic = next(drivers)
        yield dataclasses.replace(base, cpu=cpu, disk=disk, nic=nic, hugepages=hugepages), host.model_copy(update={"domain_type": domain_type})
    floating = {"hypervisors__kvm-a__shared_cpus": "4-7", "hypervisors__kvm-b__shared_cpus": "4-7", "hypervisors__kvm-c__shared_cpus": "4-7"}
    for kind, locked in itertools.product(("dedicated", "shared", "emulated"), (True, False)):
        plan = full(control_plane__cpu_policy={"kind": kind}, control_plane__lock_memory=locked, **floating if kind == "shared" else {})
        yield dataclasses.replace(plan.nodes[0], disk=plain), plan.settings.hypervisors["kvm-a"]


def transformed(each: NodePlan, host: Hypervisor, find: Find, folder: Path, name: str = "domain") -> Path:
    """The domain that libvirt gets: the provider's definition through the stylesheet."""
    sheet = written(folder, domain.domain_xslt(each, host, environment="oslo"), f"{name}.xslt")
    source = written(folder, provider_xml(each, host.domain_type), f"{name}.in.xml")
    answer = run(find("xsltproc"), "--nonet", "--output", str(folder / f"{name}.xml"), sheet, source)
    assert answer.returncode == 0, answer.stderr
    return folder / f"{name}.xml"


def test_libvirts_schema_takes_every_machine(program: Find, tmp_path: Path) -> None:
    if not SCHEMA.exists():
        pytest.skip(f"{SCHEMA} is not here (Debian's libvirt0)")
    made = [transformed(each, host, program, tmp_path, f"m{number}") for number, (each, host) in enumerate(machines())]
    assert len(made) > 50
    answer = run(program("xmllint"), "--noout", "--relaxng", str(SCHEMA), *map(str, made))
    assert answer.returncode == 0, answer.stderr[:2000]
    assert answer.stderr.count("validates") == len(made)


def test_libvirts_schema_refuses_a_machine_that_is_wrong(program: Find, tmp_path: Path) -> None:
    made = transformed(*next(machines()), program, tmp_path)
    made.write_text(made.read_text().replace('name="hpet"', 'name="hpat"'))
    assert run(program("xmllint"), "--noout", "--relaxng", str(SCHEMA), str(made)).returncode != 0


def element(each: NodePlan, host: Hypervisor, find: Find, folder: Path) -> ElementTree.Element:
    return ElementTree.parse(transformed(each, host, find, folder)).getroot()  # noqa: S314 - made here


def attributes(made: ElementTree.Element, path: str) -> dict[str, str]:
    found = made.find(path)
    assert found is not None, path
    return dict(found.attrib)


def test_the_seed_is_a_read_only_virtio_disk_behind_the_root_disk(program: Find, tmp_path: Path) -> None:
    root, seed_disk = element(LAB.nodes[0], LAB.settings.hypervisors["local"], program, tmp_path).findall("devices/disk")
    assert [disk.get("device") for disk in (root, seed_disk)] == ["disk", "disk"]
    assert [disk.find("target").attrib for disk in (root, seed_disk)] == [{"dev": "vda", "bus": "virtio"}, {"dev": "vdb", "bus": "virtio"}]  # pyright: ignore[reportOptionalMemberAccess]
    assert (root.find("readonly") is None, seed_disk.find("readonly") is not None) == (True, True)
    assert root.find("driver").get("cache") == "unsafe"  # pyright: ignore[reportOptionalMemberAccess]
    assert seed_disk.find("driver").get("cache") is None  # pyright: ignore[reportOptionalMemberAccess]


def test_a_pinned_machine_has_a_host_cpu_for_each_vcpu_and_threads_apart_from_them(program: Find, tmp_path: Path) -> None:
    each, host = node(FULL, "cp-1"), FULL.settings.hypervisors["kvm-a"]
    made = element(each, host, program, tmp_path)
    pins = {int(pin.get("vcpu", "")): int(pin.get("cpuset", "")) for pin in made.findall("cputune/vcpupin")}
    assert pins == dict(enumerate(each.own_cpus))
    assert len(set(pins.values())) == each.vcpus
    own = {pin.get("cpuset", "") for kind in ("iothreadpin", "emulatorpin") for pin in made.findall(f"cputune/{kind}")}
    assert [set(parse_cpu_set(cpus)) for cpus in own] == [host.reserved]
    assert not host.reserved & set(pins.values())
    assert len(made.findall("cputune/iothreadpin")) == each.disk.io_threads == int(made.findtext("iothreads", ""))
    assert attributes(made, "numatune/memory") == {"mode": "strict", "nodeset": "0"}
    assert attributes(made, "cpu/topology") == {"sockets": "1", "cores": "4", "threads": "1"}


def test_a_floating_machine_has_all_shared_cpus_for_each_vcpu_and_no_numa_node(program: Find, tmp_path: Path) -> None:
    shared = {f"hypervisors__{name}__shared_cpus": "4-7,12" for name in ("kvm-a", "kvm-b", "kvm-c")}
    plan = full(control_plane__cpu_policy={"kind": "shared"}, **shared)
    made = element(plan.nodes[0], plan.settings.hypervisors["kvm-a"], program, tmp_path)
    assert [pin.get("cpuset") for pin in made.findall("cputune/vcpupin")] == ["4-7,12"] * plan.nodes[0].vcpus
    assert made.find("numatune") is None
    assert made.find("cpu/topology") is None


def test_an_emulated_machine_is_held_to_nothing(program: Find, tmp_path: Path) -> None:
    made = element(LAB.nodes[0], LAB.settings.hypervisors["local"], program, tmp_path)
    for gone in ("cputune", "numatune", "memoryBacking", "iothreads", "cpu/topology"):
        assert made.find(gone) is None, gone


def test_a_domain_says_whose_it_is(program: Find, tmp_path: Path) -> None:
    each, host = node(FULL, "cp-1"), FULL.settings.hypervisors["kvm-a"]
    made = element(each, host, program, tmp_path)
    mark = {"environment": "oslo", "node": "oslo-cp-1", "cpu-policy": "dedicated"}
    assert attributes(made, "metadata/{https://underlay.dev/libvirt/1}machine") == mark


def test_data_disks_keep_their_names_and_serials_whatever_others_there_are(program: Find, tmp_path: Path) -> None:
    for number, (etcd, containerd) in enumerate(itertools.permutations(DISKS, 2)):
        plan = with_disks(DISKS[etcd], DISKS[containerd])
        each = plan.nodes[0]
        path = transformed(each, plan.settings.hypervisors[each.hypervisor], program, tmp_path, f"d{number}")
        made = ElementTree.parse(path).getroot()  # noqa: S314 - made here
        disks = {attributes(disk, "target")["dev"]: disk for disk in made.findall("devices/disk")}
        wanted = {"vdc": etcd, "vdd": containerd}
        assert sorted(disks) == sorted(["vda", "vdb", *(target for target, kind in wanted.items() if kind != "pci")])
        for target, kind in wanted.items():
            if kind != "pci":
                assert disks[target].findtext("serial") == f"underlay-{'etcd' if target == 'vdc' else 'containerd'}"
                assert disks[target].get("type") == kind
        threads = [thread for disk in disks.values() if (thread := attributes(disk, "driver").get("iothread"))]
        assert len(set(threads)) == len(threads)
        assert int(made.findtext("iothreads", "")) == domain.io_threads(each)


def test_whole_drives_are_handed_over_by_their_pci_address(program: Find, tmp_path: Path) -> None:
    plan = with_disks(DISKS["nvme"], DISKS["pci"])
    made = element(plan.nodes[0], plan.settings.hypervisors[plan.nodes[0].hypervisor], program, tmp_path)
    by_qemu = made.find("devices/disk[@type='nvme']")
    assert by_qemu is not None
    assert attributes(by_qemu, "source") == {"type": "pci", "managed": "yes", "namespace": "1"}
    assert attributes(by_qemu, "source/address") == {"domain": "0x0000", "bus": "0x41", "slot": "0x00", "function": "0x0"}
    assert not {"cache", "io"} & attributes(by_qemu, "driver").keys()
    guests = made.find("devices/hostdev")
    assert guests is not None
    assert attributes(guests, "source/address") == {"domain": "0x0000", "bus": "0xc1", "slot": "0x1f", "function": "0x7"}
    there = attributes(guests, "address")
    slot = ":".join(there[part].removeprefix("0x") for part in ("domain", "bus", "slot"))
    found_by = next(disk.guest_device for disk in plan.nodes[0].disks if disk.purpose == "containerd")
    assert f"pci-{slot}.0-nvme-1" in found_by


def test_several_io_threads_of_a_disk_share_its_queues(program: Find, tmp_path: Path) -> None:
    plan = with_disks(VOLUME | {"io_threads": 3}, None, control_plane__disk=ROOT | {"io_threads": 2})
    made = element(plan.nodes[0], plan.settings.hypervisors[plan.nodes[0].hypervisor], program, tmp_path)
    root, etcd = made.findall("devices/disk")[:2]
    assert [thread.get("id") for thread in root.findall("driver/iothreads/iothread")] == ["1", "2"]
    assert [thread.get("id") for thread in etcd.findall("driver/iothreads/iothread")] == ["3", "4", "5"]
    assert "iothread" not in attributes(etcd, "driver"), "libvirt takes one of the two"
    assert made.findtext("iothreads") == "5"
    assert len(made.findall("cputune/iothreadpin")) == 5


def test_a_headless_machine_has_no_screen_no_usb_and_no_balloon(program: Find, tmp_path: Path) -> None:
    made = element(LAB.nodes[0], LAB.settings.hypervisors["local"], program, tmp_path)
    for gone in ("graphics", "video", "sound", "input"):
        assert made.find(f"devices/{gone}") is None
    assert [device.get("model") for device in made.findall("devices/memballoon")] == ["none"]
    assert [device.get("model") for device in made.findall("devices/controller[@type='usb']")] == ["none"]
    assert [device.findtext("backend") for device in made.findall("devices/rng")] == ["/dev/urandom"]
    assert made.find("clock/timer[@name='kvmclock']") is None
