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
DRIVERS, QUEUE = machines_devices.CHECKS
(STEAL,) = machines_steal.CHECKS
(FSYNC,) = machines_fsync.CHECKS
PINNED = plan_of(hypervisors={"kvm1": {"machine_cpus": "4-31", "emulator_cpus": "2-3", "hugepages": "1G"}})
RICH_DISK = {"io_threads": 2, "queues": 2, "io": "io_uring"}
RICH = plan_of(workers={"worker": {"disk": RICH_DISK, "nic": {"queues": 4, "driver": "vhost", "rx_queue_size": 1024}}})

DOMAIN = """\
<domain type='kvm' id='3'>
  <name>{name}</name>
  {memory}
  <vcpu placement='static'>{vcpus}</vcpu>
  <iothreads>{io_threads}</iothreads>
  <cputune><emulatorpin cpuset='{emulator}'/></cputune>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='{cache}' io='{io}' discard='unmap' queues='{queues}' iothread='1'/>
      <source file='/var/lib/libvirt/images/{name}-root' index='2'/>
      <target dev='vda' bus='{bus}'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/var/lib/libvirt/images/{name}-seed.iso'/>
      <target dev='vdb' bus='virtio'/>
      <readonly/>
    </disk>
    <interface type='bridge'>
      <source bridge='br0'/>
      {nic}
    </interface>
  </devices>
</domain>
"""
HUGE = "<memoryBacking><hugepages><page size='1048576' unit='KiB'/></hugepages></memoryBacking>"


def definition(node: NodePlan, **changes: Any) -> str:
    nic = node.nic
    driver = f"<driver name='{nic.driver}' queues='{nic.queues}' rx_queue_size='{nic.rx_queue_size}'/>" if nic.driver else ""
    disk = node.disk
    values: dict[str, Any] = {"io_threads": disk.io_threads, "cache": disk.cache, "io": disk.io, "queues": disk.queues, "bus": "virtio", "memory": ""}
    return DOMAIN.format(**{"name": node.name, "vcpus": node.vcpus, "emulator": "2-3", "nic": driver, **values, **changes})


def affinity(node: NodePlan, **cpus: str) -> str:
    """virsh vcpuinfo of a host with 32 CPUs."""
    maps = ("".join("y" if cpu == pin else "-" for cpu in range(32)) for pin in node.cpu_pins)
    rows = (cpus.get(f"vcpu{vcpu}", row) for vcpu, row in enumerate(maps))
    return "".join(
        f"VCPU:           {n}\nCPU:            7\nState:          running\nCPU time:       9.1s\nCPU Affinity:   {row}\n\n"
        for n, row in enumerate(rows)
    )


def host(
    plan: Any = PINNED, *, domains: Mapping[str, int] | None = None, definitions: Mapping[str, str] | None = None, **pins: str
) -> dict[str, Said]:
    """The only hypervisor's answers."""
    running = {node.name: node.vcpus for node in plan.nodes} | dict(domains or {})
    stats = "".join(f"Domain: '{name}'\n  vcpu.current={vcpus}\n  vcpu.maximum={vcpus}\n  vcpu.0.state=1\n\n" for name, vcpus in running.items())
    own = dict(definitions or {})
    return {
        "domstats --vcpu": said(stats),
        "nodeinfo": said("CPU model:           x86_64\nCPU(s):              32\nMemory size:         263953892 KiB\n"),
        **{f"vcpuinfo {node.name}": said(pins.get(node.name.replace("-", "_"), affinity(node))) for node in plan.nodes},
        **{f"dumpxml {node.name}": said(own.get(node.name, definition(node, memory=HUGE if plan is PINNED else ""))) for node in plan.nodes},
    }


def with_host(plan: Any = PINNED, **answers: Any) -> Seen:
    return seen(plan=plan, hypervisors={"kvm1": host(plan, **answers)})


def test_vcpus_on_their_own_cpus_pass() -> None:
    assert all_passed(PINS, with_host())
    assert all_passed(OVERCOMMIT, with_host())


def test_a_vcpu_that_may_run_elsewhere_is_named() -> None:
    node = PINNED.nodes[1]
    moved = failures(PINS, with_host(small_worker_1=affinity(node, vcpu1="yy" + "-" * 30)))
    assert moved == {ONE: f"vCPU 1 may run on 0-1, declared {node.cpu_pins[1]}"}
    lost = failures(PINS, with_host(small_worker_1="".join(affinity(node).partition("VCPU:           3")[:1])))
    assert lost == {ONE: f"vCPU 3 is not there, declared {node.cpu_pins[3]}"}


def test_qemus_own_threads_elsewhere_are_named() -> None:
    loose = definition(PINNED.nodes[0], emulator="0-31", memory=HUGE)
    assert failures(PINS, with_host(definitions={CP: loose})) == {CP: "QEMU's own threads are on 0-31, declared 2-3"}


def test_where_nothing_is_pinned_nothing_is_promised() -> None:
    assert set(statuses(PINS, seen()).values()) == {Status.SKIPPED}
    assert set(statuses(OVERCOMMIT, seen()).values()) == {Status.SKIPPED}
    assert not PINS.applies(PLAN)
    assert list(OVERCOMMIT.virsh(PLAN, "kvm1")) == list(PINS.virsh(PLAN, "kvm1")) == []


