"""Drives that machines are declared to have whole: there, large enough, with an IOMMU group of their own where they leave the host, and nobody else's."""

import shlex
from collections.abc import Iterator

from ops.doctor.machines import machines
from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen
from ops.hypervisor import drives
from ops.hypervisor.model import Drive as Found
from ops.verify.model import Status
from settings.topology import Drive

FAILED = Status.FAILED


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about the drives of each hypervisor."""
    for host in seen.hosts.values():
        if not host.settings.drives:
            continue
        there = machines(host, seen.nodes_on(host))
        known, why = drives.drives(host.virsh, there.others, host.told("drives"))
        if why:
            yield unseen("host.drives", host.name, why, "look on the host: lsblk, lspci -nn")
            continue
        for name, declared in host.settings.drives.items():
            if any(declared.place in each.pci | each.blocks for each in there.own.values()):
                yield passed("host.drives", host.name, "a machine of the plan has it", declared=f"drive {name}: {declared.kind} {declared.place}")
            else:
                yield _judged(host, name, declared, known)


def _judged(host: HostSeen, name: str, declared: Drive, known: list[Found]) -> Finding:
    found = next((each for each in known if declared.place in (each.address, *each.names)), None)
    words = f"drive {name}: {declared.kind} {declared.place}, {declared.size_gib} GiB"
    problem = _problem(host, declared, found)
    if problem:
        what, remedy = problem
        return Finding(id="host.drives", where=host.name, status=FAILED, declared=words, found=what, remedy=remedy)
    if found is not None and found.doubt:
        return unseen("host.drives", host.name, f"{words}: {found.doubt}", f"look on the host: lsblk {declared.place}", severity="warning")
    size = found.size_gib if found is not None else drives.block_sizes(host.virsh).get(declared.place)
    return passed("host.drives", host.name, f"there{f', {size} GiB' if size else ''}, nobody else's", declared=words)


def _problem(host: HostSeen, declared: Drive, found: Found | None) -> tuple[str, str] | None:
    """What is wrong with a drive, and what to do about it."""
    anew = f"name what is there (python -m ops hypervisor describe {shlex.quote(host.settings.uri)})"
    there = declared.place in (drives.block_sizes(host.virsh) if declared.kind == "block" else drives.devices(host.virsh))
    size = found.size_gib if found is not None else drives.block_sizes(host.virsh).get(declared.place)
    if not there:
        return "not there", anew
    if found is None and declared.kind == "nvme":
        return "a PCI device that is no NVMe drive", anew
    if found is not None and found.taken:
        return f"taken by {found.taken}", "take it from who has it, or declare another drive"
    if found is not None and found.kind == "block" and declared.kind != "block":
        return "it has no IOMMU group of its own, so that it cannot leave the host", "switch the IOMMU on (firmware, kernel), or declare kind: block"
    if size is not None and size < declared.size_gib:
        return f"{size} GiB", f"write size_gib: {size}"
    return None
