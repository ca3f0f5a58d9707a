"""What tcpdump printed of marked packets in two network namespaces: as they are, translated, and in VXLAN."""

import json
from pathlib import Path
from typing import Any

import pytest
from made_nodes import CP, ONE, TWO, all_passed, failures, found, nodes, plan_of, said, seen, statuses, together, unreachable

from ops.verify.checks import pods_wire
from ops.verify.model import Seen, Status
from ops.verify.programs import wire
from ops.verify.reading.frames import frames

WIRE, SOURCE = pods_wire.CHECKS
RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> dict[str, Any]:
    return json.loads((RECORDED / f"pods-wire-{name}.json").read_text())


def seen_with(report: Any) -> Seen:
    """All is well, but the first worker's link has something else."""
    return seen(together(nodes("wire", recorded("healthy")), {ONE: {"wire": said(report)}}))


def test_packets_as_they_were_sent_pass() -> None:
    assert all_passed(WIRE, seen_with(recorded("healthy")))
    assert all_passed(SOURCE, seen_with(recorded("healthy")))


def test_an_outer_header_is_named_with_its_size() -> None:
    problems = failures(WIRE, seen_with(recorded("vxlan")))
    assert problems == {ONE: "192.168.21.0/24 via vxl0: 50 bytes of outer headers (VXLAN)"}
    (finding,) = [each for each in found(WIRE, seen_with(recorded("vxlan"))) if each.where == ONE]
    assert [(figure.value, figure.limit) for figure in finding.figures] == [(50, 0)]
    assert failures(SOURCE, seen_with(recorded("vxlan"))) == {}, "the pod's address is inside all the same"


def test_an_outer_header_that_is_declared_is_none_too_many() -> None:
    plan = plan_of(pod_network={"kind": "calico", "encapsulation": {"protocol": "vxlan"}})
    assert failures(WIRE, seen(nodes("wire", recorded("vxlan"), plan), plan=plan)) == {}
    other = plan_of(pod_network={"kind": "calico", "encapsulation": {"protocol": "ipip"}})
    assert set(failures(WIRE, seen(nodes("wire", recorded("vxlan"), other), plan=other))) == {CP, ONE, TWO}


def test_where_encryption_is_declared_a_plain_packet_is_the_fault() -> None:
    plan = plan_of(pod_network={"kind": "calico", "wireguard": True})
    assert failures(WIRE, seen(nodes("wire", recorded("healthy"), plan), plan=plan))[ONE].endswith("not encrypted")


def test_a_translated_source_is_named() -> None:
    assert failures(SOURCE, seen_with(recorded("masq"))) == {ONE: "they leave with 10.77.0.11"}
    assert failures(WIRE, seen_with(recorded("masq"))) == {}


def test_packets_that_are_not_seen_are_named() -> None:
    report = {**recorded("healthy"), "capture": ""}
    assert "no packet to 192.168.21.254 was seen" in failures(WIRE, seen_with(report))[ONE]
    assert statuses(SOURCE, seen_with(report))[ONE] is Status.NOT_CHECKED


def test_what_the_node_refuses_to_send_is_named() -> None:
    report = recorded("healthy")
    report["targets"][0]["refused"] = "Network is unreachable"
    assert "the node does not send it (Network is unreachable)" in failures(WIRE, seen_with(report))[ONE]


@pytest.mark.parametrize("change", [{"why": "tcpdump does not listen"}, {"source": ""}, {"targets": []}])
def test_where_nothing_could_be_sent_or_seen_it_is_not_checked(change: dict[str, Any]) -> None:
    for check in (WIRE, SOURCE):
        assert statuses(check, seen_with({**recorded("healthy"), **change}))[ONE] is Status.NOT_CHECKED
        assert statuses(check, seen(together(nodes("wire", recorded("healthy")), {TWO: {"wire": unreachable()}})))[TWO] is Status.NOT_CHECKED


def test_frames_that_bear_no_mark_are_left_out() -> None:
    other = "12:00:00.0 IP 10.0.0.1 > 10.0.0.2: ICMP echo request\n\t0x0000:  4500 0054 0000 4000 4001 0000 0a00 0001\n\t0x0010:  0a00 0002\n"
    assert frames(other) == []
    assert len(frames(other + recorded("healthy")["capture"])) == wire.TIMES


def test_the_program_sends_from_its_own_block_to_everybody_elses() -> None:
    table: list[dict[str, Any]] = [
        {"type": "blackhole", "dst": "192.168.11.0/24"},
        {"type": "unicast", "dst": "192.168.11.5", "dev": "veth1"},
        {"type": "unicast", "dst": "192.168.31.0/24", "gateway": "10.77.0.31", "dev": "eth0"},
        {"type": "unicast", "dst": "192.168.21.0/26", "gateway": "10.77.0.21", "dev": "eth0"},
        {"type": "unicast", "dst": "192.168.41.0/24", "dev": "vx0"},
    ]
    own = wire.own_address(table, "eth0")
    assert str(own) == "192.168.11.255"
    assert own is not None
    aims = wire.targets(table, own, ["10.77.0.21"], 8)
    assert [aim["to"] for aim in aims] == ["192.168.21.62", "192.168.41.254", "192.168.31.254"]
    assert str(wire.own_address(table[1:], "eth0")) == "192.168.11.5", "a pod's, where the node announces no block"
