"""PCI devices, disks, pools and domains of made-up hosts in libvirt's XML, held against its schemas by a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Nvme:
    """An NVMe drive in a slot."""

    bus: int
    serial: str
    gib: int = 894
    numa: int | None = 0
    driver: str = "nvme"
    """Which driver the host's kernel has for it; with vfio-pci it has no block device."""
    group: Sequence[int] = ()
    """Buses of the devices in its IOMMU group; empty: it has none."""
    number: int = 0
    """Of its block device."""

    @property
    def device(self) -> str:
        return f"pci_0000_{self.bus:02x}_00_0"

    @property
    def disk(self) -> str:
        return f"block_nvme{self.number}n1_SAMSUNG_{self.serial}"

    @property
    def path(self) -> str:
        return f"/dev/nvme{self.number}n1"


def pci(drive: Nvme, kind: str = "0x010802") -> str:
    """A PCI device."""
    addresses = "".join(f"<address domain='0x0000' bus='{bus:#04x}' slot='0x00' function='0x0'/>" for bus in drive.group)
    group = f"<iommuGroup number='{drive.bus}'>{addresses}</iommuGroup>" if drive.group else ""
    numa = f"<numa node='{drive.numa}'/>" if drive.numa is not None else ""
    return f"""\
<device>
  <name>{drive.device}</name>
  <path>/sys/devices/pci0000:40/0000:40:01.1/0000:{drive.bus:02x}:00.0</path>
  <parent>pci_0000_40_01_1</parent>
  <driver>
    <name>{drive.driver}</name>
  </driver>
  <capability type='pci'>
    <class>{kind}</class>
    <domain>0</domain>
    <bus>{drive.bus}</bus>
    <slot>0</slot>
    <function>0</function>
    <product id='0xa80a'>NVMe SSD Controller PM9A1/PM9A3/980PRO</product>
    <vendor id='0x144d'>Samsung Electronics Co Ltd</vendor>
    {group}
    {numa}
    <pci-express>
      <link validity='cap' port='0' speed='16' width='4'/>
      <link validity='sta' speed='16' width='4'/>
    </pci-express>
  </capability>
</device>
"""


def disk(drive: Nvme) -> str:
    """The block device of a drive."""
    return f"""\
<device>
  <name>{drive.disk}</name>
  <path>/sys/devices/pci0000:40/0000:40:01.1/0000:{drive.bus:02x}:00.0/nvme/nvme{drive.number}/nvme{drive.number}n1</path>
  <devnode type='dev'>{drive.path}</devnode>
  <devnode type='link'>/dev/disk/by-id/nvme-eui.36344830{drive.serial}</devnode>
  <devnode type='link'>/dev/disk/by-id/nvme-SAMSUNG_MZQL2960HCJR_{drive.serial}</devnode>
  <devnode type='link'>/dev/disk/by-path/pci-0000:{drive.bus:02x}:00.0-nvme-1</devnode>
  <parent>{drive.device}</parent>
  <capability type='storage'>
    <block>{drive.path}</block>
    <drive_type>disk</drive_type>
    <model>SAMSUNG MZQL2960HCJR-00A07</model>
    <serial>{drive.serial}</serial>
    <size>{drive.gib * GIB + 4096}</size>
    <logical_block_size>512</logical_block_size>
    <num_blocks>{drive.gib * GIB // 512 + 8}</num_blocks>
  </capability>
</device>
"""


def pool(name: str, *devices: str) -> str:
    """A logical pool."""
    sources = "".join(f"<device path='{device}'/>" for device in devices)
    return f"""\
<pool type='logical'>
  <name>{name}</name>
  <uuid>8171f6bf-6ba6-46cb-b448-b2d2a93e0c62</uuid>
  <capacity unit='bytes'>0</capacity>
  <allocation unit='bytes'>0</allocation>
  <available unit='bytes'>0</available>
  <source>{sources}<name>{name}</name><format type='lvm2'/></source>
  <target><path>/dev/{name}</path></target>
</pool>
"""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """What a machine of others takes."""

    vcpus: int = 8
    mib: int = 32768
    pins: Mapping[int, str] | None = None
    cpuset: str = ""
    page_kib: int | None = None
    """0: huge pages of no named size."""
    nodeset: str = ""
    mode: str = "strict"
    nvme: int | None = None
    """Bus of a drive that it has by <disk type='nvme'>."""
    passed: int | None = None
    """Bus of a drive that it has by <hostdev>."""
    block: str = ""
    environment: str = ""


def domain(name: str, made: Domain) -> str:
    """Its definition."""
    mark = (
        f"<underlay:machine xmlns:underlay='https://underlay.dev/libvirt/1' environment='{made.environment}' node='{name}' cpu-policy='dedicated'/>"
    )
    page = f"<page size='{made.page_kib}' unit='KiB'/>" if made.page_kib else ""
    pins = "".join(f"<vcpupin vcpu='{vcpu}' cpuset='{cpus}'/>" for vcpu, cpus in (made.pins or {}).items())
    tuned = f"<cputune>{pins}<emulatorpin cpuset='0-1'/></cputune>" if pins else ""
    numa = f"<numatune><memory mode='{made.mode}' nodeset='{made.nodeset}'/></numatune>" if made.nodeset else ""
    return f"""\
<domain type='kvm'>
  <name>{name}</name>
  <uuid>b90d7c2a-3ca9-4626-888f-8af41ab3a502</uuid>
  {f"<metadata>{mark}</metadata>" if made.environment else ""}
  <memory unit='KiB'>{made.mib * 1024}</memory>
  <currentMemory unit='KiB'>{made.mib * 1024}</currentMemory>
  {f"<memoryBacking><hugepages>{page}</hugepages></memoryBacking>" if made.page_kib is not None else ""}
  <vcpu placement='static'{f" cpuset='{made.cpuset}'" if made.cpuset else ""}>{made.vcpus}</vcpu>
  {tuned}
  {numa}
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    {_disks(made)}
    <memballoon model='none'/>
  </devices>
</domain>
"""


def _disks(made: Domain) -> str:
    address = "<address type='pci' domain='0x0000' bus='{:#04x}' slot='0x00' function='0x0'/>"
    found = ""
    if made.block:
        found += (
            f"<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='{made.block}'/><target dev='vda' bus='virtio'/></disk>"
        )
    if made.nvme is not None:
        plain = address.format(made.nvme).replace(" type='pci'", "")
        found += "<disk type='nvme' device='disk'><driver name='qemu' type='raw'/>"
        found += f"<source type='pci' managed='yes' namespace='1'>{plain}</source><target dev='vdb' bus='virtio'/></disk>"
    if made.passed is not None:
        plain = address.format(made.passed).replace(" type='pci'", "")
        found += f"<hostdev mode='subsystem' type='pci' managed='yes'><source>{plain}</source></hostdev>"
    return found
