"""etcd on local NVMe."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policy.facts import Machine, drive_of, hypervisor_of, machine_of, pool_media
from policy.model import Resource, Stack
from policy.rule import Rule
from policy.seats import DOMAIN

_NVME: Final = "nvme"


def judge(resource: Resource, stack: Stack) -> Iterator[str]:
    """A control plane whose etcd lies on something that is no NVMe drive, or of which nobody knows what it is."""
    machine = machine_of(resource, stack) if resource.type == DOMAIN else None
    if machine is None or not machine.is_control_plane:
        return
    disks = {str(disk.get("purpose")): disk for disk in machine.disks}
    disk = disks.get("etcd") or disks.get("root")
    hypervisor = hypervisor_of(resource, stack)
    if disk is None or hypervisor is None:
        yield f"{machine.node} is a control plane, and nothing says which disk etcd lies on; register its disks and its hypervisor"
        return
    media, where = _media(disk, hypervisor)
    if media != _NVME:
        yield _message(machine, where, media)


def _media(disk: Mapping[str, Any], hypervisor: Resource) -> tuple[str, str]:
    """What the disk is made of, and what that is called."""
    kind, host = str(disk.get("kind")), hypervisor.text("hypervisor")
    if kind == _NVME:
        return _NVME, ""
    if kind == "volume":
        pool = str(disk.get("pool") or "")
        return pool_media(hypervisor, pool), f"storage pool {pool} of {host}"
    name = str(disk.get("drive") or "")
    drive = drive_of(hypervisor, name)
    named = _NVME if "nvme" in str(drive.get("device") or "") else ""
    return str(drive.get("media") or "") or named, f"drive {name} of {host}"


def _message(machine: Machine, where: str, media: str) -> str:
    known = f"which is {media}" if media else "of which nobody has said what it is"
    return (
        f"etcd of {machine.node} lies on {where}, {known}, allowed: nvme; "
        f"{'choose a pool or drive on NVMe' if media else 'run `python -m ops hypervisor describe` and write its media'}, or give it an etcd_disk of kind drive"
    )


RULE: Final = Rule(
    id="control-plane-nvme",
    level="mandatory",
    demand="Control planes keep etcd on a local NVMe drive.",
    reason="etcd answers a write after its log is on the disk: each write of the cluster waits for one fsync, and a slow disk loses leaders.",
    source="etcd documentation, Hardware recommendations, Disks",
    judge=judge,
)
