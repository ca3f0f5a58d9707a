"""The pods' network: legal choices that warn, each with its line, and corner cases that are right and warn of nothing."""

from typing import Any

import pytest
import yaml

from settings import load
from settings.calico_versions import PUBLISHED, SUMS
from tests.settings.documents import Tree, minimal

NFTABLES: Tree = {"mode": "nftables"}


def warnings(pods: Tree, **areas: Any) -> list[str]:
    return [str(problem) for problem in load(minimal(**{"kube_proxy": NFTABLES, "pod_network": pods, **areas})).warnings()]


def yaml_of(text: str) -> Tree:
    return yaml.safe_load(text)


CASES: dict[str, tuple[str, list[str]]] = {
    "external with Calico's settings": (
        "{ calico: { xdp: true }, encapsulation: { protocol: none }, wireguard: false, bgp: { node_address: node-network } }",
        [
            "pod_network.calico: is ignored: kind is external; remove it, or write kind: calico",
            "pod_network.encapsulation: is ignored: kind is external; remove it, or write kind: calico",
            "pod_network.wireguard: is ignored: kind is external; remove it, or write kind: calico",
            "pod_network.bgp.node_address: is ignored: kind is external; remove it, or write kind: calico",
        ],
    ),
    "encapsulation": (
        "{ kind: calico, encapsulation: { protocol: ipip, when: always } }",
        [
            (
                "pod_network.encapsulation: is ipip always, 20 bytes a packet; pods get an MTU of 1480 on a link of 1500; "
                "write protocol: none where the network carries plain packets"
            )
        ],
    ),
    "encapsulation across subnets that are not there": (
        "{ kind: calico, encapsulation: { protocol: vxlan } }",
        [
            (
                "pod_network.encapsulation: is vxlan cross-subnet, 50 bytes a packet: all nodes are in network.cidr, so that no packet gets them, "
                "yet pods lose the bytes; pods get an MTU of 1450 on a link of 1500; write protocol: none where the network carries plain packets"
            )
        ],
    ),
    "encryption": (
        "{ kind: calico, wireguard: true }",
        ["pod_network.wireguard: costs 60 bytes a packet and CPU; pods get an MTU of 1440 on a link of 1500; leave it out where the wire is trusted"],
    ),
    "small MTU": (
        "{ kind: calico, mtu: 1400 }",
        ["pod_network.mtu: is 1400, less than the 1500 that fit the link: more packets for the same bytes; leave it out"],
    ),
    "nothing to assign": (
        "{ kind: calico, services: { assign: requested } }",
        ["pod_network.services.assign: is ignored: load_balancer names no range; name one, or remove assign"],
    ),
    "Services announced to nobody": (
        "{ kind: calico, services: { cluster: true, load_balancer: [10.88.0.0/24] } }",
        [
            "pod_network.services.cluster: is announced to no router: there is none in pod_network.bgp.routers; name one, or remove it",
            "pod_network.services.load_balancer: is announced to no router: there is none in pod_network.bgp.routers; name one, or remove it",
        ],
    ),
    "nobody knows the way back": (
        "{ kind: calico, pools: [{ cidr: 10.128.0.0/16, nat_outgoing: false }] }",
        [
            (
                "pod_network.pools[0].nat_outgoing: is false, and no router learns the way back: there is none in pod_network.bgp.routers; "
                "name one, or write true"
            )
        ],
    ),
    "reflectors in a mesh": (
        "{ bgp: { route_reflectors: { one: { cluster_id: 10.255.0.1, nodes: { underlay.dev/pool: worker } } } } }",
        ["pod_network.bgp.route_reflectors: is ignored: topology is mesh; remove it, or write topology: route-reflectors"],
    ),
    "one reflector": (
        "{ bgp: { topology: route-reflectors, route_reflectors: { one: { cluster_id: 10.255.0.1, nodes: { underlay.dev/pool: cp } } } } }",
        ["pod_network.bgp.route_reflectors.one.nodes: matches small-cp-1 alone: losing it loses its clients' routes; choose labels of two nodes"],
    ),
    "one router, of another system": (
        "{ bgp: { topology: routers, routers: { tor: { address: 10.20.0.2, as_number: 64600 } } } }",
        [
            "pod_network.bgp.routers: gives small-cp-1 and 2 more one router each: losing it loses all routes; name two for each node",
            (
                "pod_network.bgp.topology: is routers: small-cp-1 and 2 more of AS 64512 hear of other nodes of AS 64512 by routers of other systems only, "
                "and drop routes with their own AS in the path: load what router-config prints, which replaces it, or write allow_own_as: 1"
            ),
        ],
    ),
    "what Calico does not do": (
        "{ kind: calico, bgp: { routers: { tor: { address: 10.20.0.2, as_number: 64512, bfd: true, next_hop: keep, allow_own_as: 1 } } } }",
        [
            "pod_network.bgp.routers.tor.bfd: has no effect on Calico's side, whose BIRD is not configured for it; remove it, or rely on hold and restart times",
            "pod_network.bgp.routers.tor.next_hop: is keep, which Calico uses on eBGP sessions only, and iBGP keeps it by itself; remove it",
            "pod_network.bgp.routers.tor.allow_own_as: is ignored on iBGP sessions; remove it",
        ],
    ),
    "room for too few routes": (
        "{ services: { load_balancer: [10.88.0.0/24] }, bgp: { routers: { tor: { address: 10.20.0.2, as_number: 64600, max_prefixes: 100 } } } }",
        ["pod_network.bgp.routers.tor.max_prefixes: is 100, less than the 1026 that a node may announce; raise it, or leave it out"],
    ),
    "names that nobody uses": (
        "{ bgp: { filters: { f: { import_rules: [{ action: reject }] } }, communities: { c: '64512:1' } } }",
        [
            "pod_network.bgp.filters.f: is used by no router; name it in a router's filters, or remove it",
            "pod_network.bgp.communities.c: is used by no advertisement; name it there, or remove it",
        ],
    ),
}


