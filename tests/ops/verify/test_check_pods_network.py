"""Devices, routes and MTU of the pods' network: what passes, and each way in which it does not."""

from typing import Any

import pytest
from made_nodes import (
    CP,
    ONE,
    PLAN,
    TWO,
    Answers,
    all_passed,
    block,
    changed,
    failures,
    link,
    links_of,
    listing,
    nodes,
    plan_of,
    routes_of,
    said,
    seen,
    statuses,
    together,
    unreachable,
)

from ops.verify.checks import pods_devices, pods_mtu, pods_routes
from ops.verify.model import Seen, Status
from ops.verify.reading.peers import peers
from tests.ops.made_previews import hosts

(DEVICES,) = pods_devices.CHECKS
(ROUTES,) = pods_routes.CHECKS
MTU, PATHS = pods_mtu.CHECKS
CALICO = plan_of(pod_network={"kind": "calico"})
IPAM = "/apis/crd.projectcalico.org/v1/ipamblocks"
FULL: dict[str, Any] = {"largest": 1500, "round_trip_ms": 0.4}


def healthy() -> Answers:
    return together(nodes("links", links_of), nodes("routes", routes_of))


def spoilt(node: str, key: str, value: Any) -> Seen:
    return seen(together(healthy(), {node: {key: said(value)}}))


def test_nodes_without_tunnels_pass() -> None:
    assert all_passed(DEVICES, seen(healthy()))


@pytest.mark.parametrize("kind", ["vxlan", "ipip", "wireguard", "geneve", "gre"])
def test_a_tunnel_is_named_on_its_node(kind: str) -> None:
    broken = spoilt(ONE, "links", [*links_of(PLAN.nodes[1]), link("strange", kind=kind)])
    assert failures(DEVICES, broken) == {ONE: f"1 tunnel: strange ({kind})"}


def test_a_link_that_comes_with_a_module_is_none_until_it_is_up() -> None:
    assert failures(DEVICES, spoilt(ONE, "links", [link("eth0"), link("tunl0", kind="ipip", up=False)])) == {}
    assert failures(DEVICES, spoilt(ONE, "links", [link("eth0"), link("tunl0", kind="ipip")])) == {ONE: "1 tunnel: tunl0 (ipip)"}


def test_a_declared_tunnel_is_no_finding_and_another_is() -> None:
    plan = plan_of(pod_network={"kind": "calico", "encapsulation": {"protocol": "vxlan"}})
    answers = nodes("links", [link("eth0"), link("vxlan.calico", kind="vxlan")])
    assert failures(DEVICES, seen(answers, plan=plan)) == {}
    answers[ONE] = {"links": said([link("eth0"), link("wireguard.cali", kind="wireguard")])}
    assert failures(DEVICES, seen(answers, plan=plan)) == {ONE: "1 tunnel: wireguard.cali (wireguard)"}


def test_a_node_that_does_not_answer_is_not_checked_and_spoils_no_other() -> None:
    answers = together(healthy(), {TWO: {"links": unreachable(), "routes": unreachable()}})
    assert statuses(DEVICES, seen(answers)) == {CP: Status.PASSED, ONE: Status.PASSED, TWO: Status.NOT_CHECKED}
    assert statuses(ROUTES, seen(answers)) == {CP: Status.PASSED, ONE: Status.PASSED, TWO: Status.NOT_CHECKED}


def test_every_block_through_its_node_passes() -> None:
    assert all_passed(ROUTES, seen(healthy()))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"gateway": "10.20.0.22"}, "of small-cp-1 goes via 10.20.0.22, expected 10.20.0.11"),
        ({"protocol": "static"}, "is no route of BGP (protocol static)"),
        ({"type": "blackhole", "gateway": None, "dev": None}, "of small-cp-1 leads nowhere (blackhole)"),
        ({"nexthops": [{"gateway": "10.20.0.11", "dev": "eth0"}, {"gateway": "10.20.0.22", "dev": "eth0"}]}, "goes via 10.20.0.11, 10.20.0.22"),
        ({"encap": "ip", "gateway": "10.20.0.11"}, "adds a header (ip)"),
        ({"dst": "10.130.7.0/24"}, "no route to 10.128.0.0/24 of small-cp-1"),
    ],
)
def test_a_wrong_route_is_named_on_its_node(fields: dict[str, Any], words: str) -> None:
    broken = spoilt(ONE, "routes", changed(routes_of(PLAN.nodes[1]), str(block(0)), **fields))
    problems = failures(ROUTES, broken)
    assert list(problems) == [ONE]
    assert words in problems[ONE]


def test_a_route_through_a_tunnel_is_named_whatever_made_it() -> None:
    table = changed(routes_of(PLAN.nodes[1]), str(block(0)), gateway=None, dev="vx0", protocol="boot")
    broken = seen(together(healthy(), {ONE: {"routes": said(table), "links": said([*links_of(PLAN.nodes[1]), link("vx0", kind="vxlan")])}}))
    assert failures(ROUTES, broken)[ONE].startswith("10.128.0.0/24 goes through tunnel vx0 (vxlan)")


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ({"dst": "10.130.0.0/24", "gateway": "10.20.0.99", "dev": "eth0", "protocol": "bird"}, "10.130.0.0/24 via 10.20.0.99 is no node's block"),
        ({"dst": "10.128.1.64/26", "gateway": "10.20.0.22", "dev": "eth0", "protocol": "bird"}, "is the node's own, and goes via 10.20.0.22"),
        ({"dst": "10.131.0.0/24", "dev": "eth0", "scope": "link"}, "is no block of small-worker-1 (eth0)"),
    ],
)
def test_a_route_that_nobody_knows_is_named(route: dict[str, Any], words: str) -> None:
    problems = failures(ROUTES, spoilt(ONE, "routes", [*routes_of(PLAN.nodes[1]), route]))
    assert list(problems) == [ONE]
    assert words in problems[ONE]


