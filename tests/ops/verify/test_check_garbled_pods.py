"""Whatever nodes, hypervisors and the API say, a check says something and never breaks; and it does not pass on nonsense."""

import json
from typing import Any

import pytest
from made_nodes import plan_of, said, unreachable

from ops.verify.checks import (
    dependencies_distance,
    ingress_clients,
    ingress_config,
    machines_devices,
    machines_drift,
    machines_fsync,
    machines_pins,
    machines_steal,
    pods_devices,
    pods_mtu,
    pods_pools,
    pods_routes,
    pods_sessions,
    pods_wire,
    residency_places,
)
from ops.verify.model import Check, Said, Seen, Status
from plan import Plan

FILES = (
    dependencies_distance, ingress_clients, ingress_config, machines_devices, machines_drift, machines_fsync, machines_pins, machines_steal, pods_devices, pods_mtu,
    pods_pools, pods_routes, pods_sessions, pods_wire, residency_places,
)  # fmt: skip
CHECKS = [check for file in FILES for check in file.CHECKS]
NETWORK: dict[str, Any] = {"services": {"load_balancer": ["10.20.128.0/24"]}}
AREAS: dict[str, Any] = {
    "hypervisors": {"kvm1": {"drives": {"fast": {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 10}}}},
    "control_plane": {"etcd_disk": {"kind": "drive", "of": "nvme"}, "containerd_disk": {"kind": "volume", "size_gib": 5}},
    "dependencies": {"db": {"host": "db.example.com", "port": 5432, "country": "NO", "round_trip_ms": 1.5}},
    "ingress": {},
}
PLANS = {kind: plan_of(**AREAS, pod_network={"kind": kind, **NETWORK}) for kind in ("calico", "external")}
HOSTILE: list[Any] = [None, True, -1, 1e400, "x", [], {}, [None], [[]], [{}], {"": None}, {"items": None}, {"items": [None, 1, {}]}]
TEXTS = [
    "", "\0", "{", "[", "null", "[" * 100_000, "BIRD", "<a", "<domain/>", "<domain><devices><disk/></devices></domain>", "é\n\n\t0x0000:  zz",
    "Domain: ''\n vcpu.current=x", "VCPU:           0\nCPU Affinity:   yyyy\n", "CPU(s):              0\n", *map(json.dumps, HOSTILE),
]  # fmt: skip


def shapes() -> list[Any]:
    """Documents in which every name that is looked for holds something strange."""
    names = [
        "ifname",
        "linkinfo",
        "flags",
        "mtu",
        "dst",
        "gateway",
        "nexthops",
        "encap",
        "type",
        "dev",
        "protocol",
        "table",
        "source",
        "targets",
        "capture",
        "why",
        "to",
        "via",
        "block",
        "refused",
        "largest",
        "small-cp-1",
        "small-worker-1",
        "db",
        "connect_ms",
        "address",
        "error",
        "0",
        "stolen",
        "stood_still",
        "milliseconds",
        "scheduler",
        "queues",
        "controllers",
        "directives",
        "counts",
        "logs",
    ]
    return [dict.fromkeys(names, value) for value in HOSTILE] + [[dict.fromkeys(names, value)] for value in HOSTILE]


def objects() -> list[Any]:
    """Lists of the API whose objects have strange parts."""
    bad: list[Any] = [{"metadata": value, "spec": value, "data": value, "status": value} for value in HOSTILE]
    deeper = {"cidr": 7, "affinity": [], "allocations": [9, None, -1, "x"], "attributes": [1, {"secondary": 2}], "podCIDR": "10.0.0.0/99"}
    bad.append({"metadata": {"name": "default", "namespace": 3, "labels": []}, "spec": deeper})
    bad.append({"metadata": {"name": "x"}, "spec": {**deeper, "cidr": "10.128.0.0/30", "affinity": "host:x", "allocations": [0] * 50}})
    return [{"items": bad}, {"items": []}, *HOSTILE]


def asked(check: Check, plan: Plan, answer: Said) -> Seen:
    words = {name: dict.fromkeys(check.virsh(plan, name), answer) for name in plan.settings.hypervisors}
    every = {probe.key for other in CHECKS for probe in other.probes}
    return Seen(plan=plan, nodes={node.name: dict.fromkeys(every, answer) for node in plan.nodes}, api={}, api_errors={}, hypervisors=words)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_nobody_who_answers_nonsense_passes(check: Check, plan: Plan) -> None:
    answers = [said(text) for text in TEXTS] + [said(shape) for shape in shapes()] + [said("", 1), unreachable()]
    for answer in answers:
        findings = list(check.judge(asked(check, plan, answer)))
        assert all(finding.where and finding.status is not Status.PASSED for finding in findings), (answer, findings)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_an_api_that_answers_nonsense_breaks_nothing(check: Check, plan: Plan) -> None:
    for document in objects():
        api = {path: document for each in CHECKS for path in each.api_paths}
        findings = list(check.judge(Seen(plan=plan, nodes={}, api=api, api_errors={})))
        assert all(finding.where and finding.status is not Status.PASSED for finding in findings), (document, findings)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_silence_is_not_checked_and_said_for_every_place(check: Check) -> None:
    plan = PLANS["calico"]
    paths = dict.fromkeys(check.api_paths, "503 Service Unavailable")
    findings = list(check.judge(Seen(plan=plan, nodes={}, api={}, api_errors=paths)))
    if check.applies(plan):
        assert findings
        assert {finding.status for finding in findings} <= {Status.NOT_CHECKED, Status.SKIPPED}
        assert all(finding.found for finding in findings)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_says_what_it_is_about(check: Check) -> None:
    assert check.title[0].isupper()
    assert check.probes or check.api_paths or list(check.virsh(PLANS["calico"], "kvm1"))
    for probe in check.probes:
        for node in PLANS["calico"].nodes:
            assert len(probe.script(PLANS["calico"], node)) < 100_000, "one word of a command has 128 KiB at most"
