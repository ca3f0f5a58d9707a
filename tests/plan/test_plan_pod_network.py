"""The pods' network in numbers: MTU, marks, manifests."""

import pytest

import plan
from plan.pod_network import PodNetworkPlan, mark_mask
from settings import load
from settings.calico_versions import SUMS
from tests.settings.documents import Tree, minimal

OTHERS_MARKS = (1 << 13) | (1 << 14) | (1 << 15)
"""Marks of the CNI's portmap plugin, kube-proxy and the kubelet."""


def pods(of: Tree | None = None, **areas: Tree) -> PodNetworkPlan:
    return plan.make(load(minimal(pod_network=of or {}, **areas))).pod_network


@pytest.mark.parametrize(
    ("network", "mtu"),
    [
        ({}, 9000),
        ({"encapsulation": {"protocol": "ipip"}}, 8980),
        ({"encapsulation": {"protocol": "vxlan", "when": "always"}}, 8950),
        ({"wireguard": True}, 8940),
        ({"wireguard": True, "encapsulation": {"protocol": "vxlan"}}, 8940),
        ({"mtu": 1500}, 1500),
    ],
)
def test_pods_get_what_the_link_leaves(network: Tree, mtu: int) -> None:
    made = pods({"kind": "calico", **network}, network={"mtu": 9000})
    assert made.mtu == mtu
    assert made.mtu + made.overhead <= 9000


@pytest.mark.parametrize("wireguard", [False, True])
@pytest.mark.parametrize("count", [1, 110, 510, 511, 1022, 1023, 2046, 2047, 5000, 60_000, 2_000_000])
def test_marks_have_a_number_for_each_pod_and_none_of_others(count: int, *, wireguard: bool) -> None:
    mask = mark_mask(count, wireguard=wireguard)
    own = 0xFFFF0000 if mask is None else mask
    numbers = 2 ** (own.bit_count() - 6 - wireguard)
    assert numbers - 2 >= count
    assert not own & OTHERS_MARKS
    if mask is not None:
        assert mask < 2**31, "the field is a signed number of 32 bits"
        assert numbers // 2 - 2 < count, "no wider than needed"


@pytest.mark.parametrize(("mode", "count", "set_"), [("ipvs", 1022, False), ("ipvs", 1023, True), ("nftables", 1023, False)])
def test_a_mark_mask_is_planned_where_calicos_own_is_too_narrow(mode: str, count: int, *, set_: bool) -> None:
    made = pods({"kind": "calico"}, kube_proxy={"mode": mode}, cluster={"kubelet": {"maxPods": count}})
    assert (made.iptables_mark_mask is not None) == set_


def test_manifests_are_calicos_and_nobody_elses() -> None:
    made = pods({"kind": "calico"})
    assert made.manifest is not None
    assert made.api_server_manifest is not None
    assert (made.manifest.sha256, made.api_server_manifest.sha256) == (SUMS["3.32.1", "calico.yaml"], SUMS["3.32.1", "apiserver.yaml"])
    external = pods({"kind": "external"})
    assert (external.manifest, external.api_server_manifest) == (None, None)


def test_node_ports_go_to_felix_as_the_api_server_has_them() -> None:
    made = pods({"kind": "calico"}, cluster={"api_server": {"args": {"service-node-port-range": "20000-20999"}}})
    assert made.node_port_range == (20000, 20999)


def test_service_ranges_are_announced_in_a_fixed_order() -> None:
    services: Tree = {"cluster": True, "external": ["10.89.0.0/24"], "load_balancer": ["10.88.0.0/24"]}
    assert [str(network) for network in pods({"services": services}).bgp.service_ranges] == ["10.96.0.0/16", "10.89.0.0/24", "10.88.0.0/24"]
