"""What the machines' NICs are attached to: there, up, and with room for the declared MTU."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from ops.doctor.host_xml import mtu, number, tree, words
from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen, why_not
from ops.verify.model import Said, Status

FAILED = Status.FAILED


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about the link of each hypervisor."""
    for host in seen.hosts.values():
        if host.settings.network.libvirt_network is not None:
            yield from _network(seen, host, host.settings.network.libvirt_network)
        else:
            yield from _bridge(seen, host, host.settings.network.bridge or "")


def _bridge(seen: Seen, host: HostSeen, name: str) -> Iterator[Finding]:
    said, shell = host.virsh.get("bridge"), host.by_shell.get("bridge")
    document = tree(said)
    by_shell = number(shell.output.strip().split("\n")[0]) if shell is not None and shell.exit_code == 0 else 0
    missing = (said is not None and "not found" in said.output) or (document is None and shell is not None and shell.exit_code != 0)
    if document is None and not by_shell and missing:
        yield _absent(host, f"bridge {name}", f"ip link add {name} type bridge, with the host's NIC as its port, in the host's own configuration")
    elif kind := _no_bridge(document, shell):
        found = f"{name} is {kind}"
        yield Finding(
            id="link.there", where=host.name, status=FAILED, declared=f"bridge {name}", found=found, remedy="name a bridge in network.bridge"
        )
    elif document is None and not by_shell:
        yield unseen("link.there", host.name, why_not(said) or "no word", f"look on the host: ip -d link show {name}")
    else:
        yield passed("link.there", host.name, "there", declared=f"bridge {name}")
        yield _mtu(seen, host, f"bridge {name}", by_shell or mtu(said), f"ip link set {name} mtu {seen.plan.settings.network.mtu}")
        yield from _ports(seen, host, shell)


def _no_bridge(document: ElementTree.Element | None, shell: Said | None) -> str:
    if document is not None and document.get("type") not in ("bridge", None):
        return f"of kind {document.get('type')}"
    return "no bridge" if shell is not None and "no bridge" in shell.output.splitlines() else ""


def _absent(host: HostSeen, declared: str, remedy: str) -> Finding:
    return Finding(id="link.there", where=host.name, status=FAILED, declared=declared, found="not there", remedy=f"make it ({remedy})")


def _mtu(seen: Seen, host: HostSeen, what: str, found: int, remedy: str) -> Finding:
    wanted = seen.plan.settings.network.mtu
    declared = f"network.mtu {wanted}"
    if not found:
        return unseen("link.mtu", host.name, f"nobody tells the MTU of {what}", "look on the host: ip link show")
    if found >= wanted:
        return passed("link.mtu", host.name, f"{what}: {found}", declared=declared)
    return Finding(
        id="link.mtu",
        where=host.name,
        status=FAILED,
        declared=declared,
        found=f"{what}: {found}",
        limit=f"{found}",
        remedy=f"on the hypervisor: {remedy} (its ports and the switch too), or write network.mtu: {found}",
    )


def _ports(seen: Seen, host: HostSeen, shell: Said | None) -> Iterator[Finding]:
    """A NIC below the bridge with a smaller MTU drops what the bridge lets through. Machines' taps are their own affair."""
    wanted = seen.plan.settings.network.mtu
    ports = re.findall(r"^port (\S+) (\d{1,6})$", shell.output, re.MULTILINE) if shell is not None else []
    for port, size in ports:
        if int(size) < wanted and not re.match(r"(vnet|tap|veth)", port):
            yield Finding(
                id="link.port-mtu",
                where=host.name,
                status=FAILED,
                declared=f"network.mtu {wanted}",
                found=f"port {port}: {size}",
                limit=size,
                remedy=f"on the hypervisor: ip link set {port} mtu {wanted}",
            )


def _network(seen: Seen, host: HostSeen, name: str) -> Iterator[Finding]:
    said, uri, declared = host.virsh.get("network"), host.settings.uri, f"libvirt network {name}"
    document = tree(said)
    if document is None:
        if said is not None and "not found" in said.output:
            yield _absent(host, declared, f"virsh -c {uri} net-define FILE; net-start {name}; net-autostart {name}")
        else:
            yield unseen("link.there", host.name, why_not(said) or "no word", f"see what says: virsh -c {uri} net-dumpxml {name}")
        return
    if words(host.virsh.get("network-state")).get("active") != "yes":
        remedy = f"virsh -c {uri} net-start {name}; virsh -c {uri} net-autostart {name}"
        yield Finding(id="link.there", where=host.name, status=FAILED, declared=f"{declared}, active", found="not active", remedy=remedy)
        return
    yield passed("link.there", host.name, "active", declared=declared)
    found = mtu(said) or mtu(host.virsh.get("bridge"))
    yield _mtu(seen, host, declared, found, f'write <mtu size="{seen.plan.settings.network.mtu}"/> into the network: virsh -c {uri} net-edit {name}')