def test_other_machines_may_use_what_is_left_and_no_more() -> None:
    assert failures(OVERCOMMIT, with_host(domains={"guest": 4})) == {}
    words = failures(OVERCOMMIT, with_host(domains={"guest": 5}))["kvm1"]
    assert words == "machines that the stack does not have: guest (5 vCPUs); beside machine_cpus there are 4 CPUs"


def test_a_machine_of_another_size_and_a_smaller_host_are_named() -> None:
    assert "small-cp-1 has 8 vCPUs, declared 2" in failures(OVERCOMMIT, with_host(domains={CP: 8}))["kvm1"]
    answers = host()
    answers["nodeinfo"] = said("CPU(s):              16\n")
    assert "machine_cpus names CPU 31, and the host has 16" in failures(OVERCOMMIT, seen(plan=PINNED, hypervisors={"kvm1": answers}))["kvm1"]


@pytest.mark.parametrize("check", [PINS, OVERCOMMIT, DRIVERS])
def test_a_hypervisor_that_does_not_answer_is_not_checked(check: Check) -> None:
    silent = {"kvm1": dict.fromkeys(host(), unreachable())}
    assert set(statuses(check, seen(plan=PINNED, hypervisors=silent)).values()) == {Status.NOT_CHECKED}
    assert set(statuses(check, seen(plan=PINNED)).values()) == {Status.NOT_CHECKED}


@pytest.mark.parametrize("plan", [PLAN, PINNED, RICH], ids=["plain", "pinned", "rich"])
def test_drivers_as_declared_pass(plan: Any) -> None:
    assert all_passed(DRIVERS, with_host(plan))
    assert list(DRIVERS.virsh(plan, "kvm1")) == [f"dumpxml {node.name}" for node in plan.nodes]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cache": "writeback"}, "disk's cache is writeback, declared none"),
        ({"io": "threads"}, "disk's io is threads, declared io_uring"),
        ({"queues": 1}, "disk's queues is 1, declared 2"),
        ({"io_threads": 1}, "1 I/O threads, declared 2"),
        ({"bus": "sata"}, "disk is on bus sata, expected virtio"),
        ({"nic": ""}, "NIC's name is unset, declared vhost"),
        ({"memory": HUGE}, "huge pages of 1048576 KiB, declared none"),
    ],
)
def test_a_driver_that_differs_is_named(changes: dict[str, Any], words: str) -> None:
    problems = failures(DRIVERS, with_host(RICH, definitions={ONE: definition(RICH.nodes[1], **changes)}))
    assert list(problems) == [ONE]
    assert words in problems[ONE]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<disk type='network' device='disk'>", "disk is of type network, expected file or volume"),
        ("<disk type='block' device='disk'>", "disk is of type block, expected file or volume"),
    ],
)
def test_a_disk_outside_of_the_pool_is_named(source: str, words: str) -> None:
    changed = definition(PLAN.nodes[0]).replace("<disk type='file' device='disk'>", source, 1)
    assert words in failures(DRIVERS, with_host(PLAN, definitions={CP: changed}))[CP]


def test_a_volume_of_another_pool_is_named() -> None:
    file = "<source file='/var/lib/libvirt/images/small-cp-1-root' index='2'/>"
    changed = definition(PLAN.nodes[0]).replace("type='file'", "type='volume'", 1).replace(file, "<source pool='slow' volume='v'/>")
    assert failures(DRIVERS, with_host(PLAN, definitions={CP: changed})) == {CP: "disk is in pool slow, declared default"}


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
    emulated = plan_of(
        hypervisors={"kvm1": {"domain_type": "qemu"}}, control_plane={"cpu": {"mode": "maximum"}}, workers={"worker": {"cpu": {"mode": "maximum"}}}
    )
    assert failures(STEAL, shares(0.05, 0.0)) == {}
    assert set(failures(STEAL, shares(0.05, 0.0, PINNED))) == {ONE}
    assert failures(STEAL, shares(0.0, 0.4, emulated)) == {}
    assert set(failures(STEAL, shares(0.0, 0.7, emulated))) == {ONE}


def waiting(delay_s: float, ran_s: float = 4.0) -> Seen:
    """One machine whose vCPU 0 stood so long in its hypervisor's run queue while it ran for so long."""
    node = PLAN.nodes[1]
    words, before = f"domstats --vcpu {node.name}", (7_000_000_000, 9_000_000_000)
    texts = [
        f"Domain: '{node.name}'\n  vcpu.current=1\n  vcpu.0.state=1\n  vcpu.0.time={ran}\n  vcpu.0.wait=0\n  vcpu.0.delay={delay}\n"
        for ran, delay in (before, (before[0] + int(ran_s * 1e9), before[1] + int(delay_s * 1e9)))
    ]
    first, last = ({node.hypervisor: {words: Said(output=text, exit_code=0)}} for text in texts)
    return replace(shares(0.0, 0.0), hypervisors=first, hypervisors_later=last)


def test_time_in_the_hypervisors_run_queue_is_time_taken_away() -> None:
    assert list(STEAL.virsh_twice(PLAN, PLAN.nodes[1].hypervisor)) == [
        f"domstats --vcpu {node.name}" for node in PLAN.nodes_on(PLAN.nodes[1].hypervisor)
    ]
    assert failures(STEAL, waiting(6.0)) == {ONE: "vCPU 0 lacked 60%"}
    assert failures(STEAL, waiting(0.2)) == {}
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
