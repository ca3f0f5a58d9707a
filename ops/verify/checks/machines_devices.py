"""The root disk, the NIC and the memory behind a machine are driven as the stack says."""

from collections.abc import Iterator, Mapping

from ops.verify.model import Check, Finding, Probe, Seen, missing
from ops.verify.reading.document import mapping, node_json, text, whole
from ops.verify.reading.domains import Machine, definitions, machine
from ops.verify.reading.findings import failed, passed, several
from plan import NodePlan
from render.domain import PAGE_KIB
from settings.hypervisor import Hypervisor

DRIVERS_ID, QUEUE_ID = "machines.drivers", "machines.disk-queue"
SCHEDULERS = ("none", "mq-deadline")
"""What reorders little or nothing: the hypervisor's device does the rest. bfq and kyber weigh processes against each other, which costs time."""
DISK = "vda"
REPLACE = "the definition is made by `pulumi up`, which replaces the machine; what was changed by hand: virsh edit, then a restart"

QUEUE = Probe(
    key="disk-queue",
    script=lambda _plan, _node: (
        f"cd /sys/block/{DISK} || exit 1; "
        'jq -n --arg scheduler "$(cat queue/scheduler)" --argjson queues "$(ls mq | wc -l)" \'{$scheduler, $queues}\''
    ),
)


def drivers(seen: Seen) -> Iterator[Finding]:
    """Every machine's definition as it runs."""
    for node in seen.plan.nodes:
        found, why = machine(seen, node)
        if why:
            yield missing(DRIVERS_ID, node.name, why)
            continue
        host = seen.plan.settings.hypervisors[node.hypervisor]
        problems = [*_disk(node, found), *_source(host, node, found), *_nic(node, found), *_memory(host, found)]
        disk = node.disk
        declared = f"virtio disk in pool {host.pool.name}: cache {disk.cache}, io {disk.io}, discard {disk.discard}, queues {disk.queues}"
        if problems:
            yield failed(DRIVERS_ID, node.name, declared, several(problems), REPLACE)
        else:
            yield passed(DRIVERS_ID, node.name, declared, "as declared")


def _disk(node: NodePlan, found: Machine) -> Iterator[str]:
    disk = node.disk
    wanted = {"cache": disk.cache, "io": disk.io, "discard": disk.discard, "queues": str(disk.queues)}
    if disk.io_threads:
        wanted["iothread"] = "1"
        if found.io_threads != str(disk.io_threads):
            yield f"{found.io_threads or 'no'} I/O threads, declared {disk.io_threads}"
    yield from _unlike("disk", wanted, found.disk)
    if found.disk_bus != "virtio":
        yield f"disk is on bus {found.disk_bus or 'unknown'}, expected virtio"


def _source(host: Hypervisor, node: NodePlan, found: Machine) -> Iterator[str]:
    """The stack's own volume, in the pool on the machine's hypervisor; a snapshot beside it, or a copy elsewhere, is another disk."""
    local = {"dir": ("file", "volume"), "logical": ("block", "volume")}[host.pool.kind]
    wanted = node.root_volume
    place = found.disk_source.get("volume") or found.disk_source.get("file") or found.disk_source.get("dev") or "unknown"
    if found.disk_type not in local:
        yield f"disk is of type {found.disk_type or 'unknown'}, expected {' or '.join(local)} (pool of kind {host.pool.kind})"
    elif found.disk_type == "volume" and found.disk_source.get("pool") != host.pool.name:
        yield f"disk is in pool {found.disk_source.get('pool', 'unknown')}, declared {host.pool.name}"
    elif place.rpartition("/")[2] != wanted:
        yield f"disk is {place}, declared volume {wanted}"


def _nic(node: NodePlan, found: Machine) -> Iterator[str]:
    nic = node.nic
    wanted = {
        **({"name": nic.driver} if nic.driver else {}),
        **({"queues": str(nic.queues)} if nic.queues > 1 else {}),
        **({"rx_queue_size": str(nic.rx_queue_size)} if nic.rx_queue_size else {}),
    }
    yield from _unlike("NIC", wanted, found.nic)


def _memory(host: Hypervisor, found: Machine) -> Iterator[str]:
    wanted = str(PAGE_KIB[host.hugepages]) if host.hugepages else ""
    if wanted != found.page_kib:
        yield f"huge pages of {found.page_kib or 'no'} KiB, declared {wanted or 'none'}"


def _unlike(thing: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for name, value in wanted.items():
        if found.get(name) != value:
            yield f"{thing}'s {name} is {found.get(name, 'unset')}, declared {value}"


def queue(seen: Seen) -> Iterator[Finding]:
    """What the node itself makes of its disk."""
    for node in seen.plan.nodes:
        document, why = node_json(seen, node.name, QUEUE.key)
        said = mapping(document)
        scheduler = text(said.get("scheduler"))
        used = scheduler.partition("[")[2].partition("]")[0] or scheduler.strip()
        queues = whole(said.get("queues"))
        if why or not used or queues is None:
            yield missing(QUEUE_ID, node.name, why or "it names no scheduler of its disk")
            continue
        problems = [] if used in SCHEDULERS else [f"scheduler {used}"]
        problems += [f"{queues} queues of {DISK}"] if queues != node.disk.queues else []
        declared = f"{node.disk.queues} queues, scheduler {' or '.join(SCHEDULERS)}"
        if problems:
            remedy = f"echo none > /sys/block/{DISK}/queue/scheduler, and away with the udev rule that chose another; queues are the machine's (machines.drivers)"
            yield failed(QUEUE_ID, node.name, declared, several(problems), remedy)
        else:
            yield passed(QUEUE_ID, node.name, declared, f"{queues} queues, scheduler {used}")


CHECKS: tuple[Check, ...] = (
    Check(
        id=DRIVERS_ID,
        area="machines",
        title="Disk, NIC and memory are driven as declared",
        severity="error",
        judge=drivers,
        virsh=definitions,
    ),
    Check(id=QUEUE_ID, area="machines", title="The disk's queue adds no delay", severity="warning", judge=queue, probes=(QUEUE,)),
)
