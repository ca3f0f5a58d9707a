"""The domain's stylesheet, applied by xsltproc to what the provider makes, read by libvirt's own schema."""

import dataclasses
import itertools
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from render_plans import full, lab, node

from lab.plugins.libvirt.domain_xml import Surroundings, VolumeSource, domain_xml
from plan import NodePlan
from render import domain
from settings.hypervisor import Hypervisor
from settings.machine import Cpu, Disk, Nic

Find = Callable[[str], str]
FULL, LAB = full(), lab()
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)


def written(folder: Path, text: str, name: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def provider_xml(each: NodePlan, domain_type: str) -> str:
    inputs = {
        "name": each.name, "type": domain_type, "memory": each.memory_mib, "vcpu": each.vcpus, "machine": "q35",
        "kernel": "/k", "initrd": "/i", "cmdlines": [{"_": "ro"}], "cpu": {"mode": each.cpu.mode},
        "disks": [{"volumeId": "v"}], "networkInterfaces": [{"bridge": "br0", "mac": each.mac}],
        "consoles": [{"type": "pty", "targetPort": "0", "targetType": "serial"}], "graphics": {"type": "spice"}, "video": {"type": "qxl"},
    }  # fmt: skip
    around = Surroundings(volumes={"v": VolumeSource("pool", "root", "qcow2")}, seed_path="/p/seed.iso", identity="x")
    return domain_xml(inputs, around)


def machines() -> Iterator[tuple[NodePlan, Hypervisor]]:
    base, host = node(FULL, "cp-1"), FULL.settings.hypervisors["kvm-a"]
    cpus = (Cpu(), Cpu(mode="custom", model="qemu64"), Cpu(mode="host-model"))
    plain = Disk(size_gib=10, io_threads=0, io="threads")
    disks = (plain, Disk(size_gib=10, io_threads=2, queues=4), Disk(size_gib=10, io="io_uring", cache="writeback", discard="ignore"))
    nics = (Nic(), Nic(queues=4, driver="vhost", rx_queue_size=1024))
    for cpu, disk, nic, domain_type, hugepages, pinned in itertools.product(cpus, disks, nics, ("kvm", "qemu"), (None, "2M", "1G"), (True, False)):
        pins = base.cpu_pins if pinned else ()
        changes = {"domain_type": domain_type, "hugepages": hugepages, **({} if pinned else {"machine_cpus": None, "emulator_cpus": None})}
        yield dataclasses.replace(base, cpu=cpu, disk=disk, nic=nic, cpu_pins=pins), host.model_copy(update=changes)


def transformed(each: NodePlan, host: Hypervisor, find: Find, folder: Path, name: str = "domain") -> Path:
    """The domain that libvirt gets: the provider's definition through the stylesheet."""
    sheet = written(folder, domain.domain_xslt(each, host), f"{name}.xslt")
    source = written(folder, provider_xml(each, host.domain_type), f"{name}.in.xml")
    answer = run(find("xsltproc"), "--nonet", "--output", str(folder / f"{name}.xml"), sheet, source)
    assert answer.returncode == 0, answer.stderr
    return folder / f"{name}.xml"


def test_libvirts_schema_takes_every_machine(program: Find, tmp_path: Path) -> None:
    if not SCHEMA.exists():
        pytest.skip(f"{SCHEMA} is not here (Debian's libvirt0)")
    made = [transformed(each, host, program, tmp_path, f"m{number}") for number, (each, host) in enumerate(machines())]
    assert len(made) == 216
    answer = run(program("xmllint"), "--noout", "--relaxng", str(SCHEMA), *map(str, made))
    assert answer.returncode == 0, answer.stderr[:2000]
    assert answer.stderr.count("validates") == len(made)


def test_libvirts_schema_refuses_a_machine_that_is_wrong(program: Find, tmp_path: Path) -> None:
    made = transformed(*next(machines()), program, tmp_path)
    made.write_text(made.read_text().replace('name="hpet"', 'name="hpat"'))
    assert run(program("xmllint"), "--noout", "--relaxng", str(SCHEMA), str(made)).returncode != 0


def element(each: NodePlan, host: Hypervisor, find: Find, folder: Path) -> ElementTree.Element:
    return ElementTree.parse(transformed(each, host, find, folder)).getroot()  # noqa: S314 - made here


def test_the_seed_is_a_read_only_virtio_disk_behind_the_root_disk(program: Find, tmp_path: Path) -> None:
    root, seed_disk = element(LAB.nodes[0], LAB.settings.hypervisors["local"], program, tmp_path).findall("devices/disk")
    assert [disk.get("device") for disk in (root, seed_disk)] == ["disk", "disk"]
    assert [disk.find("target").attrib for disk in (root, seed_disk)] == [{"dev": "vda", "bus": "virtio"}, {"dev": "vdb", "bus": "virtio"}]  # pyright: ignore[reportOptionalMemberAccess]
    assert (root.find("readonly") is None, seed_disk.find("readonly") is not None) == (True, True)
    assert root.find("driver").get("cache") == "unsafe"  # pyright: ignore[reportOptionalMemberAccess]
    assert seed_disk.find("driver").get("cache") is None  # pyright: ignore[reportOptionalMemberAccess]


def test_a_pinned_machine_has_a_host_cpu_for_each_vcpu_and_threads_apart_from_them(program: Find, tmp_path: Path) -> None:
    each, host = node(FULL, "cp-1"), FULL.settings.hypervisors["kvm-a"]
    domain_element = element(each, host, program, tmp_path)
    pins = {int(pin.get("vcpu", "")): int(pin.get("cpuset", "")) for pin in domain_element.findall("cputune/vcpupin")}
    assert pins == dict(enumerate(each.cpu_pins))
    assert len(set(pins.values())) == each.vcpus
    assert {pin.get("cpuset") for pin in domain_element.findall("cputune/iothreadpin")} == {host.emulator_cpus}
    assert len(domain_element.findall("cputune/iothreadpin")) == each.disk.io_threads == int(domain_element.findtext("iothreads", ""))
    assert domain_element.findtext("cpu/model") is None


def test_a_headless_machine_has_no_screen_no_usb_and_no_balloon(program: Find, tmp_path: Path) -> None:
    made = element(LAB.nodes[0], LAB.settings.hypervisors["local"], program, tmp_path)
    for gone in ("graphics", "video", "sound", "input"):
        assert made.find(f"devices/{gone}") is None
    assert [device.get("model") for device in made.findall("devices/memballoon")] == ["none"]
    assert [device.get("model") for device in made.findall("devices/controller[@type='usb']")] == ["none"]
    assert [device.findtext("backend") for device in made.findall("devices/rng")] == ["/dev/urandom"]
    assert made.find("clock/timer[@name='kvmclock']") is None
