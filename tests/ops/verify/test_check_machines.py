"""CPU time, pins, drivers and syncs of machines: what passes, and each way in which it does not."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_nodes import CP, ONE, PLAN, TWO, Answers, all_passed, failures, found, nodes, plan_of, said, seen, statuses, together, unreachable

from ops.verify.checks import machines_devices, machines_fsync, machines_pins, machines_steal
from ops.verify.model import Check, Said, Seen, Status
from ops.verify.programs import cpu, fsync
from plan import NodePlan

PINS, OVERCOMMIT = machines_pins.CHECKS
(QUEUE,) = machines_devices.CHECKS
(STEAL,) = machines_steal.CHECKS
(FSYNC,) = machines_fsync.CHECKS
NODE = {"threads": ["0-31"], "memory_mib": 131072}
TENANT = {"vcpus": 4, "memory_mib": 8192}
PINNED = plan_of(hypervisors={"kvm1": {"topology": {"numa": [NODE]}, "reserved_cpus": "0-1", "tenants": {"guest": TENANT}}})
EMULATED = plan_of(
    hypervisors={"kvm1": {"domain_type": "qemu", "topology": None, "reserved_cpus": None}},
    control_plane={"cpu_policy": {"kind": "emulated"}, "cpu": {"mode": "maximum"}},
    workers={"worker": {"cpu_policy": {"kind": "emulated"}, "cpu": {"mode": "maximum"}}},
)
SHARED = plan_of(
    hypervisors={"kvm1": {"shared_cpus": "40-47"}},
    workers={"worker": {"cpu_policy": {"kind": "shared"}}},
)


def affinity(node: NodePlan, **cpus: str) -> str:
    """virsh vcpuinfo of a host with 64 CPUs."""
    maps = ("".join("y" if cpu in pins else "-" for cpu in range(64)) for pins in node.vcpu_pins)
    rows = (cpus.get(f"vcpu{vcpu}", row) for vcpu, row in enumerate(maps))
    return "".join(
        f"VCPU:           {n}\nCPU:            7\nState:          running\nCPU time:       9.1s\nCPU Affinity:   {row}\n\n"
        for n, row in enumerate(rows)
    )


def host(plan: Any = PINNED, *, domains: Mapping[str, int] | None = None, **pins: str) -> dict[str, Said]:
    """The only hypervisor's answers."""
    running = {node.name: node.vcpus for node in plan.nodes} | dict(domains or {})
    stats = "".join(f"Domain: '{name}'\n  vcpu.current={vcpus}\n  vcpu.maximum={vcpus}\n  vcpu.0.state=1\n\n" for name, vcpus in running.items())
    return {
        "domstats --vcpu": said(stats),
        "nodeinfo": said("CPU model:           x86_64\nCPU(s):              32\nMemory size:         263953892 KiB\n"),
        **{f"vcpuinfo {node.name}": said(pins.get(node.name.replace("-", "_"), affinity(node))) for node in plan.nodes},
    }


def with_host(plan: Any = PINNED, **answers: Any) -> Seen:
    return seen(plan=plan, hypervisors={"kvm1": host(plan, **answers)})


def test_vcpus_on_their_own_cpus_pass() -> None:
    assert all_passed(PINS, with_host())
    assert all_passed(OVERCOMMIT, with_host())
    assert list(PINS.virsh(PINNED, "kvm1")) == [f"vcpuinfo {node.name}" for node in PINNED.nodes]


def test_a_vcpu_that_may_run_elsewhere_is_named() -> None:
    node = PINNED.nodes[1]
    moved = failures(PINS, with_host(small_worker_1=affinity(node, vcpu1="yy" + "-" * 30)))
    assert moved == {ONE: f"vCPU 1 may run on 0-1, declared {node.own_cpus[1]}"}
    lost = failures(PINS, with_host(small_worker_1="".join(affinity(node).partition("VCPU:           3")[:1])))
    assert lost == {ONE: f"vCPU 3 is not there, declared {node.own_cpus[3]}"}


def test_machines_that_float_have_all_shared_cpus_and_no_other() -> None:
    assert all_passed(PINS, with_host(SHARED))
    held = affinity(SHARED.nodes[1], vcpu0="-" * 40 + "y" + "-" * 23)
    assert failures(PINS, with_host(SHARED, small_worker_1=held)) == {ONE: "vCPU 0 may run on 40, declared 40-47"}


