"""One KVM machine. With hypervisor.py the only modules that know pulumi-libvirt."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_libvirt as libvirt
import pulumi_tls as tls
from pulumi import ResourceHookBinding, ResourceOptions

from components import facts
from components.hypervisor import Hypervisor
from components.neighbours import can_clash
from plan import DiskPlan, NodePlan, Plan
from render import domain, seed
from render import volume as volume_xml

GIB = 1024**3
ONLY_NOTED = ["cloudinit", "cmdlines", "initrd", "kernel", "machine", "networkInterfaces"]
"""Changes that the provider would note in its state and not make on the domain."""


@dataclass(frozen=True, kw_only=True)
class MachineArgs:
    """A planned node, the hypervisor that carries it, and what it must wait for."""

    plan: Plan
    node: NodePlan
    hypervisor: Hypervisor
    authorized_key: pulumi.Input[str]
    after: Sequence[pulumi.Input[pulumi.Resource]]
    """Nodes that must be there before this machine may be made or replaced."""


class Machine(pulumi.ComponentResource):
    """A domain on a root volume of its own, with data disks where declared, and a cloud-init seed that holds its identity only.

    vCPUs, memory, CPU, NIC, disk driver, seat and data disks replace the domain and keep the volumes; image and root disk size replace both. A
    control plane's root and etcd volume are protected (protection.control_plane_disks), because etcd lies on them: a new etcd volume brings a
    new root volume with it, since a member of etcd without its data is none.
    """

    def __init__(self, name: str, args: MachineArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("underlay:compute:Machine", name, facts.of_machine(args.plan, args.node), opts)
        self._args = args
        host_key = tls.PrivateKey(f"{name}-host-key", algorithm="ED25519", opts=ResourceOptions(parent=self))
        self.host_key: pulumi.Output[str] = host_key.public_key_openssh.apply(str.strip)
        self._libvirt = ResourceOptions(parent=self, provider=args.hypervisor.provider, delete_before_replace=True, depends_on=args.after)
        data = {disk.purpose: self._data(name, disk) for disk in args.node.disks if disk.volume is not None}
        volume = self._root(name, [data["etcd"]] if "etcd" in data else [])
        disks = [libvirt.DomainDiskArgs(volume_id=volume.id)]
        for disk in domain.attached(args.node):
            whole = disk.drive.place if disk.drive is not None else None
            disks.append(libvirt.DomainDiskArgs(block_device=whole) if whole else libvirt.DomainDiskArgs(volume_id=data[disk.purpose].id))
        machine = self._domain(name, disks, self._seed(name, host_key))
        self.volume_id: pulumi.Output[str] = volume.id
        self.domain_id: pulumi.Output[str] = machine.id
        self.register_outputs({"domain_id": self.domain_id, "host_key": self.host_key})

    def _keep(self, *, precious: bool, replace_with: Sequence[pulumi.Resource] = ()) -> ResourceOptions:
        """Options of a volume; a control plane's precious ones are protected."""
        protect = precious and self._args.node.is_control_plane and self._args.plan.settings.protection.control_plane_disks
        return ResourceOptions.merge(self._libvirt, ResourceOptions(protect=protect, replace_with=list(replace_with)))

    def _data(self, name: str, disk: DiskPlan) -> libvirt.Volume:
        """An empty volume in the hypervisor's pool; `prepare` makes the file system on it."""
        hypervisor = self._args.hypervisor
        kind = "qcow2" if hypervisor.settings.pool.kind == "dir" else "raw"
        return libvirt.Volume(
            f"{name}-{disk.purpose}",
            name=disk.volume,
            pool=hypervisor.pool,
            size=disk.size_gib * GIB,
            format=kind,
            opts=self._keep(precious=disk.purpose == "etcd"),
        )

    def _root(self, name: str, etcd: Sequence[libvirt.Volume]) -> libvirt.Volume:
        node, hypervisor = self._args.node, self._args.hypervisor
        keep = self._keep(precious=True, replace_with=etcd)
        size = node.disk.size_gib * GIB
        if hypervisor.base is not None:
            return libvirt.Volume(
                f"{name}-root", name=node.root_volume, pool=hypervisor.pool, base_volume_id=hypervisor.base.id, size=size, format="qcow2", opts=keep
            )
        xslt = libvirt.VolumeXmlArgs(xslt=volume_xml.capacity_xslt(size))  # the provider takes no size beside a source
        raw = self._args.plan.settings.image.raw
        return libvirt.Volume(f"{name}-root", name=node.root_volume, pool=hypervisor.pool, source=raw, xml=xslt, opts=keep)

    def _seed(self, name: str, host_key: tls.PrivateKey) -> libvirt.CloudInitDisk:
        args = self._args

        def user_data(parts: Sequence[str]) -> str:
            private, public, authorized = parts
            return seed.user_data(args.node, host_key=private, host_key_public=public, authorized_key=authorized)

        parts = pulumi.Output.all(host_key.private_key_openssh, self.host_key, args.authorized_key)
        return libvirt.CloudInitDisk(
            f"{name}-seed",
            name=f"{name}-seed.iso",
            pool=args.hypervisor.files_pool,
            user_data=pulumi.Output.secret(parts.apply(user_data)),
            meta_data=seed.meta_data(args.node),
            network_config=seed.network_config(args.plan, args.node),
            opts=self._libvirt,
        )

    def _domain(self, name: str, disks: list[libvirt.DomainDiskArgs], cloud_init: libvirt.CloudInitDisk) -> libvirt.Domain:
        """The domain; `disks` begin with the root disk, whose place the stylesheet counts on as on that of the others."""
        node, hypervisor, plan = self._args.node, self._args.hypervisor, self._args.plan
        hooks = ResourceHookBinding(before_create=[hypervisor.neighbours.hook]) if can_clash(node) else None
        mode = None if node.cpu.mode == "custom" else node.cpu.mode
        attachment = hypervisor.settings.network
        direct_boot = hypervisor.kernel is not None and hypervisor.initrd is not None
        cmdline = " ".join(plan.settings.image.cmdline)
        return libvirt.Domain(
            f"{name}-domain",
            name=name,
            type=hypervisor.settings.domain_type,
            machine="q35",
            vcpu=node.vcpus,
            memory=node.memory_mib,
            cpu=libvirt.DomainCpuArgs(mode=mode) if mode else None,
            kernel=hypervisor.kernel.id if hypervisor.kernel is not None else None,
            initrd=hypervisor.initrd.id if hypervisor.initrd is not None else None,
            cmdlines=[{"_": cmdline}] if direct_boot else None,
            disks=disks,
            cloudinit=cloud_init.id,
            network_interfaces=[
                libvirt.DomainNetworkInterfaceArgs(
                    bridge=attachment.bridge, network_name=attachment.libvirt_network, mac=node.mac, wait_for_lease=False
                )
            ],
            consoles=[libvirt.DomainConsoleArgs(type="pty", target_port="0", target_type="serial")],
            autostart=True,
            running=True,
            xml=libvirt.DomainXmlArgs(xslt=domain.domain_xslt(node, hypervisor.settings, environment=plan.settings.name)),
            opts=ResourceOptions.merge(self._libvirt, ResourceOptions(replace_on_changes=ONLY_NOTED, hooks=hooks)),
        )
