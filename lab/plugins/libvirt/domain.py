"""`libvirt:index/domain:Domain`.

Kept from terraform-provider-libvirt 0.8.1: which changes replace; an update starts a stopped domain and else acts on nothing
but cloudinit and autostart; deleting is a hard power-off; what a stylesheet made is not read back. Deliberately different:

- A start that fails leaves no definition behind (the real one's does: its issue 921).
- A domain of the name that carries this resource's stamp (`stamp`) is adopted when it was made from the same definition,
  and made anew otherwise: it is what an `up` that was broken off left. Any other domain of the name is an error, as there.
- `running: false` powers off in an update too, as the documentation says.
- A MAC address or WWN that is not given is derived from the resource's URN instead of rolled.
"""

from __future__ import annotations

import asyncio
from xml.etree import ElementTree as ET

from lab.plugins.base import Call, Change, Difference, Path, Properties, ProviderError, State

from . import host
from .domain_xml import Surroundings, domain_xml, mac_address, seed_disk
from .elements import block
from .resource import OBSERVED, LibvirtResource, drifted
from .stamp import Stamp, stamp_of, stamped
from .virsh import VirshError, engine_is_alive, transform

_ACTED_ON = frozenset({"cloudinit", "autostart", "running"})
_POLL_S = 2
_LEASE_TIMEOUT_S = 300


