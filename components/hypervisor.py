"""A libvirt host: its provider, its pools, and the node image on it. With machine.py the only modules that know pulumi-libvirt."""

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath

import pulumi
import pulumi_libvirt as libvirt
from pulumi import ResourceOptions

from settings.environment import Image
from settings.hypervisor import Hypervisor as HypervisorSettings
from settings.hypervisor import StoragePool


@dataclass(frozen=True, kw_only=True)
class HypervisorArgs:
    """A hypervisor's settings and the node image that it shall hold."""

    environment: str
    settings: HypervisorSettings
    image: Image


class Hypervisor(pulumi.ComponentResource):
    """One libvirt host. A changed image name uploads a new image beside the old one and replaces the machines."""

    def __init__(self, name: str, args: HypervisorArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("underlay:compute:Hypervisor", name, None, opts)
        self.settings = args.settings
        self.provider = libvirt.Provider(f"{name}-libvirt", uri=args.settings.uri, opts=ResourceOptions(parent=self))
        self._children = ResourceOptions(parent=self, provider=self.provider)
        self.pool: pulumi.Input[str] = self._pool(f"{name}-pool", args.settings.pool)
        files_pool = args.settings.files_pool
        self.files_pool: pulumi.Input[str] = self._pool(f"{name}-files-pool", files_pool) if files_pool else self.pool
        self._environment = args.environment
        self.base: libvirt.Volume | None = None
        if args.settings.pool.kind == "dir":
            self.base = self._upload(f"{name}-image", args.image.source, self.pool, "qcow2")
        self.kernel = self._upload(f"{name}-kernel", args.image.kernel, self.files_pool, "raw") if args.image.kernel else None
        self.initrd = self._upload(f"{name}-initrd", args.image.initrd, self.files_pool, "raw") if args.image.initrd else None
        self.register_outputs({})

    def _pool(self, name: str, pool: StoragePool) -> pulumi.Input[str]:
        """Name of the pool; a managed one is made here and outlives the environment, because deleting it deletes the folder or volume group."""
        if not pool.managed:
            return pool.name
        stay = ResourceOptions.merge(self._children, ResourceOptions(retain_on_delete=True, protect=True))
        if pool.kind == "dir":
            made = libvirt.Pool(name, name=pool.name, type="dir", target=libvirt.PoolTargetArgs(path=pool.path), opts=stay)
        else:
            source = libvirt.PoolSourceArgs(name=pool.volume_group, devices=[libvirt.PoolSourceDeviceArgs(path=device) for device in pool.devices])
            made = libvirt.Pool(name, name=pool.name, type="logical", source=source, opts=stay)
        return made.name

    def _upload(self, name: str, source: str, pool: pulumi.Input[str], volume_format: str) -> libvirt.Volume:
        """The file under a name that says which file it was: another source is another volume, and both fit beside each other."""
        mark = hashlib.sha256(source.encode()).hexdigest()[:8]
        volume_name = f"{self._environment}-{PurePosixPath(source).stem}-{mark}{PurePosixPath(source).suffix}"
        return libvirt.Volume(name, name=volume_name, pool=pool, source=source, format=volume_format, opts=self._children)
