"""In what a running machine's definition differs from its plan: each difference with the declared and the found value."""

from collections.abc import Iterable, Iterator, Mapping

from ops.verify.reading.definition import FoundDisk, Machine
from plan import DiskPlan, NodePlan, Plan
from render.domain import PAGE_KIB, io_threads
from settings.disks import DiskDriver
from settings.forms import cpu_ranges, parse_cpu_set
from settings.hypervisor import Hypervisor

ROOT = "vda"
LOCAL = {"dir": ("file", "volume"), "logical": ("block", "volume")}
"""Types of a disk that is a volume in a pool of each kind; anything else is elsewhere."""


def differences(plan: Plan, node: NodePlan, found: Machine) -> Iterator[str]:
    """Everything that is not as declared."""
    host = plan.settings.hypervisors[node.hypervisor]
    yield from _size(node, found)
    yield from _pinned(node, found)
    yield from _memory(node, found)
    yield from _cpu(node, found)
    yield from _root(host, node, found)
    for disk in node.disks:
        yield from _data(host, disk, found)
    yield from _threads(node, found)
    yield from _nic(node, found)
    if found.balloon != "none":
        yield f"memory balloon is {found.balloon or 'unset'}, declared none"
    yield from _unlike("mark", {"environment": plan.settings.name, "node": node.name, "cpu-policy": node.cpu_policy}, found.mark)


def _size(node: NodePlan, found: Machine) -> Iterator[str]:
    if found.vcpus != str(node.vcpus):
        yield f"{found.vcpus or 'unknown'} vCPUs, declared {node.vcpus}"
    if found.memory_kib != str(node.memory_mib * 1024):
        mib = f"{int(found.memory_kib) / 1024:g} MiB" if found.memory_kib else "unknown"
        yield f"memory is {mib}, declared {node.memory_mib} MiB"


def _pinned(node: NodePlan, found: Machine) -> Iterator[str]:
    for vcpu in range(node.vcpus):
        wanted = node.vcpu_pins[vcpu] if node.vcpu_pins else ()
        yield from _held(f"vCPU {vcpu}", wanted, found.vcpu_pins.get(str(vcpu), ""))
    yield from _held("QEMU's own threads", node.emulator_cpus, found.emulator)
    for thread in range(1, io_threads(node) + 1):
        yield from _held(f"I/O thread {thread}", node.emulator_cpus, found.io_thread_pins.get(str(thread), ""))


def _held(what: str, wanted: Iterable[int], found: str) -> Iterator[str]:
    declared = set(wanted)
    if _cpus(found) != declared:
        yield f"{what} on {found or 'any CPU'}, declared {cpu_ranges(declared) or 'any CPU'}"


def _cpus(text: str) -> set[int] | None:
    """CPUs as libvirt writes them; None where that cannot be read."""
    cpus = set[int]()
    for part in text.split(",") if text else ():
        word = part.strip()
        try:
            named = set(parse_cpu_set(word.removeprefix("^")))
        except ValueError:
            return None
        cpus = cpus - named if word.startswith("^") else cpus | named
    return cpus


def _memory(node: NodePlan, found: Machine) -> Iterator[str]:
    wanted = str(PAGE_KIB[node.hugepages]) if node.hugepages else ""
    if wanted != found.page_kib:
        yield f"huge pages of {found.page_kib or 'no'} KiB, declared {wanted or 'none'}"
    if node.lock_memory != found.locked:
        yield f"memory is {'locked' if found.locked else 'not locked'}, declared {'locked' if node.lock_memory else 'not locked'}"
    nodes = _cpus(found.numa.get("nodeset", ""))
    bound = f"NUMA node {found.numa['nodeset']} ({found.numa.get('mode', 'strict')})" if nodes else "none"
    if node.numa_node is None and nodes:
        yield f"memory is bound to {bound}, declared none"
    elif node.numa_node is not None and (nodes != {node.numa_node} or found.numa.get("mode", "strict") != "strict"):
        yield f"memory is bound to {bound}, declared NUMA node {node.numa_node} (strict)"


def _cpu(node: NodePlan, found: Machine) -> Iterator[str]:
    wanted = node.cpu
    # libvirt writes a running host-model out as the custom model that it has become
    written_out = wanted.mode == "host-model" and found.cpu_mode == "custom"
    if found.cpu_mode != wanted.mode and not written_out:
        yield f"CPU mode is {found.cpu_mode or 'unset'}, declared {wanted.mode}"
    if wanted.model is not None and found.cpu_model != wanted.model:
        yield f"CPU model is {found.cpu_model or 'unset'}, declared {wanted.model}"
    for name, policy in sorted(wanted.features.items()):
        has = found.cpu_features.get(name, "")
        # what the written-out model has by itself, or lacks, is not named again
        if has != policy and not (written_out and not has):
            yield f"CPU feature {name} is {has or 'unset'}, declared {policy}"
    if node.guest_topology is not None:
        topology = {name: str(getattr(node.guest_topology, name)) for name in ("sockets", "cores", "threads")}
        yield from _unlike("CPU topology", topology, found.cpu_topology)


