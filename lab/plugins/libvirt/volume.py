"""`libvirt:index/volume:Volume`.

Kept from terraform-provider-libvirt 0.8.1: every change replaces; a volume without a source whose name exists is adopted;
one with a source is uploaded again. Deliberately different, so that an `up` broken off at any moment can be finished by
the next: what an unfinished upload left is deleted and made anew; and what is adopted must have the declared format,
capacity and backing volume, where the real provider takes anything.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from xml.etree import ElementTree as ET

from lab.plugins.base import Call, Properties, ProviderError, State

from .elements import block
from .image import Image, opened
from .resource import OBSERVED, LibvirtResource, drifted
from .virsh import Virsh, VirshError, engine_is_alive, transform
from .volume_xml import VolumeFacts, volume_facts, volume_xml

_RELEASE_TRIES = 30


class Volume(LibvirtResource):
    """A disk image in a pool; its id is libvirt's key, in a directory pool the path."""

    type = "libvirt:index/volume:Volume"
    inputs = frozenset({"name", "pool", "source", "size", "format", "baseVolumeId", "baseVolumeName", "baseVolumePool", "xml"})
    required = frozenset({"name"})
    computed = frozenset({"size", "format"})
    defaults = {"pool": "default"}
    replaces_on = "all"

    async def create(self, call: Call, inputs: Properties) -> State:
        """Makes the volume, and uploads its source."""
        _refuse_conflicts(inputs)
        async with self.virsh.pool_lock(inputs["pool"]):
            await self.virsh.refresh(inputs["pool"])
            if "source" in inputs:
                async with opened(inputs["source"]) as image:
                    await self._upload(call, inputs, image)
            else:
                await self._make(call, inputs)
            key = await self.virsh("vol-key", "--pool", inputs["pool"], inputs["name"])
            return await self._state(key, inputs)

    async def _upload(self, call: Call, inputs: Properties, image: Image) -> None:
        format_ = "qcow2" if image.is_qcow2 else inputs.get("format", "raw")
        if image.is_qcow2 and inputs.get("format", "qcow2") != "qcow2":
            raise ProviderError(f"format other than QCOW2 explicitly specified for image detected as QCOW2 image: {inputs['source']}")
        if await remove_unused(self.virsh, inputs["pool"], inputs["name"]):
            await call.log("info", f"volume {inputs['name']} was left unfinished by an earlier run: uploading it again")
        await call.status(f"uploading {image.size / 1e6:.0f} MB")
        xml = await _styled(volume_xml(inputs["name"], image.size, format_), inputs)
        await upload(self.virsh, inputs["pool"], inputs["name"], xml, image.path)
        await self.virsh.refresh(inputs["pool"])

    async def _make(self, call: Call, inputs: Properties) -> None:
        pool, name, format_ = inputs["pool"], inputs["name"], inputs.get("format", "qcow2")
        base = await self._base(inputs)
        size = inputs.get("size") or (base.capacity if base else 1)
        if base and size < base.capacity:
            raise ProviderError(
                f"when 'size' is specified, it shouldn't be smaller than the backing store: {size} < {base.capacity} bytes of {base.name}"
            )
        existing = await self.virsh.find("vol-dumpxml", "--pool", pool, name)
        if existing is None:
            xml = await _styled(volume_xml(name, size, format_, base), inputs)
            await self.virsh("vol-create", pool, "/dev/stdin", xml=xml)
            return
        found, backing = volume_facts(existing), base.path if base else ""
        # A logical pool rounds the size up to its extents and knows no format.
        if found.capacity < size or (found.format or format_) != format_ or found.backing != backing:
            raise ProviderError(
                f"volume {name} exists already in pool {pool} with format {found.format}, {found.capacity} bytes, backing file "
                f"'{found.backing}': delete it (virsh vol-delete --pool {pool} {name}) or declare it as it is"
            )
        await call.log("info", f"volume {name} was found in pool {pool} and left as-is")

    async def _base(self, inputs: Properties) -> VolumeFacts | None:
        if "baseVolumeId" in inputs:
            where = ("vol-dumpxml", inputs["baseVolumeId"])
        elif "baseVolumeName" in inputs:
            where = ("vol-dumpxml", "--pool", inputs.get("baseVolumePool", inputs["pool"]), inputs["baseVolumeName"])
        else:
            return None
        xml = await self.virsh.find(*where)
        if xml is None:
            raise ProviderError(f"can't retrieve base volume '{where[-1]}'")
        return volume_facts(xml)

    async def _state(self, key: str, inputs: Properties) -> State:
        facts = volume_facts(await self.virsh("vol-dumpxml", key))
        observed = _observed(facts)
        outputs = {**inputs, "size": facts.capacity, "format": facts.format or inputs.get("format", "raw"), OBSERVED: observed}
        return State(key, outputs)

    async def read(self, call: Call, old: State) -> State | None:
        """The volume as its pool has it."""
        del call
        pool = old.outputs.get("pool", "default")
        xml = await read_volume(self.virsh, pool, old.id)
        return None if xml is None else drifted(old, _observed(volume_facts(xml)))

    async def delete(self, call: Call, old: State) -> None:
        """Deletes the volume's data."""
        del call
        async with self.virsh.pool_lock(old.outputs.get("pool", "default")):
            await release(self.virsh, "vol-delete", old.id)


