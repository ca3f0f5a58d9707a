"""The domain definition that terraform-provider-libvirt 0.8.1 gives to a stylesheet, from a Domain's inputs."""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from lab.plugins.base import Properties, ProviderError

from .elements import block, child

_RANDOM_SOURCE = "/dev/urandom"
_AGENT = "org.qemu.guest_agent.0"


@dataclass(frozen=True)
class VolumeSource:
    """A disk's volume, as libvirt knows it."""

    pool: str
    name: str
    format: str


@dataclass(frozen=True)
class Surroundings:
    """What a definition takes from the host: how volume and network ids read there, and the host's defaults."""

    arch: str = "x86_64"
    machine: str = "pc"
    volumes: dict[str, VolumeSource] = field(default_factory=dict[str, VolumeSource])
    """By volume id."""
    seed_path: str = ""
    networks: dict[str, str] = field(default_factory=dict[str, str])
    """Network names by network id."""
    identity: str = ""
    """What MAC addresses and WWNs are derived from where none is given; the real provider rolls dice."""


def domain_xml(inputs: Properties, around: Surroundings) -> str:
    """The definition before the stylesheet. Raises ProviderError for inputs that make none."""
    domain = ET.Element("domain", {"type": inputs.get("type", "kvm")})
    child(domain, "name", inputs["name"])
    if inputs.get("description"):
        child(domain, "description", inputs["description"])
    child(domain, "memory", str(inputs.get("memory", 512)), unit="MiB")
    child(domain, "vcpu", str(inputs.get("vcpu", 1)))
    _os(domain, inputs, around)
    features = child(domain, "features")
    for feature in ("pae", "acpi", "apic"):
        child(features, feature)
    child(domain, "cpu", mode=block(inputs, "cpu").get("mode"))
    devices = child(domain, "devices")
    if inputs.get("emulator"):
        child(devices, "emulator", inputs["emulator"])
    _disks(devices, inputs, around)
    _filesystems(devices, inputs)
    for index, interface in enumerate(inputs.get("networkInterfaces", [])):
        _interface(devices, interface, index, around)
    for console in inputs.get("consoles", []):
        _console(devices, console)
    channel = child(devices, "channel", type="unix")
    child(channel, "target", type="virtio", name=_AGENT)
    if inputs.get("tpm"):
        _tpm(devices, inputs["tpm"])
    _screen(devices, inputs)
    rng = child(devices, "rng", model="virtio")
    child(rng, "backend", _RANDOM_SOURCE, model="random")
    if inputs.get("coreosIgnition"):
        raise ProviderError("the lab's stand-in for libvirt does not do coreosIgnition")
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode")


def _os(domain: ET.Element, inputs: Properties, around: Surroundings) -> None:
    system = child(domain, "os")
    child(system, "type", "hvm", arch=inputs.get("arch") or around.arch, machine=inputs.get("machine") or around.machine)
    if inputs.get("firmware"):
        child(system, "loader", inputs["firmware"], readonly="yes", secure="no", type="pflash")
        nvram = block(inputs, "nvram")
        if nvram:
            child(system, "nvram", nvram.get("file", ""), template=nvram.get("template"))
    for name in ("kernel", "initrd"):
        if inputs.get(name):
            child(system, name, inputs[name])
    line = command_line(inputs.get("cmdlines", []))
    if line:
        child(system, "cmdline", line)
    for entry in inputs.get("bootDevices", []):
        for device in entry.get("devs", []):
            child(system, "boot", dev=device)


def command_line(entries: list[dict[str, Any]]) -> str:
    """The kernel's command line: every map's `key=value`, those of key `_` bare, sorted as the real provider does."""
    return " ".join(sorted(str(value) if key == "_" else f"{key}={value}" for entry in entries for key, value in entry.items()))


def _disks(devices: ET.Element, inputs: Properties, around: Surroundings) -> None:
    scsi = isos = 0
    for index, disk in enumerate(inputs.get("disks", [])):
        target, bus = f"vd{_letters(index)}", "virtio"
        if disk.get("scsi"):
            target, bus, scsi = f"sd{_letters(scsi)}", "scsi", scsi + 1
        path = urlsplit(disk.get("url") or "").path or disk.get("file") or ""
        device = "cdrom" if path.endswith(".iso") else "disk"
        if device == "cdrom":
            target, bus, isos = f"hd{_letters(isos)}", "ide", isos + 1
        element = child(devices, "disk", type="", device=device)
        volume = around.volumes.get(disk.get("volumeId", ""))
        is_qcow2 = volume.format == "qcow2" if volume else path.endswith(".qcow2")
        child(element, "driver", name="qemu", type="qcow2" if is_qcow2 else "raw")
        _source(element, disk, volume)
        child(element, "target", dev=target, bus=bus)
        if disk.get("scsi"):
            child(element, "wwn", disk.get("wwn") or "05abcd" + _digest(around, f"wwn{index}")[:10])
    if around.seed_path:
        devices.append(seed_disk(around.seed_path))
    if scsi:
        child(devices, "controller", type="scsi", model="virtio-scsi")


