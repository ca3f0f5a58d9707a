"""Definitions that the libvirt stand-in makes, held against libvirt's own schemas."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from lab.plugins.base import ProviderError
from lab.plugins.libvirt.domain_xml import Surroundings, VolumeSource, domain_xml
from lab.plugins.libvirt.network import network_xml
from lab.plugins.libvirt.pool import pool_xml
from lab.plugins.libvirt.stamp import stamp_of, stamped
from lab.plugins.libvirt.volume_xml import VolumeFacts, volume_facts, volume_xml

SCHEMAS = Path("/usr/share/libvirt/schemas")
DISK = "/pool/root"
AROUND = Surroundings(
    volumes={DISK: VolumeSource("pool", "root", "qcow2"), "/pool/raw": VolumeSource("lvm", "raw", "raw")},
    seed_path="/pool/seed.iso",
    networks={"11111111-2222-3333-4444-555555555555": "nodes"},
    identity="urn:a",
)
MACHINES: dict[str, dict[str, Any]] = {
    "bare": {},
    "node": {
        "type": "qemu",
        "description": "a <node> & more",
        "vcpu": 2,
        "memory": 3072,
        "cpu": {"mode": "host-passthrough"},
        "machine": "q35",
        "kernel": "/pool/vmlinuz",
        "initrd": "/pool/initrd.img",
        "cmdlines": [{"root": "LABEL=root", "_": "quiet"}, {"console": "ttyS0"}],
        "disks": [{"volumeId": DISK}, {"volumeId": "/pool/raw", "scsi": True}, {"file": "/iso/tools.iso"}, {"blockDevice": "/dev/sdx"}],
        "networkInterfaces": [
            {"bridge": "br0", "mac": "52:54:00:aa:bb:cc"},
            {"networkId": "11111111-2222-3333-4444-555555555555"},
            {"networkName": "default"},
            {"macvtap": "eth0"},
        ],
        "consoles": [{"type": "pty", "targetPort": "0", "targetType": "serial"}],
        "graphics": {"type": "vnc", "listenType": "address"},
        "video": {"type": "virtio"},
        "bootDevices": [{"devs": ["hd", "network"]}],
    },
    "firmware": {
        "firmware": "/usr/share/OVMF/OVMF_CODE.fd",
        "nvram": {"file": "/pool/vars.fd", "template": "/usr/share/OVMF/OVMF_VARS.fd"},
        "tpm": {"backendVersion": "2.0"},
        "filesystems": [{"source": "/srv", "target": "srv"}],
        "disks": [{"url": "http://mirror.example/boot/disk.iso"}],
    },
}


def assert_valid(schema: str, xml: str) -> None:
    """Libvirt's schema takes the document."""
    if not (SCHEMAS / f"{schema}.rng").exists():
        pytest.skip("libvirt's schemas are not installed")
    outcome = subprocess.run(
        ["xmllint", "--noout", "--relaxng", str(SCHEMAS / f"{schema}.rng"), "-"], input=xml, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, f"{outcome.stderr}\n{xml}"


def parsed(inputs: dict[str, Any]) -> ET.Element:
    return ET.fromstring(domain_xml(inputs, AROUND))  # noqa: S314 - our own text


def addresses(domain: ET.Element) -> list[str | None]:
    return [mac.get("address") for mac in domain.findall("devices/interface/mac")]


@pytest.mark.parametrize("inputs", MACHINES.values(), ids=MACHINES)
def test_a_domain_is_what_libvirt_calls_one(inputs: dict[str, Any]) -> None:
    xml = domain_xml({"name": "node", **inputs}, AROUND)
    assert_valid("domain", xml)
    assert_valid("domain", stamped(xml, "urn:pulumi:a::b::c$d::node")[0])


def test_a_stylesheet_finds_what_the_real_provider_gives_it() -> None:
    domain = parsed({"name": "node", **MACHINES["node"]})
    disks = domain.findall("devices/disk")
    kinds = [(disk.get("type"), disk.get("device"), disk.find("target").attrib) for disk in disks]  # pyright: ignore[reportOptionalMemberAccess]
    assert kinds == [
        ("volume", "disk", {"dev": "vda", "bus": "virtio"}),
        ("volume", "disk", {"dev": "sda", "bus": "scsi"}),
        ("file", "cdrom", {"dev": "hda", "bus": "ide"}),
        ("block", "disk", {"dev": "vdd", "bus": "virtio"}),
        ("file", "cdrom", {"dev": "hdd", "bus": "ide"}),
    ]
    assert disks[-1].findtext("serial") == "cloudinit"
    assert domain.findtext("os/cmdline") == "console=ttyS0 quiet root=LABEL=root"
    assert domain.find("cpu") is not None
    assert addresses(domain)[0] == "52:54:00:AA:BB:CC"


def test_addresses_that_are_not_given_stay_the_same_and_differ() -> None:
    inputs = {"name": "node", "networkInterfaces": [{"bridge": "a"}, {"bridge": "b"}]}
    assert addresses(parsed(inputs)) == addresses(parsed(inputs))
    assert len(set(addresses(parsed(inputs)))) == 2


WRONG: list[dict[str, Any]] = [{"disks": [{}]}, {"networkInterfaces": [{}]}, {"coreosIgnition": "/pool/x;1"}]


@pytest.mark.parametrize("wrong", WRONG)
def test_inputs_that_make_no_domain_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        domain_xml({"name": "node", **wrong}, Surroundings())


def test_a_stamp_tells_a_definition_from_another() -> None:
    xml = domain_xml({"name": "node"}, AROUND)
    text, stamp = stamped(xml, "urn:a")
    assert stamp_of(text) == stamp
    assert stamped(xml, "urn:b")[1] != stamp
    assert stamped(domain_xml({"name": "node", "vcpu": 2}, AROUND), "urn:a")[1] != stamp
    assert stamp_of(xml) is None


def test_a_volume_is_what_libvirt_calls_one_and_reads_back() -> None:
    base = VolumeFacts("base", "/pool/base", "qcow2", 1 << 20, "")
    xml = volume_xml("root", 64 << 20, "qcow2", base)
    assert_valid("storagevol", xml)
    assert volume_facts(xml) == VolumeFacts("root", "", "qcow2", 64 << 20, "/pool/base")


POOLS: dict[str, dict[str, Any]] = {
    "dir": {"type": "dir", "target": {"path": "/var/lib/pool"}},
    "logical": {"type": "logical", "source": {"name": "vg", "devices": [{"path": "/dev/nvme0n1"}]}, "target": {"path": "/dev/vg"}},
    "existing group": {"type": "logical", "source": {"name": "vg"}},
}


@pytest.mark.parametrize("inputs", POOLS.values(), ids=POOLS)
def test_a_pool_is_what_libvirt_calls_one(inputs: dict[str, Any]) -> None:
    assert_valid("storagepool", pool_xml({"name": "pool", **inputs}))


NETWORKS: dict[str, dict[str, Any]] = {
    "nat": {"addresses": ["10.1.0.0/24"], "domain": "nodes.test", "mtu": 1500},
    "closed": {"mode": "none", "addresses": ["10.1.0.0/24", "fd00::/64"], "dhcp": {"enabled": False}},
    "bridge": {"mode": "bridge", "bridge": "br0"},
}


@pytest.mark.parametrize("inputs", NETWORKS.values(), ids=NETWORKS)
def test_a_network_is_what_libvirt_calls_one(inputs: dict[str, Any]) -> None:
    xml = network_xml({"name": "nodes", **inputs})
    assert_valid("network", xml)
    assert ("<dhcp>" in xml) == (inputs.get("mode", "nat") == "nat")
