"""Pools: there, of the declared kind, active, with room for image and disks, and on NVMe."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ops.doctor.host_xml import sizes, tree, words
from ops.doctor.model import Finding, HostSeen, Part, Seen, passed, unseen, why_not
from ops.doctor.questions import volume_names
from ops.verify.model import Status
from plan import NodePlan
from settings.hypervisor import StoragePool

FAILED = Status.FAILED
GIB = 2**30


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about the pools of each hypervisor."""
    for host in seen.hosts.values():
        nodes = seen.nodes_on(host)
        pools = {"pool": host.settings.pool} | ({"files-pool": host.settings.files_pool} if host.settings.files_pool else {})
        for key, pool in pools.items():
            state = list(_state(host, key, pool))
            yield from state
            if any(finding.status is FAILED for finding in state):
                continue
            yield _space(host, key, pool, _wanted(seen, host, key, nodes))
            if key == "pool":
                yield _device(host, key)


def _state(host: HostSeen, key: str, pool: StoragePool) -> Iterator[Finding]:
    said, name, uri = host.virsh.get(key), f"{key}.state", host.settings.uri
    document, declared = tree(said), f"pool {pool.name}, kind {pool.kind}"
    if document is None and (said is None or said.error or "not found" not in said.output):
        yield unseen(name, host.name, why_not(said) or "its definition cannot be read", f"see what says: virsh -c {uri} pool-dumpxml {pool.name}")
    elif document is None and pool.managed:
        yield _to_be_made(host, key, declared)
    elif document is None:
        make = f"virsh -c {uri} pool-define-as {pool.name} {pool.kind} ..."
        remedy = f"make it ({make}, pool-start, pool-autostart), or write managed: true and where it shall lie"
        yield Finding(id=name, where=host.name, status=FAILED, declared=declared, found="no pool of this name", remedy=remedy)
    elif document.get("type") != pool.kind:
        kind = document.get("type", "?")
        remedy = f"write kind: {kind}" if kind in ("dir", "logical") else "name a pool of kind dir or logical"
        yield Finding(id=name, where=host.name, status=FAILED, declared=declared, found=f"kind {kind}", limit="dir or logical", remedy=remedy)
    else:
        state = words(host.virsh.get(f"{key}-state")).get("state", "")
        if state == "running":
            yield passed(name, host.name, f"active, kind {pool.kind}", declared=declared)
        else:
            remedy = f"virsh -c {uri} pool-start {pool.name}; virsh -c {uri} pool-autostart {pool.name}"
            found = state or why_not(host.virsh.get(f"{key}-state")) or "unknown"
            yield Finding(id=name, where=host.name, status=FAILED, declared=f"{declared}, active", found=found, remedy=remedy)