def _source(element: ET.Element, disk: dict[str, Any], volume: VolumeSource | None) -> None:
    if volume:
        element.set("type", "volume")
        child(element, "source", pool=volume.pool, volume=volume.name)
    elif disk.get("url"):
        url = urlsplit(str(disk["url"]))
        element.set("type", "network")
        source = child(element, "source", protocol=url.scheme, name=url.path)
        child(source, "host", name=url.hostname, port=url.port or {"http": 80, "https": 443}.get(url.scheme))
    elif disk.get("file"):
        element.set("type", "file")
        child(element, "source", file=disk["file"])
    elif disk.get("blockDevice"):
        element.set("type", "block")
        child(element, "source", dev=disk["blockDevice"])
    else:
        raise ProviderError("a disk needs one of volumeId, url, file and blockDevice")


def seed_disk(path: str) -> ET.Element:
    """The cloud-init seed as an IDE CD-ROM; a stylesheet moves it where the guest has no IDE."""
    disk = ET.Element("disk", {"type": "file", "device": "cdrom"})
    child(disk, "driver", name="qemu", type="raw")
    child(disk, "source", file=path)
    child(disk, "target", dev="hdd", bus="ide")
    child(disk, "serial", "cloudinit")
    return disk


def _filesystems(devices: ET.Element, inputs: Properties) -> None:
    for entry in inputs.get("filesystems", []):
        element = child(devices, "filesystem", type="mount", accessmode=entry.get("accessmode", "mapped"))
        child(element, "source", dir=entry["source"])
        child(element, "target", dir=entry["target"])
        if entry.get("readonly", True):
            child(element, "readonly")


def mac_address(interface: dict[str, Any], index: int, around: Surroundings) -> str:
    """The interface's MAC address in capitals, as the real provider writes it."""
    if interface.get("mac"):
        return str(interface["mac"]).upper()
    digest = _digest(around, f"mac{index}").upper()
    return "52:54:00:" + ":".join(digest[start : start + 2] for start in (0, 2, 4))


def _interface(devices: ET.Element, interface: dict[str, Any], index: int, around: Surroundings) -> None:
    network = interface.get("networkName") or around.networks.get(interface.get("networkId", ""))
    direct = {"vepa": "vepa", "macvtap": "bridge", "passthrough": "passthrough"}
    element = child(devices, "interface")
    child(element, "mac", address=mac_address(interface, index, around))
    if network:
        element.set("type", "network")
        child(element, "source", network=network)
    elif interface.get("bridge"):
        element.set("type", "bridge")
        child(element, "source", bridge=interface["bridge"])
    else:
        kind = next((name for name in direct if interface.get(name)), None)
        if kind is None:
            raise ProviderError(f"networkInterfaces[{index}] names no network")
        element.set("type", "direct")
        child(element, "source", dev=interface[kind], mode=direct[kind])
    child(element, "model", type="virtio")


def _console(devices: ET.Element, console: dict[str, Any]) -> None:
    kind = console["type"]
    element = child(devices, "console", type=kind)
    if kind == "tcp":
        child(element, "source", mode="bind", host=console.get("sourceHost", "127.0.0.1"), service=console.get("sourceService", "0"))
        child(element, "protocol", type="telnet")
    elif console.get("sourcePath"):
        child(element, "source", path=console["sourcePath"])
    child(element, "target", type=console.get("targetType"), port=console["targetPort"])


def _tpm(devices: ET.Element, tpm: dict[str, Any]) -> None:
    element = child(devices, "tpm", model=tpm.get("model"))
    if tpm.get("backendType", "emulator") == "passthrough":
        backend = child(element, "backend", type="passthrough")
        child(backend, "device", path=tpm.get("backendDevicePath"))
        return
    persistent = tpm.get("backendPersistentState")
    flag = "" if persistent is None else "yes" if persistent else "no"
    backend = child(element, "backend", type="emulator", version=tpm.get("backendVersion"), persistent_state=flag)
    if tpm.get("backendEncryptionSecret"):
        child(backend, "encryption", secret=tpm["backendEncryptionSecret"])


def _screen(devices: ET.Element, inputs: Properties) -> None:
    graphics = block(inputs, "graphics")
    kind = graphics.get("type", "spice")
    if graphics and kind != "none":
        autoport = "yes" if graphics.get("autoport", True) else "no"
        element = child(devices, "graphics", type=kind, autoport=autoport, websocket=graphics.get("websocket"))
        listen = graphics.get("listenType", "none")
        address = graphics.get("listenAddress", "127.0.0.1") if listen == "address" else None
        child(element, "listen", type=listen, address=address)
    if inputs.get("video"):
        child(child(devices, "video"), "model", type=inputs["video"].get("type", "cirrus"))


def _letters(index: int) -> str:
    letters = string.ascii_lowercase
    return letters[index] if index < 26 else _letters(index // 26 - 1) + letters[index % 26]


def _digest(around: Surroundings, what: str) -> str:
    return hashlib.sha256(f"{around.identity} {what}".encode()).hexdigest()
