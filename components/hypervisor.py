"""A libvirt host: its provider, its pools, and the node image on it. With machine.py the only modules that know pulumi-libvirt."""

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath

import pulumi
import pulumi_libvirt as libvirt
from pulumi import ResourceOptions

from components import facts
from components.neighbours import Neighbours
from plan import Plan
from settings.hypervisor import StoragePool


@dataclass(frozen=True, kw_only=True)
class HypervisorArgs:
    """The plan, and the key of the hypervisor in its settings."""

    plan: Plan
    key: str


class Hypervisor(pulumi.ComponentResource):
    """One libvirt host. A changed image name uploads a new image beside the old one and replaces the machines."""

    def __init__(self, name: str, args: HypervisorArgs, opts: ResourceOptions | None = None) -> None:
        settings, image = args.plan.settings.hypervisors[args.key], args.plan.settings.image
        super().__init__("underlay:compute:Hypervisor", name, facts.of_hypervisor(args.key, settings), opts)
        self.settings = settings
        self.neighbours = Neighbours(name, args.plan, args.key)
        self.provider = libvirt.Provider(f"{name}-libvirt", uri=settings.uri, opts=ResourceOptions(parent=self))
        self._children = ResourceOptions(parent=self, provider=self.provider)
        self.pool: pulumi.Input[str] = self._pool(f"{name}-pool", settings.pool)
        self.files_pool: pulumi.Input[str] = self._pool(f"{name}-files-pool", settings.files_pool) if settings.files_pool else self.pool
        self._environment = args.plan.settings.name
        self.base: libvirt.Volume | None = None
        if settings.pool.kind == "dir":
            self.base = self._upload(f"{name}-image", image.source, self.pool, "qcow2")
        self.kernel = self._upload(f"{name}-kernel", image.kernel, self.files_pool, "raw") if image.kernel else None
        self.initrd = self._upload(f"{name}-initrd", image.initrd, self.files_pool, "raw") if image.initrd else None
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
