"""An environment over two hypervisors: a control plane that floats over shared CPUs, its etcd on a volume of its own, and a worker on a CPU of its own
and in huge pages, with a drive of its own. Every kind of disk that a lab can have is there; LVM, NVMe and PCI drives need a kernel that knows them."""

import json
import os
import re
import subprocess
import time
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
from environment import Live

from lab import stackfile
from lab.places import Lab, LibvirtHost
from plan import NodePlan, Plan, make
from settings import load
from settings.disks import DiskDriver
from settings.forms import parse_cpu_set

pytestmark = [
    pytest.mark.placed,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="pins need two CPUs"),
]

PAGES = 768
"""Huge pages of 2 MiB: all of the worker's memory."""
RESERVED = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
TOPOLOGY = "{numa: [{threads: ['0-1'], memory_mib: 16384}]}"
DRIVES = "{nvme1: {kind: block, device: /dev/disk/by-id/nvme-one, size_gib: 6}}"
EAST = (
    "{uri: 'qemu:///system', location: {country: 'NO', site: east, rack: r2}, network: {bridge: br0}, domain_type: qemu, reserved_cpus: '0', "
    "pool: {name: lab, kind: dir, managed: true, path: /var/lib/libvirt/underlay-lab}, "
    f"topology: {{numa: [{{threads: ['0-1'], memory_mib: 16384, hugepages: {{2M: {PAGES}}}}}]}}, drives: {DRIVES}}}"
)
SETTINGS = {
    "hypervisors.local.location": "{country: 'NO', site: west, rack: r1}",
    "hypervisors.local.topology": TOPOLOGY,
    "hypervisors.local.shared_cpus": "0-1",
    "hypervisors.east": EAST,
    "control_plane.placement": "[local]",
    "control_plane.cpu_policy": "{kind: shared}",
    "control_plane.nic": "{queues: 2, driver: qemu, rx_queue_size: 1024}",
    "control_plane.etcd_disk": "{kind: volume, size_gib: 2, cache: none, io: io_uring, io_threads: 1, queues: 2, queue_size: 256}",
    "workers.worker.placement": "[east]",
    "workers.worker.cpu_policy": "{kind: dedicated}",
    "workers.worker.memory_mib": str(2 * PAGES),
    "workers.worker.hugepages": "2M",
    "workers.worker.disk": "{size_gib: 10, cache: writeback, io: threads, discard: ignore, io_threads: 1, queue_size: 128}",
    "workers.worker.containerd_disk": "{kind: drive, of: block, min_size_gib: 4, cache: none, io: native, io_threads: 1}",
}
WORKER, CONTROL_PLANE = "lab-worker-1", "lab-cp-1"
BOOT_S = 900
LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "underlay.dev/rack", "underlay.dev/hypervisor")
NEIGHBOUR = {
    "name": "other",
    "hypervisors": "{east: " + EAST + "}",
    "hypervisors.east.uri": "'{uri}'",
    "control_plane.cpu_policy": "{kind: emulated}",
    "workers.worker.cpu_policy": "{kind: dedicated}",
}
"""A second environment on the second hypervisor, whose worker is to have the CPU of the first one's."""
KNOWING = {
    "hypervisors.east.tenants": f"{{{WORKER}: {{vcpus: 1, cpus: '1', memory_mib: {2 * PAGES}, hugepages: 2M, numa: 0}}}}",
    "hypervisors.east.reserved_cpus": "null",
    "hypervisors.east.shared_cpus": "'0'",
    "workers.worker.cpu_policy": "{kind: shared}",
}
"""What it says once it knows of the first one's worker."""


@pytest.fixture(scope="module")
def pages() -> Generator[None]:
    """Huge pages that the worker's memory is made of; as before at the end."""
    before = int(RESERVED.read_text())
    RESERVED.write_text(str(max(before, PAGES)))
    assert int(RESERVED.read_text()) >= PAGES, f"the kernel has no {PAGES} huge pages of 2 MiB to give: free memory"
    yield
    if not os.environ.get("UNDERLAY_KEEP"):
        RESERVED.write_text(str(before))