def test_a_node_that_announces_nothing_is_named() -> None:
    table = [route for route in routes_of(PLAN.nodes[1]) if route["type"] != "blackhole"]
    assert failures(ROUTES, spoilt(ONE, "routes", table))[ONE].endswith("announces no block of its own")


def test_without_announcements_kubernetes_says_whose_block_it_is() -> None:
    answers = {
        node.name: {"routes": said([r for r in routes_of(node) if r["type"] != "blackhole"]), "links": said(links_of(node))} for node in PLAN.nodes
    }
    items = [{"metadata": {"name": node.name}, "spec": {"podCIDR": str(block(number))}} for number, node in enumerate(PLAN.nodes)]
    assert all_passed(ROUTES, seen(answers, api={"/api/v1/nodes": listing(*items)}))
    assert set(statuses(ROUTES, seen(answers)).values()) == {Status.NOT_CHECKED}


def ipam(number: int, owner: str, **spec: Any) -> dict[str, Any]:
    return {"spec": {"cidr": str(block(number)), "affinity": owner, "allocations": [], "attributes": [], **spec}}


def test_calicos_ipam_says_whose_block_it_is_and_which_addresses_are_lent() -> None:
    owned = [ipam(number, f"host:{node.name}") for number, node in enumerate(PLAN.nodes)]
    assert all_passed(ROUTES, seen(healthy(), plan=CALICO, api={IPAM: listing(*owned, ipam(9, "virtual:load-balancer"))}))
    lent = {"dst": "10.128.2.5", "type": "unicast", "gateway": "10.20.0.11", "dev": "eth0", "protocol": "bird"}
    answers = together(healthy(), {ONE: {"routes": said([*routes_of(PLAN.nodes[1]), lent])}})
    assert "10.128.2.5/32 via 10.20.0.11 is no node's block" in failures(ROUTES, seen(answers, plan=CALICO, api={IPAM: listing(*owned)}))[ONE]
    owned[2] = ipam(2, f"host:{TWO}", allocations=[None] * 5 + [0], attributes=[{"secondary": {"node": CP}}])
    assert failures(ROUTES, seen(answers, plan=CALICO, api={IPAM: listing(*owned)})) == {}
    assert set(statuses(ROUTES, seen(answers, plan=CALICO)).values()) == {Status.NOT_CHECKED}


def test_links_of_the_declared_size_pass_and_others_are_named() -> None:
    assert all_passed(MTU, seen(healthy()))
    low = spoilt(ONE, "links", [link("eth0", 1400), link("veth1", 1500, "veth", link_netnsid=0)])
    assert failures(MTU, low) == {ONE: "eth0 1400"}
    pod = spoilt(ONE, "links", [link("eth0"), link("veth1", 1450, "veth", link_netnsid=0)])
    assert failures(MTU, pod) == {ONE: "veth1 of a pod 1450"}


def test_a_node_without_its_nic_is_not_checked() -> None:
    assert statuses(MTU, spoilt(ONE, "links", [link("ens3")]))[ONE] is Status.NOT_CHECKED


def paths(*bad: tuple[str, str, Any]) -> Seen:
    answers = {node.name: {"path-mtu": {other.name: FULL for other in peers(PLAN, node)}} for node in PLAN.nodes}
    for source, to, answer in bad:
        answers[source]["path-mtu"][to] = answer
    return seen({name: {key: said(value) for key, value in probes.items()} for name, probes in answers.items()})


def test_paths_that_carry_full_packets_pass() -> None:
    assert all_passed(PATHS, paths())


def test_a_narrow_path_and_a_dead_one_are_named_by_their_ends() -> None:
    problems = failures(PATHS, paths((CP, ONE, {"largest": 1400, "round_trip_ms": 0.4}), (TWO, CP, {"largest": 0, "round_trip_ms": None})))
    assert problems == {f"{CP} -> {ONE}": "1400 bytes pass, no more", f"{TWO} -> {CP}": "no packet of any size is answered"}


def test_a_path_that_the_node_does_not_name_is_not_checked() -> None:
    assert statuses(PATHS, paths((CP, ONE, None)))[f"{CP} -> {ONE}"] is Status.NOT_CHECKED


def test_in_a_large_fleet_every_node_asks_and_is_asked_as_often() -> None:
    plan = plan_of(hypervisors=hosts(17), network={"cidr": "10.20.0.0/16"}, workers={"worker": {"count": 199, "first_host": 1001}})
    asked = {node.name: 0 for node in plan.nodes}
    for node in plan.nodes:
        others = [other.name for other in peers(plan, node)]
        assert node.name not in others
        assert len(others) == len(set(others)) == 8
        for other in others:
            asked[other] += 1
    assert set(asked.values()) == {8}


def test_where_two_claim_a_block_it_is_the_one_to_which_others_send() -> None:
    table = [*routes_of(PLAN.nodes[2]), {"type": "blackhole", "dst": str(block(0)), "table": "main", "protocol": "bird"}]
    problems = failures(ROUTES, spoilt(TWO, "routes", [route for route in table if route.get("gateway") != "10.20.0.11"]))
    assert problems == {TWO: "10.128.0.0/24 of small-cp-1 leads nowhere (blackhole); no route to 10.128.0.0/24 of small-cp-1"}
