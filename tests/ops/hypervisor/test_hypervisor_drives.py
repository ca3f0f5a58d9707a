"""`ops hypervisor describe`: NVMe drives that nobody has, and why others are left out."""

import shutil
import subprocess
from pathlib import Path

import pytest

from settings.hypervisor import Hypervisor
from tests.ops.hypervisor import made_devices
from tests.ops.hypervisor.made_answers import NO_SHELL, answers, empty, read, said, text
from tests.ops.hypervisor.made_capabilities import INTERLEAVED, ONE_SOCKET
from tests.ops.hypervisor.made_devices import Domain, Nvme

OWN = {"location": {"country": "NO", "site": "osl1"}, "network": {"bridge": "br0"}, "pool": {"name": "nvme", "kind": "dir"}}
SCHEMA = Path("/usr/share/libvirt/schemas/nodedev.rng")
FIRST = Nvme(bus=0x41, serial="S64HNA0", group=[0x41], number=0)
SECOND = Nvme(bus=0x42, serial="S64HNA1", gib=1788, group=[0x42], number=1, numa=1)
SHARING = Nvme(bus=0x43, serial="S64HNA2", group=[0x43, 0x44], number=2, numa=None)
GIVEN = Nvme(bus=0x45, serial="S64HNA3", driver="vfio-pci", group=[0x45])
ALL = (FIRST, SECOND, SHARING, GIVEN)


@pytest.mark.skipif(shutil.which("xmllint") is None or not SCHEMA.exists(), reason="no xmllint with libvirt's schemas")
@pytest.mark.parametrize("drive", ALL)
def test_the_made_up_devices_are_what_libvirt_can_say(drive: Nvme, tmp_path: Path) -> None:
    for name, made, schema in (
        ("pci.xml", made_devices.pci(drive), SCHEMA),
        ("disk.xml", made_devices.disk(drive), SCHEMA),
        ("pool.xml", made_devices.pool("nvme", drive.path), SCHEMA.with_name("storagepool.rng")),
    ):
        (tmp_path / name).write_text(made)
        done = subprocess.run(["xmllint", "--noout", "--relaxng", schema, tmp_path / name], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_drives_with_nothing_on_them_are_there_and_can_be_declared() -> None:
    found = read(answers(INTERLEAVED, drives=ALL), empty(FIRST, SECOND, SHARING))
    assert found["drives"] == {
        "nvme0": {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 894, "numa": 0},
        "nvme1": {"kind": "nvme", "address": "0000:42:00.0", "size_gib": 1788, "numa": 1},
        "nvme2": {"kind": "block", "device": "/dev/disk/by-id/nvme-SAMSUNG_MZQL2960HCJR_S64HNA2", "size_gib": 894},
    }
    assert Hypervisor.model_validate({**found, **OWN}).drives["nvme1"].place == "0000:42:00.0"


def test_a_drive_of_a_numa_node_that_is_left_out_names_none() -> None:
    found = read(answers(ONE_SOCKET, drives=[SECOND]), empty(SECOND))
    assert found["drives"] == {"nvme0": {"kind": "nvme", "address": "0000:42:00.0", "size_gib": 1788}}


def test_a_drive_that_the_kernel_does_not_drive_has_no_size_and_is_left_out() -> None:
    assert "  # nvme3 (0000:45:00.0) is left out: its driver keeps it from the kernel" in text(answers(drives=ALL), empty(FIRST, SECOND, SHARING))


def test_without_a_shell_nobody_knows_what_the_host_has_on_a_drive() -> None:
    assert read(answers(drives=ALL[:1]))["drives"] == {}
    lines = text(answers(drives=ALL[:1])).splitlines()
    why = f"libvirt does not say whether the host itself uses /dev/nvme0n1 ({NO_SHELL.error}); look on the host, then write:"
    assert lines[-2] == f"  # nvme0 (0000:41:00.0) is left out: {why}"
    assert lines[-1].startswith('  # nvme0: { kind: nvme, address: "0000:41:00.0", size_gib: 894, numa: 0 } # SAMSUNG MZQL2960HCJR-00A07 S64HNA0')


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ('TYPE="disk" FSTYPE="LVM2_member" MOUNTPOINT=""', "the host, which has LVM2_member on it"),
        ('TYPE="disk" FSTYPE="" MOUNTPOINT="/srv/a b"', "the host, which has /srv/a b on it"),
        (
            'TYPE="disk" FSTYPE="" MOUNTPOINT=""\n/dev/nvme0n1 NAME="nvme0n1p1" TYPE="part" FSTYPE="ext4" MOUNTPOINT="/"',
            "the host, which has nvme0n1p1, / on it",
        ),
    ],
)
def test_what_the_host_has_on_a_drive_keeps_it(rows: str, words: str) -> None:
    found = answers(drives=[FIRST])
    told = said(f'/dev/nvme0n1 NAME="nvme0n1" {rows}\n')
    assert read(found, told)["drives"] == {}
    assert f"  # nvme0 (0000:41:00.0) is left out: taken by {words}\n" in text(found, told)


