"""What cannot be made again does not go by accident."""

from collections.abc import Iterator
from typing import Final

from policy.facts import environment, machine_of
from policy.model import Resource, Stack
from policy.rule import Rule

_AUTHORITY: Final = "underlay:authorities:Authority"
_KEYS: Final = ("tls:index/privateKey:PrivateKey", "tls:index/selfSignedCert:SelfSignedCert")
_VOLUME: Final = "libvirt:index/volume:Volume"
_POOL: Final = "libvirt:index/pool:Pool"
_ENCRYPTION: Final = "random:index/randomBytes:RandomBytes"
_NAMES: Final = {"authorities": "authorities", "controlPlaneDisks": "control_plane_disks"}
"""Facts that lift a protection, and the settings behind them."""


def judge(resource: Resource, stack: Stack) -> Iterator[str]:
    """A resource that holds what nothing else holds, without protection and with nothing that declares so."""
    if resource.protect:
        return
    what, setting = _irreplaceable(resource, stack)
    declared = environment(stack)
    if what and not (setting and declared is not None and declared.value("protection", setting) is False):
        remedy = f", or for the run that replaces it declare protection.{_NAMES[setting]}: false" if setting else ""
        yield f"{resource.name} is {what}, and is not protected; register it with ResourceOptions(protect=True){remedy}"


def _irreplaceable(resource: Resource, stack: Stack) -> tuple[str, str]:
    """What is lost with a resource, empty for most, and the fact that lifts its protection."""
    if resource.type in _KEYS and stack.above(resource, _AUTHORITY) is not None:
        return "of an authority that every node trusts", "authorities"
    if resource.type == _KEYS[0] and resource.name.endswith("-service-accounts-key"):
        return "the key that signs every service account's token", "authorities"
    if resource.type == _ENCRYPTION and resource.name.endswith("-encryption-key"):
        return "the key without which etcd's Secrets cannot be read", "authorities"
    if resource.type == _POOL:
        return "a storage pool, whose deletion deletes all volumes in it", ""
    if resource.type == _VOLUME:
        machine = machine_of(resource, stack)
        if machine is not None and machine.is_control_plane and not resource.name.endswith("-containerd"):
            return f"a disk of {machine.node} on which etcd may lie", "controlPlaneDisks"
    return "", ""


RULE: Final = Rule(
    id="protection",
    level="mandatory",
    demand="Authorities, etcd's disks and storage pools are protected.",
    reason="Replacing an authority cuts every node off, and a deleted volume of etcd is the cluster's memory: nobody should get that from an edit that means something else.",
    source="Pulumi documentation, Resource options, protect",
    judge=judge,
)
