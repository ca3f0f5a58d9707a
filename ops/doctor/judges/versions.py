"""libvirt and QEMU are new enough for what the stack declares."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen, why_not
from ops.verify.model import Status
from plan import NodePlan

Version = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Need:
    """A version that something needs, and who says so."""

    program: str
    version: Version
    why: str


ALWAYS = (
    Need(program="libvirt", version=(3, 9, 0), why="attribute queues of every root disk (libvirt, formatdomain: since 3.9.0)"),
    Need(program="QEMU", version=(2, 7, 0), why="several queues of virtio-blk (QEMU 2.7.0, as libvirt's patch for queues says)"),
)
MAXIMUM = Need(program="libvirt", version=(7, 1, 0), why="cpu.mode maximum (libvirt, formatdomain: since 7.1.0)")
URING = (
    Need(program="libvirt", version=(6, 3, 0), why="disk.io io_uring (libvirt, formatdomain: since 6.3.0)"),
    Need(program="QEMU", version=(5, 0, 0), why="disk.io io_uring (QEMU 5.0.0)"),
)

QUEUE_SIZE = (
    Need(program="libvirt", version=(7, 8, 0), why="a disk's queue_size (libvirt, formatdomain: since 7.8.0)"),
    Need(program="QEMU", version=(2, 12, 0), why="a disk's queue_size (QEMU 2.12.0, as libvirt's patch for queue_size says)"),
)
SEVERAL_THREADS = (
    Need(program="libvirt", version=(10, 0, 0), why="several I/O threads of one disk (libvirt, formatdomain: since 10.0.0)"),
    Need(program="QEMU", version=(9, 0, 0), why="several I/O threads of one disk (libvirt, formatdomain: QEMU 9.0)"),
)
NVME = Need(program="libvirt", version=(6, 0, 0), why="a whole NVMe drive as a disk (libvirt, formatdomain: since 6.0.0)")


def judge(seen: Seen) -> Iterator[Finding]:
    """One finding for libvirt and one for QEMU on each hypervisor that answers."""
    for host in seen.hosts.values():
        nodes = seen.nodes_on(host)
        for program in ("libvirt", "QEMU"):
            yield _judged(host, program, [need for need in needs(nodes) if need.program == program])


def needs(nodes: tuple[NodePlan, ...]) -> list[Need]:
    """Everything that asks for a version."""
    found = list(ALWAYS)
    if any(node.cpu.mode == "maximum" for node in nodes):
        found.append(MAXIMUM)
    beside = [disk for node in nodes for disk in node.disks]
    drivers = [*(node.disk for node in nodes), *(disk.driver for disk in beside if disk.driver is not None)]
    found += URING if any(driver.io == "io_uring" for driver in drivers) else ()
    found += QUEUE_SIZE if any(driver.queue_size is not None for driver in drivers) else ()
    found += SEVERAL_THREADS if any(driver.io_threads > 1 for driver in drivers) else ()
    if any(disk.drive is not None and disk.drive.kind == "nvme" for disk in beside):
        found.append(NVME)
    return found


def running(host: HostSeen, program: str) -> Version | None:
    """The version that a host runs: of the daemon, not of the library here."""
    said = host.virsh.get("version")
    if said is None or why_not(said):
        return None
    pattern = r"Running against daemon: (\d+)\.(\d+)\.(\d+)" if program == "libvirt" else r"Running hypervisor: QEMU (\d+)\.(\d+)\.(\d+)"
    found = re.search(pattern, said.output)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def _judged(host: HostSeen, program: str, asked: list[Need]) -> Finding:
    name = f"host.{program.lower()}-version"
    found, highest = running(host, program), max(asked, key=lambda need: need.version)
    if found is None:
        why = why_not(host.virsh.get("version")) or f"virsh version names no {program}"
        return unseen(name, host.name, why, f"see what says: virsh -c {host.settings.uri} version --daemon")
    limit = f"{_text(highest.version)} or newer: {highest.why}"
    if found >= highest.version:
        return passed(name, host.name, _text(found), limit=limit)
    remedy = f"install {program} {_text(highest.version)} or newer on the hypervisor (its distribution's next release)"
    return Finding(id=name, where=host.name, status=Status.FAILED, found=_text(found), limit=limit, remedy=remedy)


def _text(version: Version) -> str:
    return ".".join(map(str, version))
