"""What fio inside a guest gets from a disk, by the way QEMU drives it."""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lab import drives, stackfile
from lab.measure import system
from lab.measure.guest import Parts, definition, start
from lab.places import Lab
from lab.process import run
from plan import NodePlan, Plan, make
from settings import load
from settings.disks import Disk

SIZE_GIB = 1
SECONDS = 6
BOOT_S = 240.0
DONE = "underlay: measured"
JOBS = ("sync-write", "random-read", "sequential-read", "sequential-write")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A disk and how QEMU drives it."""

    name: str
    source: Literal["qcow2", "block"]
    driver: dict[str, str | int]


TUNED = {"cache": "none", "io": "native", "io_threads": 1, "queues": 2}
SCENARIOS = (
    Scenario(name="before: qcow2 file, writeback, threads", source="qcow2", driver={"cache": "writeback", "io": "threads", "io_threads": 0}),
    Scenario(name="qcow2 file, none, native, I/O thread", source="qcow2", driver=TUNED),
    Scenario(name="after: block device, none, native, I/O thread", source="block", driver=TUNED),
    Scenario(name="block device, none, io_uring, I/O thread", source="block", driver={**TUNED, "io": "io_uring"}),
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What fio says of one job."""

    job: str
    per_s: float
    """Operations a second."""
    mib_per_s: float
    p50_us: float
    """Half of the operations took no longer; of sync-write, the synchronisation."""
    p99_us: float


def planned(lab: Lab, scenario: Scenario) -> tuple[Plan, NodePlan]:
    """The plan of a lab whose only worker has such a root disk, and that worker."""
    one = (("workers.worker.count", 1), ("workers.worker.vcpus", 2), ("name", "fio"))
    plan = make(load(stackfile.declared(lab, "lab", one)))
    node = next(node for node in plan.nodes if not node.is_control_plane)
    return plan, dataclasses.replace(node, disk=Disk.model_validate({"size_gib": 4, **scenario.driver}))


def sources(lab: Lab, folder: Path) -> Mapping[str, Mapping[str, str]]:
    """The same data as a qcow2 file and on a block device: a disk without data would be read without looking at the drive."""
    raw, qcow2 = folder / "data.raw", folder / "data.qcow2"
    run(["dd", "if=/dev/urandom", f"of={raw}", "bs=1M", f"count={SIZE_GIB << 10}"], timeout_s=300)
    run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, qcow2], timeout_s=300)
    drive = drives.LoopDrive(lab=lab, hypervisor="local", name="measured", size_gib=SIZE_GIB)
    drives.make(drive)
    run(["dd", f"if={raw}", f"of={drive.link}", "bs=1M", "oflag=direct"], timeout_s=300)
    raw.unlink()
    return {"qcow2": {"file": str(qcow2)}, "block": {"blockDevice": str(drive.link)}}


def measure(lab: Lab, scenario: Scenario, data: Mapping[str, str], folder: Path, booted: Path, seconds: int = SECONDS) -> list[Sample]:
    """One boot of the guest, which runs all jobs on its first disk; its own system is on the second."""
    plan, node = planned(lab, scenario)
    overlay = folder / "system.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", booted / "system.qcow2", overlay])
    words = [word for word in plan.settings.image.cmdline if not word.startswith("root=")]
    parts = Parts(
        kernel=booted / "vmlinuz",
        initrd=booted / "initrd.img",
        command_line=("root=/dev/vdb", *words, f"init={system.INIT}", f"measure.seconds={seconds}"),
        disks=(data, {"file": str(overlay)}),
    )
    guest = start(lab.first, node.name, definition(node, plan.settings.hypervisors[node.hypervisor], parts, folder))
    try:
        said = guest.wait_for(DONE, BOOT_S + 8 * seconds)
    finally:
        guest.end()
        overlay.unlink()
    return list(samples(said))


def samples(said: str) -> Iterator[Sample]:
    """What fio said of each job on the guest's console."""
    for job in JOBS:
        found = re.search(rf"{system.BEGIN} {job}\s.*?(\{{\s*\".*?\}})\s*{system.END} {job}", said.replace("\r", ""), re.DOTALL)
        if not found:
            raise ValueError(f"fio said nothing of {job}: {said[-1500:]}")
        yield _sample(job, json.loads(found[1])["jobs"][0])


def _sample(job: str, told: Mapping[str, Any]) -> Sample:
    side = told["read" if "read" in job else "write"]
    times = told["sync"]["lat_ns"] if job == "sync-write" else side["clat_ns"]
    p50, p99 = (times["percentile"][key] / 1000 for key in ("50.000000", "99.000000"))
    return Sample(job=job, per_s=side["iops"], mib_per_s=side["bw_bytes"] / 2**20, p50_us=p50, p99_us=p99)


def document(found: Sequence[tuple[Scenario, Sequence[Sample]]]) -> list[dict[str, Any]]:
    """The samples by scenario, as JSON."""
    return [
        {**asdict(scenario), "samples": [asdict(sample) for each, taken in found if each == scenario for sample in taken]} for scenario in SCENARIOS
    ]
