"""What a hypervisor is asked over its libvirt connection, in virsh's words. Two rounds: what the first names is looked at in the second."""

import re
import shlex
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from ops.doctor.host_xml import tree
from ops.verify.model import Said
from plan import NodePlan
from settings.hypervisor import Hypervisor

MARK = re.compile(r"@@underlay:([^@]+)@@\n?")


HOST = {
    "version": "version --daemon",
    "capabilities": "capabilities",
    "domains": "list --all --name",
    "running": "list --name",
    "disks": "nodedev-list --cap storage",
    "devices": "nodedev-list --cap pci",
    "pools": "pool-list --all --name",
}
"""What any host is asked, whatever a stack says of it."""


def first(hypervisor: Hypervisor) -> dict[str, str]:
    """Key to virsh command; all of them are allowed on a read-only connection."""
    asked = {**HOST, "memory": "nodememstats", "pages": "freepages --all", "networks": "net-list --all --name"}
    if not hypervisor.drives:  # a host has hundreds of PCI devices, and each is a question of its own
        del asked["devices"], asked["pools"]
    for key, pool in pools(hypervisor).items():
        asked[f"{key}"] = f"pool-dumpxml {shlex.quote(pool)}"
        asked[f"{key}-state"] = f"pool-info {shlex.quote(pool)} --bytes"
        asked[f"{key}-volumes"] = f"vol-list {shlex.quote(pool)}"
    if hypervisor.network.bridge is not None:
        asked["bridge"] = f"iface-dumpxml {hypervisor.network.bridge}"
    if hypervisor.network.libvirt_network is not None:
        asked["network"] = f"net-dumpxml {shlex.quote(hypervisor.network.libvirt_network)}"
        asked["network-state"] = f"net-info {shlex.quote(hypervisor.network.libvirt_network)}"
    return asked


def pools(hypervisor: Hypervisor) -> dict[str, str]:
    """Key of the question to the pool's name."""
    found = {"pool": hypervisor.pool.name}
    if hypervisor.files_pool is not None:
        found["files-pool"] = hypervisor.files_pool.name
    return found


def writable(hypervisor: Hypervisor) -> dict[str, str]:
    """What libvirt tells only on a connection that could write: what its QEMU can do (it may start one to ask it)."""
    return {"emulator": f"domcapabilities --virttype {hypervisor.domain_type} --machine q35"}


def second(hypervisor: Hypervisor, nodes: tuple[NodePlan, ...], said: Mapping[str, Said]) -> dict[str, str]:
    """Questions about everything that the first answers name: what any host has, volumes of the plan's own, leases."""
    asked = named(said) | {f"leases {name}": f"net-dhcp-leases {shlex.quote(name)}" for name in lines(said.get("networks"))}
    for key, pool in pools(hypervisor).items():
        there = volume_names(said.get(f"{key}-volumes"))
        for volume in own_volumes(nodes):
            if volume in there:
                asked[f"volume {volume}"] = f"vol-info {shlex.quote(volume)} --pool {shlex.quote(pool)} --bytes"
    network = tree(said.get("network"))
    bridge = network.find("bridge") if network is not None else None
    if bridge is not None and bridge.get("name"):
        asked["bridge"] = f"iface-dumpxml {shlex.quote(bridge.get('name', ''))}"
    return asked


DEFINITIONS = {
    "domains": ("domain", "dumpxml"),
    "disks": ("disk", "nodedev-dumpxml"),
    "devices": ("device", "nodedev-dumpxml"),
    "pools": ("storage", "pool-dumpxml"),
}


def named(said: Mapping[str, Said]) -> dict[str, str]:
    """The definition of every domain, disk, PCI device and pool that the answers to HOST name."""
    return {f"{key} {name}": f"{words} {shlex.quote(name)}" for listed, (key, words) in DEFINITIONS.items() for name in lines(said.get(listed))}


FEATURES = "cpu-baseline /dev/stdin --features"
"""The features of a CPU, all written out; virsh reads which CPU from a file."""


def cpus(nodes: tuple[NodePlan, ...], said: Mapping[str, Said]) -> dict[str, str]:
    """Key to what FEATURES is asked about: the host's CPU, and each model that is declared."""
    document = tree(said.get("capabilities"))
    if document is None:
        return {}
    arch = escape(document.findtext("host/cpu/arch", "x86_64"))
    models = sorted({node.cpu.model for node in nodes if node.cpu.model is not None})
    asked = {f"features of {model}": f"<cpu><arch>{arch}</arch><model>{escape(model)}</model></cpu>" for model in models}
    return {"features of the host": said["capabilities"].output, **asked}


def own_volumes(nodes: tuple[NodePlan, ...]) -> Iterator[str]:
    """Names of the root volumes that the plan's machines have, as components/machine.py names them."""
    return (f"{node.name}-root" for node in nodes)


def lines(said: Said | None) -> list[str]:
    """The names that an answer lists, one a line."""
    if said is None or said.error or said.exit_code != 0:
        return []
    return [line.strip() for line in said.output.splitlines() if line.strip()]


def volume_names(said: Said | None) -> set[str]:
    """The first column of a list of volumes."""
    return {line.split()[0] for line in lines(said)}


def batch(asked: Mapping[str, str]) -> str:
    """One line for virsh that asks everything over one connection, with a mark before each answer."""
    return "; ".join(f"echo {shlex.quote(f'@@underlay:{key}@@')}; {words}" for key, words in asked.items())


def split(output: str, asked: Mapping[str, str], *, late: str = "") -> dict[str, Said]:
    """The answers of a batch by key. virsh goes on after an error and flushes between its streams, so an error lies in its own part.

    `late` is why virsh was cut off, where it was: nobody knows whether its last answer is whole.
    """
    parts = MARK.split(output)
    found: dict[str, Said] = {}
    pairs = list(zip(parts[1::2], parts[2::2], strict=True))
    for key, text in pairs[:-1] if late else pairs:
        failed = any(line.startswith("error:") for line in text.splitlines())
        found[key] = Said(output=text, exit_code=1 if failed else 0)
    early = parts[0].strip().splitlines()
    why = late or (early[-1].removeprefix("error:").strip() if early else "virsh ended before it came to this")
    return {key: found.get(key, Said(output="", exit_code=1, error=why)) for key in asked}
