"""What a made-up host answers to `ops hypervisor describe`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import yaml

from ops.hypervisor.block import block
from ops.hypervisor.command import described
from ops.verify.model import Said
from tests.ops.hypervisor import made_devices
from tests.ops.hypervisor.made_capabilities import ONE_SOCKET, Node, capabilities
from tests.ops.hypervisor.made_devices import Domain, Nvme

URI = "qemu+ssh://root@kvm1.example/system"
VERSION = "Running hypervisor: QEMU 7.2.22\nRunning against daemon: 9.0.0\n"
NO_SHELL = Said(output="", exit_code=1, error="its URI gives no way to a shell")


def said(output: str, exit_code: int = 0) -> Said:
    return Said(output=output, exit_code=exit_code)


def answers(
    nodes: Mapping[int, Node] = ONE_SOCKET,
    *,
    domains: Mapping[str, Domain] | None = None,
    stopped: Collection[str] = (),
    drives: Sequence[Nvme] = (),
    pools: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Said]:
    """Its libvirt's."""
    domains, pools = domains or {}, pools or {}
    driven = [drive for drive in drives if drive.driver == "nvme"]
    bridge = Nvme(bus=0x3F, serial="none")
    return {
        "version": said(VERSION),
        "capabilities": said(capabilities(nodes)),
        "domains": said("".join(f"{name}\n" for name in domains)),
        "running": said("".join(f"{name}\n" for name in domains if name not in stopped)),
        "disks": said("".join(f"{drive.disk}\n" for drive in driven)),
        "devices": said("".join(f"{each.device}\n" for each in (bridge, *drives))),
        "pools": said("".join(f"{name}\n" for name in pools)),
        f"device {bridge.device}": said(made_devices.pci(bridge, "0x060400")),
        **{f"domain {name}": said(made_devices.domain(name, domain)) for name, domain in domains.items()},
        **{f"device {drive.device}": said(made_devices.pci(drive)) for drive in drives},
        **{f"disk {drive.disk}": said(made_devices.disk(drive)) for drive in driven},
        **{f"storage {name}": said(made_devices.pool(name, *devices)) for name, devices in pools.items()},
    }


def empty(*drives: Nvme) -> Said:
    """What lsblk says of drives with nothing on them."""
    return said("".join(f'{drive.path} NAME="{drive.path[5:]}" TYPE="disk" FSTYPE="" MOUNTPOINT=""\n' for drive in drives))


def text(found: dict[str, Said], told: Said = NO_SHELL, environment: str = "") -> str:
    """The block."""
    return block(described(URI, found, told, environment=environment))


def read(found: dict[str, Said], told: Said = NO_SHELL, environment: str = "") -> dict[str, Any]:
    """The block as YAML reads it."""
    return yaml.safe_load(text(found, told, environment))
