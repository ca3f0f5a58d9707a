"""Hypervisors that are not what the stack declares of them: topology, pages, tenants and drives, one thing wrong each."""

from dataclasses import replace
from typing import Any

import pytest

from ops.doctor.model import Finding, Seen
from ops.verify.model import Said, Status
from tests.ops.doctor.made_hosts import capabilities, cores, domain, having, only, plan_with, said, seen, wrong
from tests.ops.hypervisor import made_devices
from tests.ops.hypervisor.made_devices import Nvme

HOST = "kvm1"
PAIRS = {"numa": [{"threads": ["0-31", "32-63"], "memory_mib": 262144}]}
TWO = {"numa": [{"threads": ["0-31"], "memory_mib": 131072}, {"socket": 1, "threads": ["32-63"], "memory_mib": 131072}]}
DB = {"vcpus": 2, "cpus": "62-63", "memory_mib": 2048}


def declaring(**fields: Any) -> Any:
    return plan_with(hypervisors={HOST: {"reserved_cpus": None, **fields}})


def test_fewer_cores_than_declared_and_the_block_that_is_to_be_written_anew() -> None:
    found = only(seen(virsh={"capabilities": capabilities(cores(0, 7))}), "host.topology")
    assert (found.declared, found.found) == ("NUMA node 0: 64 cores, threads 0-63", "NUMA node 0: 8 cores, threads 0-7")
    assert "ops hypervisor describe qemu+ssh://root@kvm1.example/system" in found.remedy
    assert found.severity == "error"


def test_threads_that_belong_together_otherwise() -> None:
    pairs = [[cpu, cpu + 32] for cpu in range(32)]
    assert not wrong(seen(declaring(topology=PAIRS), virsh={"capabilities": capabilities(pairs)}))
    beside = [[cpu, cpu + 1] for cpu in range(0, 64, 2)]
    found = only(seen(declaring(topology=PAIRS), virsh={"capabilities": capabilities(beside)}), "host.topology")
    assert found.declared == "NUMA node 0: 32 cores, threads 0-31 and 32-63"
    assert found.found.startswith("NUMA node 0: 32 cores, threads 0,2,4,")


def test_numa_nodes_that_are_there_otherwise() -> None:
    assert not wrong(seen(declaring(topology=TWO), virsh={"capabilities": capabilities(cores(0, 31), cores(32, 63))}))
    found = [finding for finding in findings(seen(declaring(topology=TWO))) if finding.id == "host.topology"]
    assert [finding.found for finding in found] == ["NUMA node 0: 64 cores, threads 0-63", "NUMA node 1: not there"]


def findings(what: Seen) -> list[Finding]:
    from ops.doctor import judges

    return [finding for finding in judges.findings(what) if finding.status is not Status.PASSED]


def test_less_memory_than_declared_beyond_what_a_kernel_keeps() -> None:
    assert not wrong(seen(virsh={"capabilities": capabilities(cores(0, 63), mib=260000)}))
    assert not wrong(seen(virsh={"capabilities": capabilities(cores(0, 63), mib=400000)}))
    found = only(seen(virsh={"capabilities": capabilities(cores(0, 63), mib=200000)}), "host.topology")
    assert (found.declared, found.found) == ("NUMA node 0: memory_mib 262144", "200000 MiB")


def test_pages_that_are_not_reserved_as_declared() -> None:
    some = {"numa": [{"threads": ["0-63"], "memory_mib": 262144, "hugepages": {"2M": 1024}}]}
    assert not wrong(seen(declaring(topology=some), virsh={"capabilities": capabilities(cores(0, 63), pages={2048: 1024})}))
    few = only(seen(declaring(topology=some), virsh={"capabilities": capabilities(cores(0, 63), pages={2048: 1000})}), "host.pages")
    assert (few.declared, few.found, few.severity) == ("NUMA node 0: 1024 pages of 2M", "1000 reserved there", "error")
    assert "hugepagesz=2M hugepages=0:1024" in few.remedy
    more = only(seen(virsh={"capabilities": capabilities(cores(0, 63), pages={1048576: 8})}), "host.pages")
    assert (more.declared, more.severity) == ("NUMA node 0: 0 pages of 1G", "warning")


def test_machines_of_others_that_nobody_declared() -> None:
    found = only(seen(virsh=having({"db": domain("db", pins={0: "5", 1: "40"})})), "host.tenants")
    assert found.found == "domain db is held to CPUs 5,40, 2 vCPUs, 2048 MiB"
    assert found.severity == "error"
    assert "hypervisors.kvm1.tenants" in found.remedy
    loose = only(seen(virsh=having({"db": domain("db", pins={0: "40"})})), "host.tenants")
    assert "floats over all CPUs" in loose.found
    off = only(seen(virsh=having({"db": domain("db", pins={0: "5", 1: "40"})}, "db")), "host.tenants")
    assert (off.severity, off.found.endswith(", not running")) == ("warning", True)


def test_tenants_as_they_are_declared_are_no_trouble() -> None:
    pinned = having({"db": domain("db", pins={0: "62", 1: "63"}), "loose": domain("loose", "52:54:00:99:99:98")}, "loose")
    plan = declaring(tenants={"db": DB, "loose": {"vcpus": 2, "cpus": "0-1", "memory_mib": 2048}})
    # the recorded domain is held to CPUs 0 and 1
    pinned["domain loose"] = domain("loose", "52:54:00:99:99:98", pins={0: "0", 1: "1"})
    assert not wrong(seen(plan, virsh=pinned))


