"""Machines that the product places on two hypervisors of a lab, by the real engine on real libvirt; they have nothing to boot."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from lab import down, drives, hypervisor, stackfile
from lab.network import LabNetwork
from lab.places import CHECKOUT, Lab, LibvirtHost
from lab.process import run
from lab.progress import Progress
from plan import DiskPlan, NodePlan, Plan, make
from settings import load
from settings.disks import DiskDriver
from settings.forms import parse_cpu_set
from tests.plugins.pulumi_project import Project, engine

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(engine() is None, reason="no pulumi CLI"),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="pins need two CPUs"),
]
NETWORK = LabNetwork(bridge="br0", gateway=IPv4Interface("10.77.0.1/24"), pods=IPv4Network("192.168.0.0/16"))
TOPOLOGY = {"numa": [{"threads": ["0-1"], "memory_mib": 65536}]}
EMULATED = {"kind": "emulated"}
PROGRAM = """
import json, pathlib, sys
sys.path.insert(0, {checkout!r})
from components.hypervisor import Hypervisor, HypervisorArgs
from components.machine import Machine, MachineArgs
from plan import make
from settings import load

plan = make(load(json.loads(pathlib.Path({environment!r}).read_text())))
hosts = {{key: Hypervisor(f"{{plan.settings.name}}-{{key}}", HypervisorArgs(plan=plan, key=key))
         for key in plan.settings.hypervisors if plan.nodes_on(key)}}
for node in plan.nodes:
    Machine(node.name, MachineArgs(plan=plan, node=node, hypervisor=hosts[node.hypervisor], authorized_key="ssh-ed25519 AAAA", after=[]))
"""


class Two:
    """A lab with the hypervisors west and east, each with a block drive."""

    def __init__(self, folder: Path) -> None:
        self.lab = Lab(name="test-two")
        self.folder = folder
        self.hosts = {"west": self.lab.first, "east": LibvirtHost(lab=self.lab, key="east")}
        self.image = folder / "image.qcow2"
        run(["qemu-img", "create", "-q", "-f", "qcow2", self.image, "32M"])
        self.projects: dict[str, Project] = {}

    def drive(self, key: str) -> drives.LoopDrive:
        """The block drive of a hypervisor."""
        return drives.LoopDrive(lab=self.lab, hypervisor=key, name="nvme1", size_gib=1)

    def plan(self, name: str, of_hosts: dict[str, dict[str, Any]], workers: dict[str, dict[str, Any]], octet: int) -> Plan:
        """The plan of an environment on both hypervisors; its control plane is emulated and has a disk for etcd."""
        declared = stackfile.declared(self.lab, "lab")
        plain = declared["hypervisors"]["local"]
        shape = {**declared["workers"]["worker"], "cpu_policy": EMULATED, "count": 1}
        found = {
            **declared,
            "name": name,
            "network": {"cidr": f"10.77.{octet}.0/24", "gateway": f"10.77.{octet}.1", "dns": [f"10.77.{octet}.1"]},
            "cluster": {**declared["cluster"], "endpoint": {"address": f"10.77.{octet}.10"}},
            "pod_network": {"kind": "external", "cidr": "192.168.0.0/16"},
            "image": {"source": str(self.image)},
            "hypervisors": {
                key: {
                    **plain,
                    "uri": host.uri,
                    "pool": {"name": f"{name}-pool", "kind": "dir", "managed": True, "path": str(host.pool_dir / name)},
                    "topology": TOPOLOGY,
                    **of_hosts[key],
                }
                for key, host in self.hosts.items()
            },
            "control_plane": {**declared["control_plane"], "etcd_disk": volume(), "placement": ["west"]},
            "workers": {pool: {**shape, "first_host": 21 + 10 * number, **changes} for number, (pool, changes) in enumerate(workers.items())},
        }
        plan = make(load(found))
        (self.folder / f"{name}.json").write_text(json.dumps(found))
        return plan

    def project(self, name: str) -> Project:
        """The environment's project; its program is the product's components."""
        if name not in self.projects:
            self.projects[name] = Project(self.folder / name, name=name)
        self.projects[name].write(PROGRAM.format(checkout=str(CHECKOUT), environment=str(self.folder / f"{name}.json")))
        return self.projects[name]

    def virsh(self, key: str, *words: str) -> str:
        """What a hypervisor itself says."""
        return run(["virsh", "-q", "-c", self.hosts[key].uri, *words])

    def running(self, key: str) -> set[str]:
        """Names of the domains that run there."""
        return set(self.virsh(key, "list", "--name").split())


def volume() -> dict[str, Any]:
    return {"kind": "volume", "size_gib": 1, "cache": "none", "io": "io_uring", "io_threads": 1, "queues": 2, "queue_size": 256}


def own(**changes: Any) -> dict[str, Any]:
    """Dedicated workers of one vCPU, whose root disk is tuned."""
    disk = {"size_gib": 4, "cache": "directsync", "io": "native", "io_threads": 1, "queues": 1, "queue_size": 128, "discard": "ignore"}
    return {"cpu_policy": {"kind": "dedicated"}, "vcpus": 1, "disk": disk, **changes}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Two hypervisors, and nothing on them yet."""
    two = Two(tmp_path_factory.mktemp("two"))
    assert down.down(two.lab, Progress.quiet()) == 0
    try:
        hypervisor.start(two.lab, NETWORK, tuple(two.hosts.values()))
        for key in two.hosts:
            drives.make(two.drive(key))
        yield two
    finally:
        assert down.down(two.lab, Progress.quiet()) == 0
        assert down.remains(two.lab) == []


