"""Keeps each vCPU busy in turn, at the lowest priority, and prints how much of its time was taken away. Argument: {"window_s": seconds}."""

import json
import os
import sys
import time
from pathlib import Path

GAP_S = 0.002
"""A loop that stands still for longer did not run: the hypervisor had given its CPU to somebody else."""
LEAST_S = 0.3


def counters() -> dict[str, list[int]]:
    """Ticks of every CPU by what they were spent on: user, nice, system, idle, iowait, irq, softirq, steal."""
    lines = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    return {words[0][3:]: [int(word) for word in words[1:9]] for words in lines if words[0].startswith("cpu") and words[0] != "cpu"}


def waited_s() -> float:
    """How long this process stood in the node's own run queues."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


def stood_still(until: float) -> float:
    """Seconds until then in which the loop did not run, though the node let it."""
    gaps, begun, last = 0.0, waited_s(), time.monotonic()
    while last < until:
        now = time.monotonic()
        if now - last > GAP_S:
            gaps += now - last
        last = now
    return max(0.0, gaps - (waited_s() - begun))


def main() -> None:
    """Print one JSON object: {cpu: {"stolen": share, "stood_still": share}}."""
    window = float(json.loads(sys.argv[1])["window_s"])
    os.nice(19)
    cpus = sorted(os.sched_getaffinity(0))
    each = max(LEAST_S, window / len(cpus))
    found: dict[int, dict[str, float]] = {}
    for cpu in cpus:
        os.sched_setaffinity(0, {cpu})
        before, begun = counters().get(str(cpu), [0] * 8), time.monotonic()
        still = stood_still(begun + each)
        after, taken = counters().get(str(cpu), [0] * 8), time.monotonic() - begun
        ticks = [late - early for late, early in zip(after, before, strict=True)]
        found[cpu] = {"stolen": ticks[7] / max(sum(ticks), 1), "stood_still": still / taken}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
