"""What a node itself makes of its disk."""

from collections.abc import Iterator

from ops.verify.model import Check, Finding, Probe, Seen, missing
from ops.verify.reading.document import mapping, node_json, text, whole
from ops.verify.reading.findings import failed, passed, several

QUEUE_ID = "machines.disk-queue"
SCHEDULERS = ("none", "mq-deadline")
"""What reorders little or nothing: the hypervisor's device does the rest. bfq and kyber weigh processes against each other, which costs time."""
DISK = "vda"
QUEUE = Probe(
    key="disk-queue",
    script=lambda _plan, _node: (
        f"cd /sys/block/{DISK} || exit 1; "
        'jq -n --arg scheduler "$(cat queue/scheduler)" --argjson queues "$(ls mq | wc -l)" \'{$scheduler, $queues}\''
    ),
)


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
            remedy = f"echo none > /sys/block/{DISK}/queue/scheduler, and away with the udev rule that chose another; queues are the machine's (machines.drift)"
            yield failed(QUEUE_ID, node.name, declared, several(problems), remedy)
        else:
            yield passed(QUEUE_ID, node.name, declared, f"{queues} queues, scheduler {used}")


CHECKS: tuple[Check, ...] = (
    Check(id=QUEUE_ID, area="machines", title="The disk's queue adds no delay", severity="warning", judge=queue, probes=(QUEUE,)),
)