@pytest.fixture(scope="module")
def spread(two: Two) -> Plan:
    """An environment of two dedicated workers and a control plane, up; the east has a CPU of its own for emulators, the west has not."""
    block = {key: {"drives": {"nvme1": {"kind": "block", "device": str(two.drive(key).link), "size_gib": 1}}} for key in two.hosts}
    host = {"west": block["west"], "east": {**block["east"], "reserved_cpus": "0"}}
    drive = {"kind": "drive", "of": "block", "cache": "none", "io": "native", "io_threads": 1, "queue_size": 512}
    plan = two.plan("spread", host, {"own": own(count=2, containerd_disk=drive)}, 0)
    two.project("spread").up()
    return plan


def pins(said: str) -> dict[int, set[int]]:
    """Lines of `virsh vcpupin` and `virsh iothreadinfo`: a number and a CPU set."""
    return {int(words[0]): set(parse_cpu_set(words[1])) for words in map(str.split, said.splitlines()) if len(words) == 2}


def allowed(process: int) -> dict[str, set[int]]:
    """The CPUs that the kernel gives to each thread of a QEMU, by the thread's name."""
    found = dict[str, set[int]]()
    for task in Path(f"/proc/{process}/task").iterdir():
        line = next(line for line in (task / "status").read_text().splitlines() if line.startswith("Cpus_allowed_list:"))
        found[(task / "comm").read_text().strip()] = set(parse_cpu_set(line.split()[1]))
    return found


def process_of(two: Two, node: NodePlan) -> int:
    return int((two.hosts[node.hypervisor].socket_dir / "qemu" / f"{node.name}.pid").read_text())


def options(driver: DiskDriver) -> dict[str, str]:
    """What the definition of a running domain must say of a disk's driver."""
    wanted = {"cache": driver.cache, "io": driver.io, "discard": driver.discard, "queues": str(driver.queues)}
    return {**wanted, **({"queue_size": str(driver.queue_size)} if driver.queue_size else {})}


def driven(two: Two, node: NodePlan) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Driver's attributes and source of each disk of the running domain, by its target."""
    xml = ElementTree.fromstring(two.virsh(node.hypervisor, "dumpxml", node.name))  # noqa: S314 - libvirt's own words
    found = dict[str, tuple[dict[str, str], dict[str, str]]]()
    for disk in xml.iterfind("devices/disk"):
        target, driver, source = (disk.find(name) for name in ("target", "driver", "source"))
        assert target is not None
        assert driver is not None
        assert source is not None
        found[target.get("dev", "")] = (dict(driver.attrib), dict(source.attrib))
    return found


def test_a_stack_spreads_over_both_hypervisors_as_planned(two: Two, spread: Plan) -> None:
    assert {key: {node.name for node in spread.nodes_on(key)} for key in two.hosts} == {key: two.running(key) for key in two.hosts}
    assert {node.hypervisor for node in spread.nodes if node.node_set == "own"} == set(two.hosts)
    again = two.project("spread").planned()
    assert again == {}


def test_vcpus_emulator_and_io_threads_are_where_the_plan_has_them_and_the_kernel_keeps_them_there(two: Two, spread: Plan) -> None:
    every, dedicated = os.sched_getaffinity(0), [node for node in spread.nodes if node.cpu_policy == "dedicated"]
    assert {bool(node.emulator_cpus) for node in dedicated} == {True, False}
    for node in dedicated:
        threads = node.disk.io_threads + sum(disk.driver.io_threads for disk in node.disks if disk.driver)
        emulator = set(node.emulator_cpus) or every
        assert pins(two.virsh(node.hypervisor, "vcpupin", node.name)) == {number: set(cpus) for number, cpus in enumerate(node.vcpu_pins)}
        assert pins(two.virsh(node.hypervisor, "iothreadinfo", node.name)) == {number + 1: emulator for number in range(threads)}
        assert set(parse_cpu_set(two.virsh(node.hypervisor, "emulatorpin", node.name).split()[-1])) == emulator
        kernel = allowed(process_of(two, node))
        vcpus = {name: cpus for name, cpus in kernel.items() if name.startswith("CPU ")}
        assert list(vcpus.values()) == [set(cpus) for cpus in node.vcpu_pins]
        assert all(cpus == emulator for name, cpus in kernel.items() if name not in vcpus), kernel
        assert f"numa_nodeset   : {node.numa_node}" in two.virsh(node.hypervisor, "numatune", node.name)


