"""How long the vCPU of a busy guest waits for a CPU, by policy, beside load on the host.

The kernel counts it: `/proc/PID/task/TID/schedstat` has the nanoseconds that a thread ran, and those that it was ready and waited (run delay). A guest
under KVM is told the latter as steal; an emulated one is not, and waits as long.
"""

import os
import subprocess
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab import kvm, stackfile
from lab.measure.guest import Guest, Parts, definition, start
from lab.places import Lab
from plan import NodePlan, Plan, make
from settings import load

SHARED_CPU, OWN_CPU = 0, 1
WINDOW_S = 10.0
SETTLE_S = 1.0
TICK = os.sysconf("SC_CLK_TCK")
SPIN = "while True: pass"
_FORM = "hypervisors.local.topology", {"numa": [{"threads": [f"{SHARED_CPU}-{OWN_CPU}"], "memory_mib": 8192}]}
POLICIES: dict[str, tuple[tuple[str, Any], ...]] = {
    "shared": (_FORM, ("hypervisors.local.shared_cpus", str(SHARED_CPU)), ("workers.worker.cpu_policy", {"kind": "shared"})),
    "dedicated": (_FORM, ("hypervisors.local.reserved_cpus", str(SHARED_CPU)), ("workers.worker.cpu_policy", {"kind": "dedicated"})),
    "emulated": (("workers.worker.cpu_policy", {"kind": "emulated"}),),
}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A guest of one policy beside busy processes that are held to some CPUs, as other machines are, or to none."""

    name: str
    policy: str
    others: int
    cpus: tuple[int, ...]


EVERY = (SHARED_CPU, OWN_CPU)
SCENARIOS = (
    Scenario(name="shared, nobody else busy", policy="shared", others=0, cpus=EVERY),
    Scenario(name="shared, 1 other on the shared CPU", policy="shared", others=1, cpus=(SHARED_CPU,)),
    Scenario(name="shared, 3 others on the shared CPU", policy="shared", others=3, cpus=(SHARED_CPU,)),
    Scenario(name="dedicated, 3 others on the shared CPU", policy="dedicated", others=3, cpus=(SHARED_CPU,)),
    Scenario(name="dedicated, 3 of the host's own held nowhere", policy="dedicated", others=3, cpus=EVERY),
    Scenario(name="emulated, 3 others held nowhere", policy="emulated", others=3, cpus=EVERY),
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One window, in shares of its time."""

    ran: float
    """The vCPU ran."""
    waited: float
    """It was ready and waited for a CPU."""
    turns_per_s: float
    """Times a second that it was put on a CPU."""
    background: float
    """CPUs that were busy with neither guest nor declared load: what else this machine did meanwhile."""


def busy_program() -> bytes:
    """An x86-64 program that says that it runs, and then does nothing else than running."""
    program = kvm.program()
    off = b"\xb8\xa9\0\0\0\xbf\xad\xde\xe1\xfe"
    at = program.index(off)
    return program[:at] + b"\xeb\xfe" + program[at + 2 :]


def planned(lab: Lab, policy: str) -> tuple[Plan, NodePlan]:
    """The plan of a lab whose only worker has the policy, and that worker."""
    one = (("workers.worker.count", 1), ("workers.worker.vcpus", 1), ("name", policy))
    plan = make(load(stackfile.declared(lab, "lab", [*one, *POLICIES[policy]])))
    return plan, next(node for node in plan.nodes if not node.is_control_plane)


@contextmanager
def guests(lab: Lab, kernel: Path, folder: Path) -> Generator[Mapping[str, Guest]]:
    """A busy guest of each policy, all of them paused."""
    initrd = folder / "busy"
    initrd.write_bytes(kvm.archive(busy_program()))
    found = dict[str, Guest]()
    with ExitStack() as ended:
        for policy in POLICIES:
            plan, node = planned(lab, policy)
            parts = Parts(kernel=kernel, initrd=initrd, command_line=("console=ttyS0", "panic=-1", "quiet"))
            described = definition(node, plan.settings.hypervisors[node.hypervisor], parts, folder)
            guest = found[policy] = start(lab.first, node.name, described)
            ended.callback(guest.end)
            guest.wait_for(kvm.MARKER.decode().strip(), 120)
            guest.virsh("suspend", guest.name)
        yield found


def measure(guest: Guest, scenario: Scenario, window_s: float = WINDOW_S) -> Sample:
    """One window of a scenario: the guest runs in it, and is paused before and after."""
    with _load(scenario) as others:
        guest.virsh("resume", guest.name)
        try:
            time.sleep(SETTLE_S)
            own = [guest.process(), *others]
            before, at = _counts(guest, own), time.monotonic()
            time.sleep(window_s)
            after, passed = _counts(guest, own), time.monotonic() - at
        finally:
            guest.virsh("suspend", guest.name)
    ran, waited, turns, busy, accounted = (late - early for early, late in zip(before, after, strict=True))
    return Sample(ran=ran / 1e9 / passed, waited=waited / 1e9 / passed, turns_per_s=turns / passed, background=(busy - accounted) / TICK / passed)


@contextmanager
def _load(scenario: Scenario) -> Generator[list[int]]:
    words = ["taskset", "--cpu-list", ",".join(map(str, scenario.cpus)), "python3", "-c", SPIN]
    running = [subprocess.Popen(words) for _ in range(scenario.others)]
    try:
        yield [process.pid for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()


def _counts(guest: Guest, own: Sequence[int]) -> tuple[int, int, int, int, int]:
    """Of the vCPU: nanoseconds run, nanoseconds waited, turns; of the host: ticks busy, and those of our own processes among them."""
    ran, waited, turns = map(int, (guest.vcpus()[0] / "schedstat").read_text().split())
    return ran, waited, turns, sum(_busy_ticks()), sum(_ticks(pid) for pid in own)


def _busy_ticks() -> Iterator[int]:
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name in {f"cpu{cpu}" for cpu in EVERY}:
            user, nice, system, _, _, irq, soft, *_ = map(int, fields)
            yield user + nice + system + irq + soft


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def measured(found: Mapping[str, Guest], runs: int, window_s: float = WINDOW_S) -> Iterator[tuple[Scenario, Sample]]:
    """Every scenario once, and again: what this machine does besides falls on all of them."""
    for _ in range(runs):
        for scenario in SCENARIOS:
            yield scenario, measure(found[scenario.policy], scenario, window_s)


def document(samples: Sequence[tuple[Scenario, Sample]]) -> list[dict[str, Any]]:
    """The samples by scenario, as JSON."""
    return [{**asdict(scenario), "samples": [asdict(sample) for each, sample in samples if each == scenario]} for scenario in SCENARIOS]