@pytest.mark.parametrize(
    ("domain_", "found", "severity"),
    [
        (domain("db", pins={0: "61", 1: "63"}), "cpus 61,63", "error"),
        (domain("db", pins={0: "63", 1: "63"}), "cpus 63", "warning"),
        (domain("db"), "cpus unset", "error"),
        (domain("db", pins={0: "62", 1: "63"}, mib=4096), "memory_mib 4096", "error"),
        (domain("db", pins={0: "62", 1: "63"}, mib=1024), "memory_mib 1024", "warning"),
        (domain("db", pins={0: "62", 1: "63", 2: "63"}, vcpus=3), "vcpus 3", "warning"),
    ],
)
def test_a_tenant_that_takes_something_else(domain_: Said, found: str, severity: str) -> None:
    what = only(seen(declaring(tenants={"db": DB}), virsh=having({"db": domain_})), "host.tenants")
    assert (what.found, what.severity) == (found, severity)
    assert what.declared.startswith("tenant db: ")


def test_a_tenant_that_is_gone_keeps_room_for_nothing() -> None:
    found = only(seen(declaring(tenants={"db": DB})), "host.tenants")
    assert (found.severity, found.declared, found.found) == ("warning", "tenant db", "no domain of this name")


DRIVE = Nvme(bus=0x41, serial="S1", group=[0x41])
SHARING = replace(DRIVE, group=[0x41, 0x42])


def with_drive(drive: Nvme = DRIVE, *, kind: str = "0x010802") -> dict[str, Said]:
    answers = {"devices": said(f"{drive.device}\n"), f"device {drive.device}": said(made_devices.pci(drive, kind))}
    if drive.driver == "nvme" and kind == "0x010802":
        answers |= {"disks": said(f"{drive.disk}\n"), f"disk {drive.disk}": said(made_devices.disk(drive))}
    return answers


EMPTY = said(f'{DRIVE.path} NAME="nvme0n1" TYPE="disk" FSTYPE="" MOUNTPOINT=""')
NVME = {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 894}
BLOCK = {"kind": "block", "device": "/dev/disk/by-id/nvme-SAMSUNG_MZQL2960HCJR_S1", "size_gib": 894}
PCI = {**NVME, "kind": "pci"}


@pytest.mark.parametrize("drive", [NVME, BLOCK, PCI])
def test_a_drive_that_is_there_and_nobodys(drive: dict[str, Any]) -> None:
    assert not wrong(seen(declaring(drives={"one": drive}), virsh=with_drive(), told={"drives": EMPTY}))


def test_a_drive_that_the_kernel_does_not_drive_needs_no_shell() -> None:
    assert not wrong(seen(declaring(drives={"one": NVME}), virsh=with_drive(replace(DRIVE, driver="vfio-pci"))))


@pytest.mark.parametrize(
    ("drive", "virsh", "told", "found", "remedy"),
    [
        (NVME, {}, EMPTY, "not there", "describe"),
        (BLOCK, {}, EMPTY, "not there", "describe"),
        (NVME, with_drive(kind="0x020000"), EMPTY, "a PCI device that is no NVMe drive", "describe"),
        (NVME, with_drive(SHARING), EMPTY, "it has no IOMMU group of its own, so that it cannot leave the host", "kind: block"),
        ({**NVME, "size_gib": 1000}, with_drive(), EMPTY, "894 GiB", "size_gib: 894"),
        ({**BLOCK, "size_gib": 1000}, with_drive(), EMPTY, "894 GiB", "size_gib: 894"),
        (
            NVME,
            with_drive(),
            said('/dev/nvme0n1 NAME="nvme0n1" TYPE="disk" FSTYPE="" MOUNTPOINT="/srv"'),
            "taken by the host, which has /srv on it",
            "another drive",
        ),
        (
            NVME,
            {**with_drive(), "pools": said("fast\n"), "storage fast": said(made_devices.pool("fast", DRIVE.path))},
            EMPTY,
            "taken by pool fast",
            "another drive",
        ),
    ],
)
def test_a_drive_that_a_machine_cannot_have(drive: dict[str, Any], virsh: dict[str, Said], told: Said, found: str, remedy: str) -> None:
    finding = only(seen(declaring(drives={"one": drive}), virsh=virsh, told={"drives": told}), "host.drives")
    assert (finding.found, finding.severity) == (found, "error")
    assert remedy in finding.remedy


def test_a_drive_of_which_nobody_knows_what_the_host_has_on_it() -> None:
    finding = only(seen(declaring(drives={"one": NVME}), virsh=with_drive()), "host.drives")
    assert (finding.status, finding.severity) == (Status.NOT_CHECKED, "warning")


def test_the_drive_of_the_plans_own_machine_is_no_strangers() -> None:
    plan = plan_with(
        hypervisors={HOST: {"drives": {"one": NVME}}}, control_plane={"etcd_disk": {"kind": "drive", "of": "nvme"}}, workers={"worker": {"count": 0}}
    )
    (node,) = plan.nodes
    own = domain(node.name, node.mac, vcpus=node.vcpus, mib=node.memory_mib)
    address = "<source type='pci' managed='yes' namespace='1'><address domain='0x0000' bus='0x41' slot='0x00' function='0x0'/></source>"
    text = own.output.replace("<audio ", f"<disk type='nvme' device='disk'>{address}<target dev='vdc' bus='virtio'/></disk><audio ")
    there = {**with_drive(replace(DRIVE, driver="vfio-pci")), **having({node.name: said(text)})}
    assert not wrong(seen(plan, virsh=there))