@pytest.mark.parametrize(
    ("domain", "pools", "words"),
    [
        (Domain(nvme=0x41), {}, "domain other"),
        (Domain(passed=0x41), {}, "domain other"),
        (Domain(block="/dev/nvme0n1"), {}, "domain other"),
        (Domain(block="/dev/disk/by-id/nvme-SAMSUNG_MZQL2960HCJR_S64HNA0-part3"), {}, "domain other"),
        (Domain(), {"nvme": ["/dev/nvme0n1p4"]}, "pool nvme"),
        (Domain(), {"nvme": ["/dev/nvme10n1"]}, ""),
        (Domain(passed=0x40), {}, ""),
    ],
)
def test_what_libvirt_gave_away_is_left_out_whether_it_runs_or_not(domain: Domain, pools: dict[str, list[str]], words: str) -> None:
    found = answers(drives=[FIRST], domains={"other": domain}, stopped=["other"], pools=pools)
    assert (f"# nvme0 (0000:41:00.0) is left out: taken by {words}\n" in text(found, empty(FIRST))) == bool(words)
    assert bool(read(found, empty(FIRST))["drives"]) == (not words)


def test_names_stay_when_another_drive_is_given_away() -> None:
    given = [FIRST, Nvme(bus=0x42, serial="x", driver="vfio-pci", group=[0x42]), SHARING]
    assert list(read(answers(drives=given), empty(FIRST, SHARING))["drives"]) == ["nvme0", "nvme2"]


def test_where_libvirt_names_no_devices_the_reason_is_there() -> None:
    found = answers()
    found["devices"] = said("error: Failed to list node devices\nerror: unsupported flags\n", 1)
    assert "drives" not in read(found)
    assert text(found).endswith("# drives are left out: unsupported flags\n")


def test_pools_are_comments_that_say_whether_they_lie_on_nvme() -> None:
    stable = "/dev/disk/by-id/nvme-SAMSUNG_MZQL2960HCJR_S64HNA0"
    there = {"a": ["/dev/nvme0n1p4"], "b": [f"{stable}-part1"], "c": ["/dev/nvme0n1", "/dev/sda"], "d": []}
    found = answers(drives=[FIRST], pools=there)
    found["pools"] = said(found["pools"].output + "e\nf\n")
    found["storage e"] = said("<pool type='dir'><name>e</name><target><path>/srv/e</path></target></pool>")
    found["storage f"] = said("<pool type='iscsi'><name>f</name></pool>")
    printed = [line for line in text(found).splitlines() if line.startswith("# pool: ")]
    assert printed == [
        "# pool: { name: a, kind: logical, media: nvme }, on /dev/nvme0n1p4",
        f"# pool: {{ name: b, kind: logical, media: nvme }}, on {stable}-part1",
        "# pool: { name: c, kind: logical, media: other }, on /dev/nvme0n1, /dev/sda",
        "# pool: { name: d, kind: logical }, on nothing named; what it lies on libvirt does not say (media: nvme where it is)",
        "# pool: { name: e, kind: dir }, on /srv/e; what it lies on libvirt does not say (media: nvme where it is)",
    ]
