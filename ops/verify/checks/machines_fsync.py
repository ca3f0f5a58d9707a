"""etcd's disk makes a write safe quickly."""

from collections.abc import Iterator

from ops.verify.model import Check, Figure, Finding, Probe, Seen, missing
from ops.verify.programs import program
from ops.verify.reading.document import mapping, node_json, number, sequence
from ops.verify.reading.emulation import allowance
from ops.verify.reading.findings import failed, passed

ID = "machines.fsync"
FOLDER = "/var/lib/etcd"
TIMES, LIMIT_S, LEAST = 300, 8, 20
P99_MS = 10.0
"""etcd's own advice: 99 of 100 syncs of its log in less (etcd: hardware guide, wal_fsync_duration_seconds)."""

FSYNC = Probe(
    key="fsync",
    # Workers have no etcd, and nobody asks them for its disk.
    script=lambda _plan, node: program("fsync", {"folder": FOLDER, "times": TIMES, "limit_s": LIMIT_S}) if node.is_control_plane else "echo '{}'",
    timeout_s=30,
    heavy=True,
)


def judge(seen: Seen) -> Iterator[Finding]:
    """Every control plane."""
    for node in seen.plan.control_planes:
        document, why = node_json(seen, node.name, FSYNC.key)
        taken = sorted(value for item in sequence(mapping(document).get("milliseconds")) if (value := number(item)) is not None)
        limit = P99_MS * allowance(seen.plan, node)
        if why or not taken or (len(taken) < LEAST and taken[-1] <= limit):
            yield missing(ID, node.name, why or f"{len(taken)} syncs in {LIMIT_S} s, needed {LEAST} to say that it is well")
            continue
        p99, median = taken[(len(taken) * 99 + 99) // 100 - 1], taken[len(taken) // 2]
        figures = (Figure(name="fsync p99", value=p99, unit="ms", limit=limit), Figure(name="fsync median", value=median, unit="ms"))
        declared, found = (
            f"99 of 100 syncs in {limit:g} ms{' (emulated)' if limit != P99_MS else ''}",
            f"p99 {p99:.1f} ms, median {median:.1f} ms of {len(taken)}",
        )
        if p99 > limit:
            remedy = "put the disk that has etcd (its etcd_disk, else the root disk) on local NVMe with a power-loss capacitor, cache none, io native; see who else writes there"
            yield failed(ID, node.name, declared, found, remedy, *figures)
        else:
            yield passed(ID, node.name, declared, found, *figures)


CHECKS: tuple[Check, ...] = (Check(id=ID, area="machines", title="A disk that etcd can live with", severity="warning", judge=judge, probes=(FSYNC,)),)