@pytest.fixture(scope="module")
def placed(pages: None) -> Generator[Live]:  # noqa: ARG001 - they are there before the machine is
    """A lab with two hypervisors, up."""
    lab = Live(name="placed", settings=dict(SETTINGS))
    if not os.environ.get("UNDERLAY_AGAIN"):
        lab.run("down")
    lab.up("two hypervisors, from nothing", timeout_s=2700)
    yield lab
    if not os.environ.get("UNDERLAY_KEEP"):
        lab.run("down")


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The lab's plan, from the same words."""
    return make(load(stackfile.declared(Lab(name="placed"), "lab", map(stackfile.parse_assignment, _words(SETTINGS)))))


def _words(settings: Mapping[str, str]) -> Iterable[str]:
    return (f"{path}={value}" for path, value in settings.items())


def uri(key: str) -> str:
    """The connection to a hypervisor of the lab."""
    return LibvirtHost(lab=Lab(name="placed"), key=None if key == "local" else key).uri


def virsh(key: str, *words: str) -> str:
    """What a hypervisor's libvirt says."""
    return subprocess.run(["virsh", "-q", "-c", uri(key), *words], capture_output=True, text=True, timeout=60, check=True).stdout


def pins(said: str) -> dict[str, set[int]]:
    """Lines of virsh's `vcpupin` and `iothreadinfo`: a thread and its CPUs."""
    return {words[0]: set(parse_cpu_set(words[1])) for words in map(str.split, said.splitlines()) if len(words) == 2}


def definition(node: NodePlan) -> ElementTree.Element:
    """A machine's definition as it runs."""
    return ElementTree.fromstring(virsh(node.hypervisor, "dumpxml", node.name))  # noqa: S314 - libvirt's own words


def options(driver: DiskDriver) -> dict[str, str]:
    """What a running domain says of a disk that is driven so."""
    size = {"queue_size": str(driver.queue_size)} if driver.queue_size else {}
    return {"cache": driver.cache, "io": driver.io, "discard": driver.discard, "queues": str(driver.queues), **size}


def drivers(node: NodePlan) -> dict[str, DiskDriver]:
    """What drives each declared disk, by its device in the domain."""
    return {"vda": node.disk, **{disk.target: disk.driver for disk in node.disks if disk.target and disk.driver}}


def mounted(placed: Live, node: str, place: str) -> tuple[str, str]:
    """The disk under a mount point and its serial number, as the guest sees them."""
    device = placed.shell(node, f"findmnt --noheadings --output SOURCE --mountpoint {place}")
    return device, placed.shell(node, f"cat /sys/block/{Path(device).name}/serial")


def test_each_machine_is_on_its_hypervisor_and_the_cluster_is_one(placed: Live) -> None:
    assert placed.domains() == {CONTROL_PLANE}
    assert set(virsh("east", "list", "--name").split()) == {WORKER}
    assert placed.nodes() == {CONTROL_PLANE: True, WORKER: True}


def test_labels_say_where_a_node_stands(placed: Live) -> None:
    columns = ",".join(f":.metadata.labels.{label.replace('.', chr(92) + '.')}" for label in LABELS)
    said = {node: placed.kubectl("get", "node", node, "--no-headers", "-o", f"custom-columns={columns}").split() for node in (CONTROL_PLANE, WORKER)}
    assert said == {CONTROL_PLANE: ["no", "west", "r1", "local"], WORKER: ["no", "east", "r2", "east"]}


