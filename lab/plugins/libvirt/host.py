"""What a domain's definition takes from its host, and what the host says of a domain."""

from __future__ import annotations

import ipaddress
from typing import Any
from xml.etree import ElementTree as ET

from lab.plugins.base import Properties, ProviderError

from .domain_xml import Surroundings, VolumeSource, mac_address
from .virsh import Virsh, VirshError
from .volume_xml import volume_facts


async def surroundings(virsh: Virsh, inputs: Properties, identity: str) -> Surroundings:
    """Looks up everything the inputs name by id. Raises ProviderError for what is not there."""
    arch, machine = await _defaults(virsh, inputs.get("arch", ""))
    volumes = {disk["volumeId"]: await _volume(virsh, disk["volumeId"]) for disk in inputs.get("disks", []) if disk.get("volumeId")}
    networks = {
        interface["networkId"]: await _network(virsh, interface["networkId"])
        for interface in inputs.get("networkInterfaces", [])
        if interface.get("networkId")
    }
    seed_path = ""
    if inputs.get("cloudinit"):
        key, separator, _ = inputs["cloudinit"].partition(";")
        if not separator:
            raise ProviderError(f"{inputs['cloudinit']} is not a valid key")
        found = await virsh.find("vol-path", key)
        if found is None:
            raise ProviderError(f"can't retrieve volume {key}")
        seed_path = found
    return Surroundings(arch, machine, volumes, seed_path, networks, identity)


async def _defaults(virsh: Virsh, arch: str) -> tuple[str, str]:
    """The architecture (the host's unless given) and the first machine type the host's QEMU has for it."""
    capabilities = ET.fromstring(await virsh("capabilities"))  # noqa: S314 - libvirt's own answer
    arch = arch or capabilities.findtext("host/cpu/arch", "x86_64")
    for guest in capabilities.findall("guest"):
        kind = guest.find("arch")
        if guest.findtext("os_type") == "hvm" and kind is not None and kind.get("name") == arch:
            return arch, kind.findtext("machine", "")
    raise ProviderError(f"the hypervisor has no emulator for architecture {arch}")


async def _volume(virsh: Virsh, key: str) -> VolumeSource:
    xml = await virsh.find("vol-dumpxml", key)
    if xml is None:
        raise ProviderError(f"can't retrieve volume {key}")
    facts = volume_facts(xml)
    return VolumeSource(await virsh("vol-pool", key), facts.name, facts.format)


async def _network(virsh: Virsh, uuid: str) -> str:
    name = await virsh.find("net-name", uuid)
    if name is None:
        raise ProviderError(f"can't retrieve network ID {uuid}")
    return name


async def register_addresses(virsh: Virsh, inputs: Properties, around: Surroundings) -> None:
    """Gives the addresses of interfaces on a libvirt network with DHCP to that network, as reservations."""
    for index, interface in enumerate(inputs.get("networkInterfaces", [])):
        network = interface.get("networkName") or around.networks.get(interface.get("networkId", ""))
        if not network or not interface.get("addresses"):
            continue
        definition = ET.fromstring(await virsh("net-dumpxml", network))  # noqa: S314 - libvirt's own answer
        blocks = definition.findall("ip")
        for address in map(ipaddress.ip_address, interface["addresses"]):
            where = next((number for number, block in enumerate(blocks) if _serves(block, address)), None)
            if where is not None:
                entry = _reservation(mac_address(interface, index, around), str(address), interface.get("hostname") or inputs["name"])
                await _reserve(virsh, network, str(where), entry)


def _serves(block: ET.Element, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    width = block.get("prefix") or block.get("netmask") or "24"
    return block.find("dhcp") is not None and address in ipaddress.ip_network(f"{block.get('address')}/{width}", strict=False)


def _reservation(mac: str, address: str, name: str) -> str:
    return ET.tostring(ET.Element("host", {"mac": mac, "ip": address, "name": name}), encoding="unicode")


async def _reserve(virsh: Virsh, network: str, block: str, entry: str) -> None:
    for command in ("modify", "add-last"):
        try:
            await virsh("net-update", network, command, "ip-dhcp-host", entry, "--live", "--config", "--parent-index", block)
        except VirshError:
            if command == "add-last":
                raise
        else:
            return


def observed_domain(domain: ET.Element, information: str) -> Properties:
    """A domain's definition and `virsh dominfo` in the terms of a Domain's inputs."""
    facts = dict(_fields(information))
    machine = _attributes(domain.find("os/type"))
    found: Properties = {
        "name": domain.findtext("name", ""),
        "vcpu": int(domain.findtext("vcpu", "1")),
        "memory": int(domain.findtext("memory", "0")) // 1024,
        "running": facts.get("State") in {"running", "idle", "paused"},
        "autostart": facts.get("Autostart") == "enable",
        "disks": [_disk(disk) for disk in domain.findall("devices/disk")],
        "networkInterfaces": [_interface(element) for element in domain.findall("devices/interface")],
        "emulator": domain.findtext("devices/emulator", ""),
        "arch": machine.get("arch", ""),
        "machine": machine.get("machine", ""),
    }
    texts = {"description": "description", "kernel": "os/kernel", "initrd": "os/initrd"}
    found |= {name: domain.findtext(path, "") for name, path in texts.items()}
    found["cpu"] = {"mode": _attributes(domain.find("cpu")).get("mode", "")}
    return found | {"cmdlines": [{"_": domain.findtext("os/cmdline", "")}]}


def _fields(information: str) -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in information.splitlines())
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _disk(disk: ET.Element) -> dict[str, Any]:
    return _attributes(disk.find("source"))


def _attributes(element: ET.Element | None) -> dict[str, str]:
    return {} if element is None else dict(element.attrib)


def _interface(element: ET.Element) -> dict[str, Any]:
    source = element.find("source")
    names = {"network": "networkName", "bridge": "bridge", "dev": "macvtap"}
    found = {names[key]: value for key, value in _attributes(source).items() if key in names}
    return {"mac": _attributes(element.find("mac")).get("address", "").upper(), **found}