def _observed(facts: VolumeFacts) -> Properties:
    return {"name": facts.name, "size": facts.capacity, "format": facts.format}


def _refuse_conflicts(inputs: Properties) -> None:
    for name in ("size", "baseVolumeId", "baseVolumeName"):
        if "source" in inputs and name in inputs:
            raise ProviderError(f"'{name}' can't be specified when also 'source' is given")
    if "baseVolumeId" in inputs and "baseVolumeName" in inputs:
        raise ProviderError("'baseVolumeName' can't be specified when also 'baseVolumeId' is given")


async def _styled(xml: str, inputs: Properties) -> str:
    stylesheet = block(inputs, "xml").get("xslt")
    return await transform(xml, stylesheet) if stylesheet else xml


async def upload(virsh: Virsh, pool: str, name: str, xml: str, file: Path) -> None:
    """Makes a volume and fills it from a file; what a failure leaves is deleted. The pool's lock is held."""
    await virsh("vol-create", pool, "/dev/stdin", xml=xml)
    try:
        await virsh("vol-upload", "--pool", pool, name, str(file))
    except (VirshError, asyncio.CancelledError):
        if engine_is_alive():
            await release(virsh, "vol-delete", "--pool", pool, name)
        raise


async def read_volume(virsh: Virsh, pool: str, key: str) -> str | None:
    """What libvirt says of a volume by its key, None when it is gone; an inactive pool is started, as the real provider does."""
    async with virsh.pool_lock(pool):
        information = await virsh.find("pool-info", pool)
        if information is not None and "inactive" in information:
            await virsh("pool-start", pool)
        if information is not None:
            await virsh.refresh(pool, once=True)
        return await virsh.find("vol-dumpxml", key)


async def release(virsh: Virsh, *command: str) -> None:
    """Deletes a volume once a plugin that was killed has let go of it; one that is gone is no error."""
    for attempt in range(_RELEASE_TRIES):
        try:
            await virsh.find(*command)
        except VirshError as error:
            if ("in use" not in str(error) and "being allocated" not in str(error)) or attempt == _RELEASE_TRIES - 1:
                raise
            await asyncio.sleep(1)
        else:
            return


async def remove_unused(virsh: Virsh, pool: str, name: str) -> bool:
    """Deletes a volume that an earlier run left, and says whether there was one.

    Raises ProviderError when a domain or another volume uses it: then it is no left-over, but somebody's.
    """
    xml = await virsh.find("vol-dumpxml", "--pool", pool, name)
    if xml is None:
        return False
    path = volume_facts(xml).path
    user = await _user_of(virsh, pool, path, name)
    if user:
        raise ProviderError(f"storage volume '{name}' exists already in pool '{pool}' and {user} uses it")
    await release(virsh, "vol-delete", "--pool", pool, name)
    return True


async def _user_of(virsh: Virsh, pool: str, path: str, name: str) -> str:
    for domain in (await virsh("list", "--all", "--name")).split():
        xml = ET.fromstring(await virsh("dumpxml", domain))  # noqa: S314 - libvirt's own answer
        texts = {element.text for tag in ("kernel", "initrd") for element in xml.findall(f"os/{tag}")}
        sources = [source.attrib for source in xml.findall("devices/disk//source")]
        if path in texts or any(path in at.values() or (at.get("pool"), at.get("volume")) == (pool, name) for at in sources):
            return f"domain {domain}"
    for line in (await virsh("vol-list", pool)).splitlines():
        other = line.split()[0] if line.split() else ""
        if other and other != name and volume_facts(await virsh("vol-dumpxml", "--pool", pool, other)).backing == path:
            return f"volume {other}"
    return ""