def test_etcd_and_containerd_write_to_disks_of_their_own(placed: Live) -> None:
    assert mounted(placed, "cp-1", "/var/lib/etcd")[1] == "underlay-etcd"
    assert placed.shell("cp-1", "test -s /var/lib/etcd/member/snap/db && echo there") == "there"
    assert mounted(placed, "worker-1", "/var/lib/containerd")[1] == "underlay-containerd"
    blobs = "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"
    assert placed.shell("worker-1", f"stat --format %m {blobs}; ls {blobs} | grep -c . >/dev/null && echo images") == "/var/lib/containerd\nimages"


@pytest.mark.usefixtures("placed")
def test_every_thread_of_the_machines_is_held_to_the_cpus_that_the_plan_gives_it(plan: Plan) -> None:
    every = os.sched_getaffinity(0)
    assert {node.name: node.vcpu_pins for node in plan.nodes} == {CONTROL_PLANE: ((0, 1), (0, 1)), WORKER: ((1,),)}
    for node in plan.nodes:
        emulator = set(node.emulator_cpus) or every
        threads = sum(driver.io_threads for driver in drivers(node).values())
        assert pins(virsh(node.hypervisor, "vcpupin", node.name)) == {str(vcpu): set(cpus) for vcpu, cpus in enumerate(node.vcpu_pins)}
        assert set(parse_cpu_set(virsh(node.hypervisor, "emulatorpin", node.name).split()[-1])) == emulator
        assert pins(virsh(node.hypervisor, "iothreadinfo", node.name)) == {str(thread + 1): emulator for thread in range(threads)}
    assert "numa_nodeset   : 0" in virsh("east", "numatune", WORKER)


@pytest.mark.usefixtures("placed")
def test_the_workers_memory_is_in_huge_pages(plan: Plan) -> None:
    worker = next(node for node in plan.nodes if node.name == WORKER)
    assert [page.attrib for page in definition(worker).iterfind("memoryBacking/hugepages/page")] == [{"size": "2048", "unit": "KiB"}]
    assert int(RESERVED.read_text()) - int(RESERVED.with_name("free_hugepages").read_text()) == PAGES


@pytest.mark.usefixtures("placed")
def test_every_disk_and_nic_is_driven_as_declared(plan: Plan) -> None:
    for node in plan.nodes:
        xml = definition(node)
        found = {target.get("dev", ""): disk for disk in xml.iterfind("devices/disk") if (target := disk.find("target")) is not None}
        threads = [driver.get("iothread") for disk in found.values() if (driver := disk.find("driver")) is not None and driver.get("iothread")]
        assert len(set(threads)) == len(threads) == sum(driver.io_threads for driver in drivers(node).values())
        for target, wanted in drivers(node).items():
            driver = found[target].find("driver")
            assert driver is not None
            assert options(wanted).items() <= driver.attrib.items(), target
    nic = definition(plan.control_planes[0]).find("devices/interface/driver")
    assert nic is not None
    assert {"name": "qemu", "queues": "2", "rx_queue_size": "1024"}.items() <= nic.attrib.items()
    assert "/dev/underlay/placed/east/nvme1" in virsh("east", "domblklist", WORKER)


def test_the_guest_has_the_queues(placed: Live) -> None:
    script = "ls /sys/block/vda/mq | wc -l; ls /sys/block/$(findmnt -no SOURCE /var/lib/etcd | sed s,/dev/,,)/mq | wc -l; ls -d /sys/class/net/eth0/queues/rx-* | wc -l"
    assert placed.shell("cp-1", script).split() == ["1", "2", "2"]


def test_a_second_up_changes_nothing(placed: Live) -> None:
    assert placed.steps() == {}


def test_verify_finds_pins_and_disks_as_declared(placed: Live) -> None:
    done = placed.attempt("verify", "--", "--json", "--only", "machines", timeout_s=300)
    assert done.returncode in (0, 10), done.stdout[-3000:]
    found = {check["id"]: check for check in json.loads(done.stdout)["checks"]}
    # machines.fsync measures what is below the pool, which is this machine's
    assert {name: check["status"] for name, check in found.items() if name != "machines.fsync"} == dict.fromkeys(
        ("machines.drift", "machines.pins", "machines.overcommit", "machines.disk-queue", "machines.steal"), "passed"
    ), found


