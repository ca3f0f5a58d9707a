"""`libvirt:index/cloudInitDisk:CloudInitDisk`: an ISO 9660 image, label `cidata`, in a pool.

Deliberately different from terraform-provider-libvirt 0.8.1: where that fails because a volume of the name exists, this
replaces one that is a seed (or the empty beginning of one) and that no domain uses: what an `up` that was broken off left.
"""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.plugins.base import Call, Properties, ProviderError, State

from .resource import LibvirtResource
from .virsh import run
from .volume import read_volume, release, remove_unused, upload
from .volume_xml import volume_xml

_FILES = {"userData": "user-data", "metaData": "meta-data", "networkConfig": "network-config"}
_DESCRIPTOR = 0x8000
"""Where ISO 9660 keeps its primary volume descriptor."""


class CloudInitDisk(LibvirtResource):
    """A cloud-init seed. Its id is the volume's key, a semicolon and a UUID of this creation."""

    type = "libvirt:index/cloudInitDisk:CloudInitDisk"
    inputs = frozenset({"name", "pool", *_FILES})
    required = frozenset({"name"})
    defaults = {"pool": "default"}
    replaces_on = "all"

    async def create(self, call: Call, inputs: Properties) -> State:
        """Makes the image here and uploads it."""
        pool, name = inputs["pool"], inputs["name"]
        with TemporaryDirectory(prefix="cloudinit-") as folder:
            iso = await _make_iso(Path(folder), inputs)
            async with self.virsh.pool_lock(pool):
                await self.virsh.refresh(pool)
                if await self._is_left_over(pool, name, Path(folder)) and await remove_unused(self.virsh, pool, name):
                    await call.log("info", f"seed {name} was left by an earlier run: making it again")
                await upload(self.virsh, pool, name, volume_xml(name, iso.stat().st_size, "raw"), iso)
                key = await self.virsh("vol-key", "--pool", pool, name)
        return State(f"{key};{uuid.uuid4()}", dict(inputs))

    async def _is_left_over(self, pool: str, name: str, folder: Path) -> bool:
        if await self.virsh.find("vol-key", "--pool", pool, name) is None:
            return False
        file = folder / "existing"
        await self.virsh("vol-download", "--pool", pool, name, str(file), "--offset", str(_DESCRIPTOR), "--length", "2048")
        descriptor = file.read_bytes()
        if not descriptor.strip(b"\0") or (descriptor[1:6] == b"CD001" and descriptor[40:72].strip() == b"cidata"):
            return True
        raise ProviderError(f"error creating libvirt volume for cloudinit device {name}: storage volume '{name}' exists already")

    async def read(self, call: Call, old: State) -> State | None:
        """The seed's files as they are in the pool."""
        del call
        key = old.id.split(";")[0]
        if await read_volume(self.virsh, old.outputs.get("pool", "default"), key) is None:
            return None
        with TemporaryDirectory(prefix="cloudinit-") as folder:
            iso = Path(folder, "seed.iso")
            await self.virsh("vol-download", key, str(iso))
            found = {name: await run("isoinfo", "-R", "-i", str(iso), "-x", f"/{file}") for name, file in _FILES.items()}
        changed = {name: text for name, text in found.items() if text != old.outputs.get(name, "")}
        return State(old.id, {**old.outputs, **changed}, {**(old.inputs or {}), **changed})

    async def delete(self, call: Call, old: State) -> None:
        """Deletes the image."""
        del call
        async with self.virsh.pool_lock(old.outputs.get("pool", "default")):
            await release(self.virsh, "vol-delete", old.id.split(";")[0])


async def _make_iso(folder: Path, inputs: Properties) -> Path:
    """Writes the seed's files and the image of them; the folder is this user's alone, and goes when it is uploaded."""
    files = [folder / file for file in _FILES.values()]
    for name, file in zip(_FILES, files, strict=True):
        await asyncio.to_thread(file.write_text, inputs.get(name, ""))
    iso = folder / "seed.iso"
    try:
        await run("mkisofs", "-quiet", "-output", str(iso), "-volid", "cidata", "-joliet", "-rock", *map(str, files))
    except FileNotFoundError:
        raise ProviderError("mkisofs is missing on this machine (Debian: genisoimage)") from None
    return iso
