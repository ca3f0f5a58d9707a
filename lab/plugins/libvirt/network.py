"""`libvirt:index/network:Network`: as much of it as a lab needs: modes, bridge, MTU, domain, addresses with DHCP, autostart."""

from __future__ import annotations

import ipaddress
from xml.etree import ElementTree as ET

from lab.plugins.base import Call, Properties, ProviderError, State

from .elements import block, child
from .resource import OBSERVED, LibvirtResource, drifted
from .virsh import VirshError, transform

_MODES = {"nat", "none", "route", "open", "bridge"}


class Network(LibvirtResource):
    """A virtual network. Its id is libvirt's UUID."""

    type = "libvirt:index/network:Network"
    inputs = frozenset({"name", "mode", "bridge", "mtu", "domain", "addresses", "dhcp", "autostart", "xml"})
    required = frozenset({"name"})
    computed = frozenset({"bridge"})
    defaults = {"mode": "nat"}
    replaces_on = frozenset({"name", "mode", "bridge", "mtu", "domain", "addresses", "dhcp", "xml"})

    async def create(self, call: Call, inputs: Properties) -> State:
        """Defines and starts the network; what fails leaves no definition behind."""
        del call
        xml = network_xml(inputs)
        stylesheet = block(inputs, "xml").get("xslt")
        await self.virsh("net-define", "/dev/stdin", xml=await transform(xml, stylesheet) if stylesheet else xml)
        try:
            if inputs.get("autostart"):
                await self.virsh("net-autostart", inputs["name"])
            await self.virsh("net-start", inputs["name"])
        except VirshError:
            await self.virsh.find("net-undefine", inputs["name"])
            raise
        return await self._state(inputs)

    async def _state(self, inputs: Properties) -> State:
        network = ET.fromstring(await self.virsh("net-dumpxml", inputs["name"]))  # noqa: S314 - libvirt's own answer
        bridge = network.find("bridge")
        name = inputs.get("bridge") or ("" if bridge is None else bridge.get("name", ""))
        observed = {"name": network.findtext("name", ""), "autostart": await self._autostarts(inputs["name"])}
        return State(network.findtext("uuid", ""), {**inputs, "bridge": name, OBSERVED: observed})

    async def _autostarts(self, name: str) -> bool:
        return any(line.split() == ["Autostart:", "yes"] for line in (await self.virsh("net-info", name)).splitlines())

    async def read(self, call: Call, old: State) -> State | None:
        """Whether the network is there and starts with its host."""
        del call
        name = await self.virsh.find("net-name", old.id)
        return None if name is None else drifted(old, {"name": name, "autostart": await self._autostarts(old.id)})

    async def update(self, call: Call, old: State, inputs: Properties) -> Properties:
        """Changes the autostart."""
        del call
        flag = () if inputs.get("autostart") else ("--disable",)
        await self.virsh("net-autostart", old.id, *flag)
        return (await self._state(inputs)).outputs

    async def delete(self, call: Call, old: State) -> None:
        """Stops and undefines the network."""
        del call
        information = await self.virsh.find("net-info", old.id)
        if information is None:
            return
        if ["Active:", "yes"] in [line.split() for line in information.splitlines()]:
            await self.virsh("net-destroy", old.id)
        await self.virsh("net-undefine", old.id)


def network_xml(inputs: Properties) -> str:
    """The network's definition: the first address of each network is the host's, DHCP serves the rest unless it is off."""
    mode = inputs.get("mode", "nat")
    if mode not in _MODES:
        raise ProviderError(f"network mode '{mode}' is none of {', '.join(sorted(_MODES))}")
    network = ET.Element("network")
    child(network, "name", inputs["name"])
    if mode != "none":
        child(network, "forward", mode=mode)
    if mode == "bridge" and not inputs.get("bridge"):
        raise ProviderError("a network of mode bridge needs the name of a bridge")
    if inputs.get("bridge"):
        child(network, "bridge", name=inputs["bridge"], stp=None if mode == "bridge" else "on")
    if inputs.get("mtu"):
        child(network, "mtu", size=inputs["mtu"])
    if inputs.get("domain"):
        child(network, "domain", name=inputs["domain"])
    addresses: list[str] = [] if mode == "bridge" else inputs.get("addresses", [])
    for text in addresses:
        subnet = ipaddress.ip_network(text, strict=False)
        element = child(network, "ip", address=subnet[1], prefix=subnet.prefixlen, family="ipv6" if subnet.version == 6 else "ipv4")
        if block(inputs, "dhcp").get("enabled", True):
            child(child(element, "dhcp"), "range", start=subnet[2], end=subnet[-2])
    ET.indent(network)
    return ET.tostring(network, encoding="unicode")