@pytest.mark.parametrize(("pods", "lines"), CASES.values(), ids=CASES.keys())
def test_a_costly_choice_of_the_pods_network_warns_with_its_lines_and_no_others(pods: str, lines: list[str]) -> None:
    assert warnings(yaml_of(pods)) == lines


RIGHT: dict[str, str] = {
    "Calico as it comes": "{ kind: calico }",
    "the router is the gateway": "{ bgp: { routers: { tor: { address: 10.20.0.1, as_number: 64600, ttl_security_hops: 1 } } } }",
    "a router two hops away": "{ bgp: { routers: { core: { address: 10.30.0.1, as_number: 64600, ttl_security_hops: 2 } } } }",
    "the MTU of the link": "{ kind: calico, mtu: 1500 }",
    "two reflectors": "{ bgp: { topology: route-reflectors, route_reflectors: { one: { cluster_id: 10.255.0.1, nodes: { underlay.dev/pool: worker } } } } }",
    "all reflect": (
        "{ bgp: { topology: route-reflectors, route_reflectors: { one: { cluster_id: 10.255.0.1, nodes: { kubernetes.io/os: linux } } } } }"
    ),
    "reflectors named by host, one router for them": (
        "{ bgp: { topology: route-reflectors, route_reflectors: { one: { cluster_id: 10.255.0.1, nodes: { underlay.dev/pool: worker } } }, "
        "routers: { tor: { address: 10.20.0.2, as_number: 64600, nodes: { underlay.dev/route-reflector: one } } } } }"
    ),
    "routers in the nodes' system": (
        "{ bgp: { topology: routers, routers: { a: { address: 10.20.0.2, as_number: 64512 }, b: { address: 10.20.0.3, as_number: 64512 } } } }"
    ),
    "routers of another system, own routes allowed": (
        "{ bgp: { topology: routers, routers: { a: { address: 10.20.0.2, as_number: 64600, allow_own_as: 1 }, "
        "b: { address: 10.20.0.3, as_number: 64600, allow_own_as: 1 } } } }"
    ),
    "an AS for each node": (
        "{ bgp: { topology: routers, racks: { c: { nodes: { underlay.dev/pool: cp }, as_number: 65001 }, "
        "w1: { nodes: { kubernetes.io/hostname: small-worker-1 }, as_number: 65002 }, "
        "w2: { nodes: { kubernetes.io/hostname: small-worker-2 }, as_number: 65003 } }, "
        "routers: { a: { address: 10.20.0.2, as_number: 64600 }, b: { address: 10.20.0.3, as_number: 64600 } } } }"
    ),
    "a rack with reflectors of its own, joined by routers": (
        "{ bgp: { topology: route-reflectors, racks: { r1: { nodes: { underlay.dev/pool: worker }, as_number: 65001 } }, "
        "route_reflectors: { r1: { cluster_id: 10.255.0.1, nodes: { underlay.dev/pool: worker } , clients: { underlay.dev/pool: worker } } }, "
        "routers: { a: { address: 10.20.0.2, as_number: 64600 } } } }"
    ),
    "pools that together are for all": (
        "{ kind: calico, pools: [{ cidr: 10.128.0.0/16, nodes: { underlay.dev/pool: cp } }, { cidr: 10.129.0.0/16, nodes: { underlay.dev/pool: worker } }] }"
    ),
    "filters and communities in use": (
        "{ services: { cluster: true }, bgp: { filters: { f: { export_rules: [{ action: reject, cidr: 10.128.0.0/14, match: equal }] } }, "
        "communities: { c: '64512:1' }, advertisements: [{ cidr: 10.96.0.0/16, communities: [c, '64512:2:3'] }], "
        "routers: { tor: { address: 10.20.0.2, as_number: 64600, filters: [f], max_prefixes: 2000 } } } }"
    ),
}


