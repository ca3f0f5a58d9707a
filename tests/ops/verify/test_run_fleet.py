"""Two hundred nodes as SSH servers on loopback: how long one run takes, and what it takes of this machine."""

import asyncio
import gc
import os
import time
from pathlib import Path

import pytest

from ops.verify import registry
from ops.verify.model import Probe, Said, Status
from ops.verify.options import LIMIT_S
from ops.verify.reach import Fleet, Limits
from ops.verify.run import Request, verify
from tests.ops.verify.node_servers import on_hypervisor, serving
from tests.ops.verify.test_run_reach import script

NODES = 200
MANNERS = {"*": "made-up", "n-003": "closed", "n-017": "silent", "n-071": "other-key", "n-113": "flood", "n-199": "lines"}
LIGHT, HEAVY = 30, 4
LIGHT_KIB, HEAVY_KIB = 8, 4
WINDOW_S = 2.0
"""Of a heavy probe."""
AT_ONCE = 120
"""Fewer than the nodes, so that the bound shows."""
OWN_FILES = 16
"""What the loop itself has open."""
GOAL_S = 60.0
GOAL_CPU_S = 10.0
"""Of this process; a run that is mostly waiting leaves the machine to others."""
MIB = 1 << 20


def resident(field: str) -> int:
    """Bytes of this process: VmRSS now, VmHWM at most."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def queued() -> float:
    """Seconds for which this process wanted a processor and others had them."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.engine
def test_two_hundred_nodes_take_less_than_a_minute_and_bounded_memory_and_connections(tmp_path: Path) -> None:
    light = [Probe(key=f"light-{number}", script=script(f"{LIGHT_KIB} 0.05"), timeout_s=5) for number in range(LIGHT)]
    heavy = [Probe(key=f"heavy-{number}", script=script(f"{HEAVY_KIB} {WINDOW_S}"), timeout_s=5, heavy=True) for number in range(HEAVY)]
    kept = NODES * (LIGHT * LIGHT_KIB + HEAVY * HEAVY_KIB) * 1024
    most = 0

    def answered(_node: str, _error: str) -> None:
        nonlocal most
        most = max(most, descriptors())

    with serving(tmp_path, NODES, MANNERS) as nodes:
        fleet = Fleet(plan=nodes.plan, access=nodes.access, limits=Limits(connections=AT_ONCE), answered=answered)
        gc.collect()
        before, files, begun = resident("VmRSS"), descriptors(), time.monotonic()
        cpu, late = time.process_time(), queued()
        Path("/proc/self/clear_refs").write_text("5")  # the highest mark begins anew
        said = asyncio.run(fleet.ask([*light, *heavy], LIMIT_S))
        took, grown = time.monotonic() - begun, resident("VmHWM") - before
        cpu, late = time.process_time() - cpu, queued() - late
        connections = nodes.most
    good = [name for name in said if MANNERS.get(name, MANNERS["*"]) == "made-up"]
    figures = f"{took:.1f} s, {cpu:.1f} s of CPU, waited {late:.1f} s for a processor"
    print(f"{NODES} nodes: {figures}, {grown / MIB:.0f} MiB more ({kept / MIB:.0f} MiB of answers), {connections} connections")
    assert took < GOAL_S, figures
    assert cpu < GOAL_CPU_S, figures
    assert grown < kept + 160 * MIB
    assert most - files <= AT_ONCE + OWN_FILES
    assert connections <= AT_ONCE + Limits().handshakes, "the servers see an end a moment later"
    assert {name for name, answers in said.items() if not any(answer.error for answer in answers.values())} == set(good)
    assert len(good) == NODES - len(MANNERS) + 1
    assert said["n-100"]["heavy-3"] == Said(output="x" * HEAVY_KIB * 1024, exit_code=0)
    assert all(len(answers) == LIGHT + HEAVY for answers in said.values())


@pytest.mark.engine
def test_all_checks_of_two_hundred_nodes_that_talk_nonsense_end_within_a_minute_and_none_breaks_or_passes(tmp_path: Path) -> None:
    lines: list[str] = []
    with serving(tmp_path, NODES, {"*": "puzzled", "n-003": "closed", "n-017": "silent"}) as nodes:
        request = Request(
            stack="fleet",
            plan=on_hypervisor(nodes.plan, "test:///default"),
            access=nodes.access,
            checks=registry.checks(),
            say=lines.append,
        )
        begun, cpu, late = time.monotonic(), time.process_time(), queued()
        report = verify(request)
        took, cpu, late = time.monotonic() - begun, time.process_time() - cpu, queued() - late
    figures = f"{took:.1f} s, {cpu:.1f} s of CPU, waited {late:.1f} s for a processor"
    print(f"{len(registry.checks())} checks of {NODES} nodes: {figures}, {len(report.findings)} findings")
    assert took < GOAL_S, figures
    assert cpu < GOAL_CPU_S, figures
    assert [finding for finding in report.findings if "the check itself failed" in finding.found] == []
    assert {finding.where for finding in report.findings if finding.status is Status.PASSED} == set()
    reachable = {finding.where: finding for finding in report.findings if finding.check == "nodes.reachable"}
    assert set(reachable) == {node.name for node in nodes.plan.nodes}
    assert "Connect call failed" in reachable["n-003"].found
    assert any(line.startswith(f"{NODES} of {NODES} nodes") for line in lines)
