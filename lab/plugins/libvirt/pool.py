"""`libvirt:index/pool:Pool`: storage pools of type `dir` and `logical`.

Kept from terraform-provider-libvirt 0.8.1: every change replaces; deleting a pool deletes its directory, or its volume group
where the pool made it. Deliberately different: a pool of the declared name, type, source and target that exists is adopted
and finished (the real provider fails), so that an `up` broken off while it made the pool can be finished.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from lab.plugins.base import Call, Properties, ProviderError, State

from .elements import block, child
from .resource import OBSERVED, LibvirtResource, drifted
from .virsh import VirshError


class Pool(LibvirtResource):
    """A storage pool, started and set to start with its host. Its id is libvirt's UUID."""

    type = "libvirt:index/pool:Pool"
    inputs = frozenset({"name", "type", "source", "target", "path", "xml", "capacity", "allocation", "available"})
    required = frozenset({"name", "type"})
    computed = frozenset({"capacity", "allocation", "available"})
    replaces_on = "all"

    async def create(self, call: Call, inputs: Properties) -> State:
        """Defines, builds and starts the pool; what fails leaves no definition behind."""
        name = inputs["name"]
        if inputs["type"] not in {"dir", "logical"}:
            raise ProviderError('only storage pools of type "dir" and "logical" are supported')
        existing = await self.virsh.find("pool-dumpxml", "--inactive", name)
        if existing is None:
            await self.virsh("pool-define", "/dev/stdin", xml=pool_xml(inputs))
        elif _identity(existing) != _identity(pool_xml(inputs)):
            raise ProviderError(f"storage pool '{name}' already exists")
        else:
            await call.log("info", f"pool {name} was defined by an earlier run: finishing it")
        try:
            await self._start(inputs)
        except VirshError:
            if existing is None:
                await self.virsh.find("pool-undefine", name)
            raise
        await self.virsh.refresh(name)
        facts = await self._facts(name)
        return State(facts.pop("uuid"), {**inputs, **facts, OBSERVED: _observed(facts)})

    async def _start(self, inputs: Properties) -> None:
        name = inputs["name"]
        if "inactive" in await self.virsh("pool-info", name):
            if inputs["type"] == "dir" or _devices(inputs):
                await self.virsh("pool-build", name)
            await self.virsh("pool-start", name)
        await self.virsh("pool-autostart", name)

    async def _facts(self, name: str) -> Properties:
        pool = ET.fromstring(await self.virsh("pool-dumpxml", name))  # noqa: S314 - libvirt's own answer
        sizes = {tag: int(pool.findtext(tag, "0")) for tag in ("capacity", "allocation", "available")}
        path = pool.findtext("target/path", "")
        return {"uuid": pool.findtext("uuid", ""), "name": pool.findtext("name", ""), "type": pool.get("type", ""), **sizes, "path": path}

    async def read(self, call: Call, old: State) -> State | None:
        """The pool, with its sizes as they were recorded: they count what is in it, and are no drift."""
        del call
        if await self.virsh.find("pool-info", old.id) is None:
            return None
        return drifted(old, _observed(await self._facts(old.id)))

    async def delete(self, call: Call, old: State) -> None:
        """Stops, deletes and undefines the pool."""
        del call
        information = await self.virsh.find("pool-info", old.id)
        if information is None:
            return
        if "inactive" not in information:
            await self.virsh("pool-destroy", old.id)
        if old.outputs.get("type") == "dir" or _devices(old.outputs):
            await self.virsh("pool-delete", old.id)
        await self.virsh("pool-undefine", old.id)


def _devices(inputs: Properties) -> list[dict[str, Any]]:
    return block(inputs, "source").get("devices", [])


def _observed(facts: Properties) -> Properties:
    return {"name": facts["name"], "type": facts["type"]}


def pool_xml(inputs: Properties) -> str:
    """The pool's definition."""
    pool = ET.Element("pool", {"type": inputs["type"]})
    child(pool, "name", inputs["name"])
    source = block(inputs, "source")
    if source:
        element = child(pool, "source")
        for device in _devices(inputs):
            child(element, "device", path=device.get("path"))
        if source.get("name"):
            child(element, "name", source["name"])
    path = block(inputs, "target").get("path") or inputs.get("path") or ""
    if not path and inputs["type"] == "dir":
        raise ProviderError("a pool of type dir needs target.path")
    # libvirt's schema asks for a target, which for a volume group can only be its device folder.
    child(child(pool, "target"), "path", path or f"/dev/{source.get('name') or inputs['name']}")
    ET.indent(pool)
    return ET.tostring(pool, encoding="unicode")


def _identity(xml: str) -> tuple[str, str, list[str]]:
    """What two definitions of one pool agree in: the kind, the volume group or directory, the devices."""
    pool = ET.fromstring(xml)  # noqa: S314 - libvirt's answer or this module's text
    kind = pool.get("type", "")
    group = pool.findtext("source/name", "") or pool.findtext("name", "") if kind == "logical" else pool.findtext("target/path", "")
    return kind, group.rstrip("/"), sorted(device.get("path", "") for device in pool.findall("source/device"))