@pytest.mark.parametrize("pods", RIGHT.values(), ids=RIGHT.keys())
def test_what_is_right_warns_of_nothing(pods: str) -> None:
    assert warnings(yaml_of(pods)) == []


def test_a_mesh_warns_above_a_hundred_nodes() -> None:
    def mesh(workers: int) -> list[str]:
        emulated, unknown = {"cpu_policy": {"kind": "emulated"}}, {"topology": None, "reserved_cpus": None}
        return warnings({}, hypervisors={"kvm1": unknown}, control_plane=emulated, workers={"worker": {"count": workers, **emulated}})

    assert mesh(99) == []
    assert mesh(100) == [
        "pod_network.bgp.topology: is mesh with 101 nodes, 100 sessions on each, limit about 100 nodes; write topology: route-reflectors"
    ]


OWN = {"source": "mirror/manifest.yaml", "sha256": "0" * 64}


def calico(version: str, **more: Any) -> Tree:
    return {"kind": "calico", "calico": {"version": version, "manifest": OWN, "api_server_manifest": OWN, **more}}


@pytest.mark.parametrize(
    ("version", "kubernetes", "said"),
    [
        ("3.32.1", "1.36.3", None),
        ("3.32.1", "1.34.0", None),
        ("3.32.1", "1.33.9", "is 3.32.1, tested with Kubernetes 1.34 to 1.36, not with 1.33"),
        ("3.32.1", "1.37.0", "is 3.32.1, tested with Kubernetes 1.34 to 1.36, not with 1.37"),
        ("3.31.7", "1.35.0", None),
        ("3.31.7", "1.36.3", "is 3.31.7, tested with Kubernetes 1.32 to 1.35, not with 1.36"),
        ("3.30.0", "1.32.0", "is 3.30.0: which Kubernetes it is tested with is known of 3.31, 3.32 only"),
    ],
)
def test_an_untested_pair_warns_and_is_not_refused(version: str, kubernetes: str, said: str | None) -> None:
    lines = warnings(calico(version), cluster={"kubernetes_version": kubernetes}, image={"source": "node.qcow2"})
    assert [line.startswith(f"pod_network.calico.version: {said}") for line in lines] == ([True] if said else [])


def test_a_version_is_no_ones_business_where_the_cni_is_external() -> None:
    lines = warnings({"calico": {"version": "3.12.0"}})
    assert lines == ["pod_network.calico: is ignored: kind is external; remove it, or write kind: calico"]


def test_published_manifests_are_those_of_their_version() -> None:
    used = load(minimal(pod_network={"kind": "calico", "calico": {"version": "3.31.7", "api_server_manifest": OWN}})).pod_network.calico
    assert used.used_manifest is not None
    assert used.used_manifest.source == PUBLISHED.format(version="3.31.7", file="calico.yaml")
    assert used.used_manifest.sha256 == SUMS["3.31.7", "calico.yaml"]
    assert used.used_api_server_manifest == used.api_server_manifest


@pytest.mark.parametrize(("text", "ports"), [("20000-20999", (20000, 20999)), ("20000+999", (20000, 20999)), (None, (30000, 32767))])
def test_node_ports_are_read_as_the_api_server_reads_them(text: str | None, ports: tuple[int, int]) -> None:
    args = {"service-node-port-range": text} if text else {}
    assert load(minimal(cluster={"api_server": {"args": args}})).cluster.node_port_range == ports


@pytest.mark.parametrize("text", ["", "30000", "0-10", "2-1", "1-65536", "65000+536", "a-b", "1-2-3", "100000-100001", "-1-5"])
def test_no_other_node_ports_pass(text: str) -> None:
    with pytest.raises(ValueError, match="service-node-port-range: is"):
        load(minimal(cluster={"api_server": {"args": {"service-node-port-range": text}}}))