def test_an_emulated_machine_is_pinned_nowhere(two: Two, spread: Plan) -> None:
    node = spread.control_planes[0]
    every = os.sched_getaffinity(process_of(two, node))
    assert all(cpus == every for cpus in allowed(process_of(two, node)).values())
    assert len(every) >= 2


def test_each_disk_is_driven_as_declared_by_an_io_thread_of_its_own(two: Two, spread: Plan) -> None:
    for node in spread.nodes:
        found = driven(two, node)
        disks: list[tuple[str, DiskDriver]] = [("vda", node.disk), *((disk.target or "", disk.driver) for disk in node.disks if disk.driver)]
        for target, driver in disks:
            attributes, _ = found[target]
            assert options(driver).items() <= attributes.items()
            assert ("iothread" in attributes) == (driver.io_threads > 0)
        own_threads = [attributes["iothread"] for attributes, _ in found.values() if "iothread" in attributes]
        assert len(set(own_threads)) == len(own_threads)


def data_disk(node: NodePlan) -> DiskPlan:
    return node.disks[0]


def test_a_volume_and_a_whole_drive_are_what_the_domain_has(two: Two, spread: Plan) -> None:
    control_plane, worker = spread.control_planes[0], next(node for node in spread.nodes if node.hypervisor == "east")
    for node, wanted in ((control_plane, data_disk(control_plane).volume), (worker, str(two.drive("east").link))):
        attributes, source = driven(two, node)[data_disk(node).target or ""]
        assert wanted in (source.get("volume"), source.get("dev"), Path(source.get("file", "")).name), source
        assert attributes["type"] == ("qcow2" if node is control_plane else "raw")
    assert subprocess.run(["blkid", "-p", str(two.drive("east").link)], check=False, capture_output=True).returncode == 2, "it has been written to"


def neighbour(two: Two, west: dict[str, Any]) -> Plan:
    """A second environment: a dedicated worker in the west, a shared one in the east."""
    east = {"shared_cpus": "0", "tenants": {"spread-own-2": {"vcpus": 1, "cpus": "1", "memory_mib": 1536}}}
    shared = {"cpu_policy": {"kind": "shared"}, "vcpus": 1, "placement": ["east"]}
    return two.plan("other", {"west": west, "east": east}, {"own": own(placement=["west"]), "float": shared}, 1)


@pytest.mark.usefixtures("spread")
def test_a_second_stack_that_knows_of_no_tenant_is_refused_before_anything_is_made(two: Two) -> None:
    before = {key: two.virsh(key, "list", "--all", "--name") + two.virsh(key, "pool-list", "--all", "--name") for key in two.hosts}
    plan = neighbour(two, {})
    assert next(node for node in plan.nodes if node.node_set == "own").own_cpus == (0,)
    outcome = two.project("other").run("preview")
    assert outcome.code != 0
    said = set(re.findall(r"\S+ cannot be made on .*", outcome.text))
    assert len(said) == 1, outcome.text
    assert "other-own-1 cannot be made on west: CPUs 0 are of domain spread-own-1" in next(iter(said))
    assert "ops hypervisor describe" in next(iter(said))
    after = {key: two.virsh(key, "list", "--all", "--name") + two.virsh(key, "pool-list", "--all", "--name") for key in two.hosts}
    assert after == before


def test_a_second_stack_with_tenants_recorded_gets_other_cores(two: Two, spread: Plan) -> None:
    tenant = next(node for node in spread.nodes if node.node_set == "own" and node.hypervisor == "west")
    recorded = {tenant.name: {"vcpus": tenant.vcpus, "cpus": ",".join(map(str, tenant.own_cpus)), "memory_mib": tenant.memory_mib}}
    plan = neighbour(two, {"tenants": recorded})
    two.project("other").up()
    for pool, key, cpu in (("own", "west", 1), ("float", "east", 0)):
        node = next(node for node in plan.nodes if node.node_set == pool)
        assert node.hypervisor == key
        assert pins(two.virsh(key, "vcpupin", node.name)) == {0: {cpu}}
    assert pins(two.virsh("west", "vcpupin", tenant.name)) == {0: {0}}
    gone = two.project("other").run("destroy", "--yes", "--skip-preview")
    assert gone.code != 0, "the control plane's disks are protected"