class Domain(LibvirtResource):
    """A virtual machine, defined and started. Its id is libvirt's UUID."""

    type = "libvirt:index/domain:Domain"
    replaces_on = frozenset(
        [
            "name",
            "description",
            "vcpu",
            "memory",
            "firmware",
            "type",
            "nvram",
            "coreosIgnition",
            "fwCfgName",
            "filesystems",
            "disks",
            "graphics",
            "consoles",
            "cpu",
            "cmdlines",
            "tpm",
            "xml",
        ]
    )
    inputs = replaces_on | frozenset(
        [
            "metadata",
            "running",
            "cloudinit",
            "networkInterfaces",
            "video",
            "autostart",
            "machine",
            "arch",
            "bootDevices",
            "emulator",
            "kernel",
            "initrd",
            "qemuAgent",
        ]
    )
    required = frozenset({"name"})
    computed = frozenset({"machine", "arch", "emulator"})
    defaults = {"vcpu": 1, "memory": 512, "type": "kvm", "running": True}

    def diff(self, old: State, inputs: Properties) -> Difference:
        """As every libvirt resource's, but a MAC address in other letters is the same one."""
        found = super().diff(old, inputs)
        same = {path for path in found.changes if _same_mac(path, old.inputs or {}, inputs)}
        changes: dict[Path, Change] = {path: change for path, change in found.changes.items() if path not in same}
        return Difference(changes, found.replaces, delete_before_replace=found.delete_before_replace)

    async def create(self, call: Call, inputs: Properties) -> State:
        """Defines and starts the domain, or finishes what an earlier run began."""
        around = await host.surroundings(self.virsh, inputs, call.urn)
        xml = domain_xml(inputs, around)
        stylesheet = block(inputs, "xml").get("xslt")
        if stylesheet:
            xml = await transform(xml, stylesheet)
        xml, stamp = stamped(xml, call.urn)
        name = inputs["name"]
        if not await self._adopts(call, name, stamp):
            await self.virsh("define", "/dev/stdin", xml=xml)
        try:
            await self._bring_up(call, inputs, around)
        except (ProviderError, asyncio.CancelledError):
            if engine_is_alive():
                await self._remove(name)
            raise
        uuid = await self.virsh("domuuid", name)
        return State(uuid, await self._outputs(uuid, inputs, around))

    async def _adopts(self, call: Call, name: str, stamp: Stamp) -> bool:
        existing = await self.virsh.find("dumpxml", "--inactive", name)
        found = None if existing is None else stamp_of(existing)
        if found is None or found.urn != stamp.urn:
            return False  # libvirt itself refuses a second domain of a name
        if found == stamp:
            await call.log("info", f"domain {name} was defined by an earlier run: going on with it")
            return True
        await call.log("info", f"domain {name} was left by an earlier run with another definition: making it anew")
        await self._remove(name)
        return False

    async def _bring_up(self, call: Call, inputs: Properties, around: Surroundings) -> None:
        name = inputs["name"]
        if inputs.get("autostart"):
            await self.virsh("autostart", name)
        await host.register_addresses(self.virsh, inputs, around)
        await self._start(name)
        waiting = [interface for interface in inputs.get("networkInterfaces", []) if interface.get("waitForLease")]
        if waiting:
            await self._wait_for_leases(call, inputs, around)
        if not inputs.get("running", True):
            await self.virsh("destroy", name)

    async def _start(self, name: str) -> None:
        try:
            if "shut off" in await self.virsh("domstate", name):
                await self.virsh("start", name)
        except VirshError as error:
            if "already active" not in str(error) and "already running" not in str(error):
                raise ProviderError(f"error creating libvirt domain: {error}") from None

    async def _wait_for_leases(self, call: Call, inputs: Properties, around: Surroundings) -> None:
        source = "agent" if inputs.get("qemuAgent") else "lease"
        interfaces = enumerate(inputs["networkInterfaces"])
        wanted = {mac_address(interface, index, around) for index, interface in interfaces if interface.get("waitForLease")}
        seconds = call.timeout_s or _LEASE_TIMEOUT_S
        for _ in range(max(1, int(seconds / _POLL_S))):
            if "shut off" in await self.virsh("domstate", inputs["name"]):
                raise ProviderError(f"domain {inputs['name']} stopped while it was waited for its address")
            try:
                found = await self.virsh("domifaddr", inputs["name"], "--source", source)
            except VirshError:  # the guest's agent does not answer yet
                found = ""
            if all(mac in found.upper() for mac in wanted):
                return
            await call.status(f"waiting for the addresses of {', '.join(sorted(wanted))}")
            await asyncio.sleep(_POLL_S)
        raise ProviderError(f"couldn't retrieve IP address of domain {inputs['name']} within {seconds:.0f} s (source: {source})")

    async def _observe(self, uuid: str) -> Properties:
        domain = ET.fromstring(await self.virsh("dumpxml", "--inactive", uuid))  # noqa: S314 - libvirt's own answer
        return host.observed_domain(domain, await self.virsh("dominfo", uuid))

    async def _outputs(self, uuid: str, inputs: Properties, around: Surroundings) -> Properties:
        observed = await self._observe(uuid)
        hidden = {name: value for name, value in observed.items() if name not in {"arch", "machine", "emulator"}}
        shown = {name: inputs.get(name) or observed[name] for name in ("arch", "emulator")} | {"machine": inputs.get("machine") or around.machine}
        interfaces = [
            {**interface, "mac": interface.get("mac") or mac_address(interface, index, around)}
            for index, interface in enumerate(inputs.get("networkInterfaces", []))
        ]
        return {**inputs, **shown, **({"networkInterfaces": interfaces} if interfaces else {}), OBSERVED: hidden}

    async def read(self, call: Call, old: State) -> State | None:
        """The domain as libvirt has it now; see `OBSERVED` for what counts as drift."""
        del call
        if await self.virsh.find("domname", old.id) is None:
            return None
        observed = await self._observe(old.id)
        return drifted(old, {name: value for name, value in observed.items() if name not in {"arch", "machine", "emulator"}})

    async def update(self, call: Call, old: State, inputs: Properties) -> Properties:
        """Starts or stops the domain, exchanges its seed, sets its autostart; the rest is only recorded, as there."""
        changed = {path[0] for path in self.diff(old, inputs).changes}
        ignored = sorted(str(name) for name in changed - _ACTED_ON)
        if ignored:
            await call.log("warning", f"the libvirt provider changes {', '.join(ignored)} of a domain that exists in its state only")
        if inputs.get("running", True):
            await self._start(old.id)
        elif "shut off" not in await self.virsh("domstate", old.id):
            await self.virsh("destroy", old.id)
        around = await host.surroundings(self.virsh, inputs, call.urn)
        if "cloudinit" in changed and around.seed_path:
            await self._exchange_seed(old.id, around.seed_path)
        if "autostart" in changed:
            await self.virsh("autostart", old.id, *(() if inputs.get("autostart") else ("--disable",)))
        return await self._outputs(old.id, inputs, around)

    async def _exchange_seed(self, uuid: str, path: str) -> None:
        live = () if "shut off" in await self.virsh("domstate", uuid) else ("--live",)
        xml = ET.tostring(seed_disk(path), encoding="unicode")
        try:
            await self.virsh("update-device", uuid, "/dev/stdin", "--config", *live, xml=xml)
        except VirshError as error:
            raise ProviderError(f"error while changing the cloudinit volume: {error}") from None

    async def delete(self, call: Call, old: State) -> None:
        """Powers the domain off and undefines it with its NVRAM, saved state and snapshots."""
        del call
        await self._remove(old.id)

    async def _remove(self, domain: str) -> None:
        state = await self.virsh.find("domstate", domain)
        if state is None:
            return
        if "shut off" not in state:
            await self.virsh("destroy", domain)
        await self.virsh.find("undefine", domain, "--nvram", "--managed-save", "--snapshots-metadata", "--checkpoints-metadata")


def _same_mac(path: Path, old: Properties, new: Properties) -> bool:
    if len(path) != 3 or path[0] != "networkInterfaces" or path[2] != "mac" or not isinstance(path[1], int):
        return False
    before, after = old["networkInterfaces"][path[1]].get("mac"), new["networkInterfaces"][path[1]].get("mac")
    return isinstance(before, str) and isinstance(after, str) and before.upper() == after.upper()