def _to_be_made(host: HostSeen, key: str, declared: str) -> Finding:
    missing = re.findall(r"^missing (\S+)$", host.told(f"{key}-block").output, re.MULTILINE)
    if missing:
        remedy = f"name devices of the host in hypervisors.{host.name}.{key.replace('-', '_')}.devices (on the host: lsblk -p)"
        return Finding(
            id=f"{key}.state", where=host.name, status=FAILED, declared=declared, found=f"no block device {', '.join(missing)}", remedy=remedy
        )
    return passed(f"{key}.state", host.name, "not there yet; `up` makes it", declared=declared)


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What a pool has to have room for."""

    now: int
    """Bytes that `up` writes."""
    growth: int
    """Bytes that disks may grow by afterwards."""
    what: str
    """What the first are for."""
    unknown: str
    """Parts whose size nobody tells."""


def _wanted(seen: Seen, host: HostSeen, key: str, nodes: Sequence[NodePlan]) -> _Wanted:
    environment, there = seen.plan.settings.name, volume_names(host.virsh.get(f"{key}-volumes"))
    logical, files = host.settings.pool.kind == "logical", host.settings.files_pool is not None
    parts = {part.setting: part for part in seen.operator.parts}
    settings = ["image.source"] if key == "pool" and not logical else []
    settings += ["image.kernel", "image.initrd"] if (key == "files-pool") == files else []
    new = [parts[name] for name in settings if name in parts and not _uploaded(environment, parts[name], there)]
    now = sum(part.size or 0 for part in new)
    what, unknown = (", ".join(part.setting for part in some) for some in (new, [part for part in new if part.size is None]))
    growth = sum(_growth(host, node) for node in nodes) if key == "pool" else 0
    if logical and key == "pool":
        return _Wanted(now=now + growth, growth=0, what="root volumes" + (f", {what}" if what else ""), unknown=unknown)
    return _Wanted(now=now, growth=growth, what=what or "nothing new", unknown=unknown)


def _uploaded(environment: str, part: Part, there: set[str]) -> bool:
    return any(name.startswith(f"{environment}-{PurePosixPath(part.source).stem}-") for name in there)


def _growth(host: HostSeen, node: NodePlan) -> int:
    """What a root volume does not take yet and may."""
    volume = sizes(host.virsh.get(f"volume {node.name}-root"))
    return max(node.disk.size_gib * GIB - volume.get("allocation", 0), 0)


def _space(host: HostSeen, key: str, pool: StoragePool, wanted: _Wanted) -> Finding:
    now, growth, what = wanted.now, wanted.growth, wanted.what
    name = f"{key}.space"
    known = _free(host, key)
    if not known:
        return unseen(name, host.name, "neither libvirt nor a shell tells how much is free", f"look on the host: df {pool.path or pool.name}")
    free = min(known)
    found = f"{_gib(free)} free"
    declared = f"{_gib(now)} for {what}" + (f", disks may grow by {_gib(growth)}" if growth else "")
    if now > free:
        remedy = f"free or add {_gib(now - free)} in pool {pool.name}, or place machines elsewhere"
        return Finding(id=name, where=host.name, status=FAILED, declared=declared, found=found, limit=_gib(free), remedy=remedy)
    if now + growth > free:
        remedy = f"add {_gib(now + growth - free)} to pool {pool.name} or lower disk.size_gib: machines stop when it is full"
        return Finding(id=name, where=host.name, status=FAILED, severity="warning", declared=declared, found=found, limit=_gib(free), remedy=remedy)
    if wanted.unknown:
        return unseen(name, host.name, f"{found}; the size of {wanted.unknown} is not known", "see image.files", severity="warning")
    return passed(name, host.name, found, declared=declared)


def _free(host: HostSeen, key: str) -> list[int]:
    """What is free as libvirt and as the shell say: libvirt 9.0 counts what a file system keeps for root (measured), df does not."""
    by_libvirt, told = sizes(host.virsh.get(f"{key}-state")).get("available"), host.told(f"{key}-block").output
    found = [int(size) for size in re.findall(r"^available (\d{1,18})$", told, re.MULTILINE)]
    if by_libvirt is not None:
        return [by_libvirt, *found]
    # the devices of a volume group that is still to be made are free as a whole
    devices = [int(size) for size in re.findall(r"^device (\d{1,18})$", told, re.MULTILINE)]
    return found + ([sum(devices)] if devices else [])


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"


def _device(host: HostSeen, key: str) -> Finding:
    """The disks at the bottom of what the pool lies on."""
    said = host.told(f"{key}-block")
    disks = list(dict.fromkeys(re.findall(r'NAME="([^"]*)" TYPE="disk" TRAN="([^"]*)" ROTA="([01])"', said.output)))
    if not disks:
        disks = _by_definition(host, key)
    if not disks:
        why = said.error or "what lies under it is no disk that lsblk knows"
        return unseen("pool.nvme", host.name, why, "look on the host: lsblk -s -o NAME,TRAN,ROTA on the pool's device", severity="warning")
    slow = [disk for disk in disks if disk[1] != "nvme" and not disk[0].startswith("/dev/nvme")]
    names = ", ".join(f"{name} ({tran or 'transport unknown'}{', rotational' if rota == '1' else ''})" for name, tran, rota in disks)
    if not slow:
        return passed("pool.nvme", host.name, names, declared="local NVMe")
    remedy = "put the pool on a local NVMe disk: etcd waits for every sync to it"
    return Finding(id="pool.nvme", where=host.name, status=FAILED, severity="warning", declared="local NVMe", found=names, remedy=remedy)


def _by_definition(host: HostSeen, key: str) -> list[tuple[str, str, str]]:
    """Without a shell the names of devices say it: those of a logical pool, else all disks of the host where they are all alike."""
    document = tree(host.virsh.get(key))
    devices = document.iterfind("source/device") if document is not None else ()
    paths = [path for each in devices if (path := each.get("path"))]
    if not paths:
        disks = [tree(said) for name, said in host.virsh.items() if name.startswith("disk ")]
        paths = [disk.findtext("capability/block", "") for disk in disks if disk is not None and disk.findtext("capability/drive_type") == "disk"]
    fast = [path.startswith("/dev/nvme") for path in paths]
    if paths and all(fast):
        return [(path, "nvme", "0") for path in paths]
    return [(path, "", "0") for path in paths] if not any(fast) else []