def test_where_nothing_is_pinned_nothing_is_promised() -> None:
    assert set(statuses(PINS, seen(plan=EMULATED)).values()) == {Status.SKIPPED}
    assert set(statuses(OVERCOMMIT, seen(plan=EMULATED)).values()) == {Status.SKIPPED}
    assert not PINS.applies(EMULATED)
    assert not OVERCOMMIT.applies(EMULATED)
    assert list(OVERCOMMIT.virsh(EMULATED, "kvm1")) == list(PINS.virsh(EMULATED, "kvm1")) == []


def test_tenants_may_be_there_as_they_are_declared_and_nobody_else() -> None:
    assert all_passed(OVERCOMMIT, with_host(domains={"guest": 4}))
    assert failures(OVERCOMMIT, with_host(domains={"guest": 6})) == {"kvm1": "guest has 6 vCPUs, declared 4"}
    words = failures(OVERCOMMIT, with_host(domains={"guest": 4, "other": 1, "more": 2}))["kvm1"]
    assert words == "machines that are not declared: more (2 vCPUs); other (1 vCPU)"


def test_a_machine_of_another_size_and_a_smaller_host_are_named() -> None:
    assert "small-cp-1 has 8 vCPUs, declared 2" in failures(OVERCOMMIT, with_host(domains={CP: 8}))["kvm1"]
    answers = host()
    answers["nodeinfo"] = said("CPU(s):              16\n")
    words = failures(OVERCOMMIT, seen(plan=PINNED, hypervisors={"kvm1": answers}))["kvm1"]
    assert words == "topology names CPU 31, and the host has 16 CPUs"


@pytest.mark.parametrize("check", [PINS, OVERCOMMIT])
def test_a_hypervisor_that_does_not_answer_is_not_checked(check: Check) -> None:
    silent = {"kvm1": dict.fromkeys(host(), unreachable())}
    assert set(statuses(check, seen(plan=PINNED, hypervisors=silent)).values()) == {Status.NOT_CHECKED}
    assert set(statuses(check, seen(plan=PINNED)).values()) == {Status.NOT_CHECKED}


def queues(**changes: Any) -> Answers:
    return together(
        nodes("disk-queue", {"scheduler": "[none] mq-deadline", "queues": 1}),
        {ONE: {"disk-queue": said({"scheduler": "[none]", "queues": 1, **changes})}},
    )


def test_a_disks_queue_that_delays_is_named() -> None:
    assert all_passed(QUEUE, seen(queues()))
    assert failures(QUEUE, seen(queues(scheduler="mq-deadline none [bfq]"))) == {ONE: "scheduler bfq"}
    assert failures(QUEUE, seen(queues(queues=4))) == {ONE: "4 queues of vda"}
    assert statuses(QUEUE, seen(queues(scheduler="")))[ONE] is Status.NOT_CHECKED


def shares(stolen: float, still: float, plan: Any = PLAN) -> Seen:
    good: dict[str, Any] = {"0": {"stolen": 0.0, "stood_still": 0.001}}
    return seen(
        together(nodes("cpu-time", good, plan), {ONE: {"cpu-time": said({**good, "1": {"stolen": stolen, "stood_still": still}})}}), plan=plan
    )


@pytest.mark.parametrize(("stolen", "still"), [(0.3, 0.0), (0.0, 0.3)], ids=["as the kernel counts", "as a busy loop feels"])
def test_cpu_time_that_is_taken_away_is_named(stolen: float, still: float) -> None:
    assert failures(STEAL, shares(stolen, still)) == {ONE: "vCPU 1 lacked 30%"}


def test_the_limit_is_what_was_promised() -> None:
    assert failures(STEAL, shares(0.05, 0.0, SHARED)) == {}
    assert set(failures(STEAL, shares(0.05, 0.0, PINNED))) == {ONE}
    assert failures(STEAL, shares(0.0, 0.4, EMULATED)) == {}
    assert set(failures(STEAL, shares(0.0, 0.7, EMULATED))) == {ONE}