def _root(host: Hypervisor, node: NodePlan, found: Machine) -> Iterator[str]:
    there = found.disks.get(ROOT)
    if there is None:
        yield f"disk {ROOT} is not there"
        return
    yield from _driven("disk", node.disk, there)
    yield from _volume("disk", host, node.root_volume, there)


def _driven(what: str, wanted: DiskDriver, found: FoundDisk, unused: tuple[str, ...] = ()) -> Iterator[str]:
    yield from _unlike(what, _driver(wanted, unused), found.driver)
    if len(found.threads) != wanted.io_threads:
        yield f"{what} has {len(found.threads) or 'no'} I/O threads, declared {wanted.io_threads}"
    if found.bus != "virtio":
        yield f"{what} is on bus {found.bus or 'unknown'}, expected virtio"


def _driver(wanted: DiskDriver, unused: tuple[str, ...] = ()) -> dict[str, str]:
    """Attributes that are rendered of it."""
    size = {"queue_size": str(wanted.queue_size)} if wanted.queue_size is not None else {}
    every = {"cache": wanted.cache, "io": wanted.io, "discard": wanted.discard, "queues": str(wanted.queues), **size}
    return {name: value for name, value in every.items() if name not in unused}


def _volume(what: str, host: Hypervisor, volume: str, found: FoundDisk) -> Iterator[str]:
    """The stack's own volume, in the pool on the machine's hypervisor; a snapshot beside it, or a copy elsewhere, is another disk."""
    place = found.source.get("volume") or found.source.get("file") or found.source.get("dev") or "unknown"
    local = LOCAL[host.pool.kind]
    if found.type not in local:
        yield f"{what} is of type {found.type or 'unknown'}, expected {' or '.join(local)} (pool of kind {host.pool.kind})"
    elif found.type == "volume" and found.source.get("pool") != host.pool.name:
        yield f"{what} is in pool {found.source.get('pool', 'unknown')}, declared {host.pool.name}"
    elif place.rpartition("/")[2] != volume:
        yield f"{what} is {place}, declared volume {volume}"


def _data(host: Hypervisor, disk: DiskPlan, found: Machine) -> Iterator[str]:
    what = f"{disk.purpose} disk"
    if disk.driver is None or disk.target is None:
        if disk.drive is not None and disk.drive.place not in found.passed_through:
            yield f"{what}: PCI device {disk.drive.place} is not passed through, declared drive {disk.drive.name}"
        return
    there = found.disks.get(disk.target)
    if there is None:
        yield f"{what} {disk.target} is not there"
        return
    unused = ("cache", "io") if disk.drive is not None and disk.drive.kind == "nvme" else ()
    yield from _driven(what, disk.driver, there, unused)
    yield from _unlike(what, {"serial": disk.serial or ""}, {"serial": there.serial})
    if disk.drive is None:
        yield from _volume(what, host, disk.volume or "", there)
    else:
        yield from _drive(what, disk.drive.place, disk.drive.kind, there)


def _drive(what: str, place: str, kind: str, found: FoundDisk) -> Iterator[str]:
    has = found.address if kind == "nvme" else found.source.get("dev", "")
    if (found.type, has) != (kind, place):
        yield f"{what} is {found.type or 'unknown'} {has or 'unknown'}, declared {kind} {place}"


def _threads(node: NodePlan, found: Machine) -> Iterator[str]:
    if (found.io_threads or "0") != str(io_threads(node)):
        yield f"{found.io_threads or 'no'} I/O threads in all, declared {io_threads(node)}"
    named = [thread for disk in found.disks.values() for thread in disk.threads]
    for thread in sorted({thread for thread in named if named.count(thread) > 1}):
        yield f"I/O thread {thread} serves several disks, declared one"


def _nic(node: NodePlan, found: Machine) -> Iterator[str]:
    nic = node.nic
    wanted = {
        **({"name": nic.driver} if nic.driver else {}),
        **({"queues": str(nic.queues)} if nic.queues > 1 else {}),
        **({"rx_queue_size": str(nic.rx_queue_size)} if nic.rx_queue_size else {}),
        **({"tx_queue_size": str(nic.tx_queue_size)} if nic.tx_queue_size else {}),
    }
    yield from _unlike("NIC", wanted, found.nic)
    if nic.queues == 1 and found.nic.get("queues", "1") != "1":
        yield f"NIC's queues is {found.nic['queues']}, declared 1"


def _unlike(thing: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for name, value in wanted.items():
        if found.get(name) != value:
            yield f"{thing}'s {name} is {found.get(name) or 'unset'}, declared {value}"