@pytest.mark.parametrize(
    ("command", "vcpu", "wrong", "right", "said"),
    [
        ("vcpupin", ("0",), "0", "1", ("machines.drift", "machines.pins", "vCPU 0 may run on 0, declared 1")),
        ("emulatorpin", (), "1", "0", ("machines.drift", "QEMU's own threads on 1, declared 0")),
    ],
)
def test_a_thread_that_was_moved_by_hand_is_found(
    placed: Live, command: str, vcpu: tuple[str, ...], wrong: str, right: str, said: tuple[str, ...]
) -> None:
    virsh("east", command, WORKER, *vcpu, wrong, "--live")
    try:
        done = placed.attempt("verify", "--", "--only", "machines.drift,machines.pins", timeout_s=300)
    finally:
        virsh("east", command, WORKER, *vcpu, right, "--live")
    words = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert WORKER in words
    assert [part for part in said if part not in words] == [], done.stdout


def test_a_second_stack_is_refused_the_same_core_and_gets_another_once_it_knows(placed: Live) -> None:
    other = Live(name="placed-other", settings={path: value.replace("{uri}", uri("east")) for path, value in NEIGHBOUR.items()})
    before = virsh("east", "list", "--all", "--name")
    try:
        refused = other.attempt("preview", timeout_s=300)
        assert refused.returncode != 0
        assert f"CPUs 1 are of domain {WORKER}, of environment lab" in refused.stdout, refused.stdout[-3000:]
        assert set(re.findall(r"error: (.{20})", refused.stdout)) == {"Preview failed: befo"}, refused.stdout[-3000:]
        other.settings |= KNOWING
        other.run("preview", timeout_s=300)
    finally:
        other.run("down")
    assert virsh("east", "list", "--all", "--name") == before
    assert placed.nodes() == {CONTROL_PLANE: True, WORKER: True}


def test_after_a_boot_and_after_a_power_cut_the_disks_are_there_before_what_needs_them(placed: Live) -> None:
    nodes = {"cp-1": ("etcd", "kubelet"), "worker-1": ("containerd", "containerd kubelet")}
    before, start = placed.boots(*nodes), time.monotonic()
    placed.attempt("ssh", "cp-1", "--", "systemctl reboot")
    virsh("east", "destroy", WORKER)
    virsh("east", "start", WORKER)
    for node, (purpose, services) in nodes.items():
        script = f"cat /proc/sys/kernel/random/boot_id; systemctl is-active {services} var-lib-{purpose}.mount"
        wanted = ["active"] * len([*services.split(), "mount"])
        while not (said := placed.attempt("ssh", node, "--", script).stdout.split()) or said[0] == before[node] or said[1:] != wanted:
            assert time.monotonic() - start < BOOT_S, f"{node}: {said}"
            time.sleep(5)
        assert mounted(placed, node, f"/var/lib/{purpose}")[1] == f"underlay-{purpose}"
    while placed.attempt("kubectl", "--", "get", "--raw", "/readyz").stdout != "ok":
        assert time.monotonic() - start < BOOT_S
        time.sleep(5)
    placed.note("both machines started anew, until the API answers", time.monotonic() - start)
    assert placed.nodes().keys() == {CONTROL_PLANE, WORKER}


def test_a_lab_of_two_hypervisors_leaves_nothing_behind(placed: Live) -> None:
    if os.environ.get("UNDERLAY_KEEP"):
        pytest.skip("UNDERLAY_KEEP is set")
    placed.run("down")
    assert not Path("/dev/underlay/placed").exists()
    assert not [loop for loop in Path("/sys/block").glob("loop*/loop/backing_file") if str(placed.state) in loop.read_text()]