def waiting(delay_s: float, ran_s: float = 4.0, plan: Any = SHARED) -> Seen:
    """One machine whose vCPU 0 stood so long in its hypervisor's run queue while it ran for so long."""
    node = plan.nodes[1]
    words, before = f"domstats --vcpu {node.name}", (7_000_000_000, 9_000_000_000)
    texts = [
        f"Domain: '{node.name}'\n  vcpu.current=1\n  vcpu.0.state=1\n  vcpu.0.time={ran}\n  vcpu.0.wait=0\n  vcpu.0.delay={delay}\n"
        for ran, delay in (before, (before[0] + int(ran_s * 1e9), before[1] + int(delay_s * 1e9)))
    ]
    first, last = ({node.hypervisor: {words: Said(output=text, exit_code=0)}} for text in texts)
    return replace(shares(0.0, 0.0, plan), hypervisors=first, hypervisors_later=last)


def test_time_in_the_hypervisors_run_queue_is_time_taken_away() -> None:
    assert list(STEAL.virsh_twice(PLAN, PLAN.nodes[1].hypervisor)) == [
        f"domstats --vcpu {node.name}" for node in PLAN.nodes_on(PLAN.nodes[1].hypervisor)
    ]
    assert failures(STEAL, waiting(6.0)) == {ONE: "vCPU 0 lacked 60%"}
    assert failures(STEAL, waiting(0.2)) == {}
    assert failures(STEAL, waiting(0.2, plan=PINNED)) == {ONE: "vCPU 0 lacked 5%"}, "its host CPUs are nobody else's"
    assert failures(STEAL, waiting(0.15, ran_s=0.01)) == {}, "a vCPU without work"
    assert failures(STEAL, waiting(-3.0)) == {}, "a machine that was started anew meanwhile"


def test_an_answer_without_a_cpu_is_not_checked() -> None:
    assert set(statuses(STEAL, seen(nodes("cpu-time", {}))).values()) == {Status.NOT_CHECKED}
    assert set(statuses(STEAL, seen(nodes("cpu-time", {"0": {"stolen": "much"}}))).values()) == {Status.NOT_CHECKED}


def test_the_program_does_not_take_its_own_waiting_for_theft(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.001, 0.051, 0.052, 0.102, 0.2])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    waiting = iter([1.0, 1.05])
    monkeypatch.setattr(cpu, "waited_s", lambda: next(waiting))
    assert cpu.stood_still(0.15) == pytest.approx(0.05 + 0.05 + 0.098 - 0.05)


def syncs(slow: int) -> Seen:
    """A hundred syncs of the control plane, so many of them slow."""
    return seen({CP: {"fsync": said({"milliseconds": [1.0] * (100 - slow) + [25.0] * slow})}})


def test_a_disk_that_etcd_can_live_with_passes_and_others_are_named() -> None:
    assert all_passed(FSYNC, syncs(1))
    assert failures(FSYNC, syncs(2)) == {CP: "p99 25.0 ms, median 1.0 ms of 100"}
    (finding,) = found(FSYNC, syncs(2))
    assert {figure.name: figure.value for figure in finding.figures} == {"fsync p99": 25.0, "fsync median": 1.0}
    assert FSYNC.severity == "warning"


def test_few_syncs_are_a_slow_disk_where_they_took_long() -> None:
    assert failures(FSYNC, seen({CP: {"fsync": said({"milliseconds": [400.0] * 17})}})) == {CP: "p99 400.0 ms, median 400.0 ms of 17"}


def test_too_few_syncs_say_nothing_and_workers_are_not_asked() -> None:
    assert statuses(FSYNC, seen({CP: {"fsync": said({"milliseconds": [1.0] * 5})}})) == {CP: Status.NOT_CHECKED}
    assert statuses(FSYNC, seen()) == {CP: Status.NOT_CHECKED}
    (probe,) = FSYNC.probes
    assert probe.script(PLAN, PLAN.nodes[2]) == "echo '{}'"
    assert "O_TMPFILE" in probe.script(PLAN, PLAN.nodes[0])
    assert TWO not in {finding.where for finding in found(FSYNC, syncs(0))}


def test_the_sync_program_leaves_nothing(tmp_path: Path) -> None:
    descriptor = fsync.unnamed(str(tmp_path))
    try:
        assert list(tmp_path.iterdir()) == []
    finally:
        os.close(descriptor)
