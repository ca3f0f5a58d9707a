"""Sessions that Calico makes of the BGPPeers, by the rule of its confd, against the sessions of the plan."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from calico_plans import NETWORKS, REFLECTORS, plan

from plan import NodePlan, Plan
from render.calico import v3
from settings.bgp import REFLECTOR_LABEL


def chosen(selector: str, labels: dict[str, str]) -> bool:
    """Whether Calico's selector chooses a node: the part of its language that is used here."""
    if selector == "all()":
        return True
    return all(_holds(part, labels) for part in selector.split(" && "))


def _holds(part: str, labels: dict[str, str]) -> bool:
    if found := re.fullmatch(r"(!?)has\(([^)]+)\)", part):
        return (found[2] in labels) != bool(found[1])
    if found := re.fullmatch(r"(\S+) == '([^']*)'", part):
        return labels.get(found[1]) == found[2]
    if found := re.fullmatch(r"(\S+) in \{(.+)\}", part):
        return labels.get(found[1]) in [value.strip().strip("'") for value in found[2].split(",")]
    raise AssertionError(f"not a selector: {part}")


def labels_of(node: NodePlan) -> dict[str, str]:
    role = {"node-role.kubernetes.io/control-plane": ""} if node.is_control_plane else {}
    return {**dict(node.labels), "kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux", **role}


def ends(network: Plan) -> Iterator[tuple[str, str, int]]:
    """Node, peer's address and AS of each end that calico-node configures; a peering by selector has both ends from one BGPPeer."""
    specs: list[dict[str, Any]] = [thing.spec for thing in v3.objects(network) if thing.kind == "BGPPeer"]
    if next(thing for thing in v3.objects(network) if thing.kind == "BGPConfiguration").spec["nodeToNodeMeshEnabled"]:
        specs.append({"nodeSelector": "all()", "peerSelector": "all()"})
    systems = {speaker.node: speaker.as_number for speaker in network.pod_network.bgp.speakers}
    for spec in specs:
        local = [node for node in network.nodes if chosen(spec["nodeSelector"], labels_of(node))]
        if "peerIP" in spec:
            yield from ((node.name, spec["peerIP"], spec["asNumber"]) for node in local)
            continue
        assert "asNumber" not in spec, "Calico takes the AS of the chosen nodes, and refuses one here"
        remote = [node for node in network.nodes if chosen(spec["peerSelector"], labels_of(node))]
        yield from {
            (here.name, str(there.address), systems[there.name])
            for one, other in ((local, remote), (remote, local))
            for here in one
            for there in other
            if here is not there
        }


@pytest.mark.parametrize("name", NETWORKS)
def test_calico_makes_the_planned_sessions_each_once(name: str) -> None:
    network = plan(NETWORKS[name])
    wanted = [
        (node.name, str(session.peer_address), session.peer_as) for node in network.nodes for session in network.pod_network.bgp.sessions(node.name)
    ]
    assert wanted
    assert Counter(ends(network)) == Counter(wanted)


@pytest.mark.parametrize("name", NETWORKS)
def test_both_ends_of_a_session_between_nodes_are_configured(name: str) -> None:
    network = plan(NETWORKS[name])
    addresses = {node.name: str(node.address) for node in network.nodes}
    between = {(addresses[node], peer) for node, peer, _ in ends(network) if peer in addresses.values()}
    assert {(there, here) for here, there in between} == between


def test_reflectors_of_two_autonomous_systems_have_no_session_with_each_other() -> None:
    hosts = {"north": "kvm-a", "south": "kvm-b", "east": "kvm-c"}
    racks = {name: {"nodes": {"underlay.dev/hypervisor": host}, "as_number": 65101 + number} for number, (name, host) in enumerate(hosts.items())}
    clusters = {
        name: {
            "cluster_id": f"10.20.0.24{number}",
            "nodes": {"underlay.dev/pool": "cp", "underlay.dev/hypervisor": hosts[name]},
            "clients": {"underlay.dev/hypervisor": hosts[name]},
        }
        for number, name in enumerate(("north", "south"))
    }
    routers = {"spine": {"address": "10.20.0.250", "as_number": 65000}}
    network = plan({**REFLECTORS, "bgp": {"topology": "route-reflectors", "racks": racks, "route_reflectors": clusters, "routers": routers}})
    reflectors = {node.name: str(node.address) for node in network.nodes if REFLECTOR_LABEL in dict(node.labels)}
    assert len(reflectors) == 2
    found = list(ends(network))
    assert [end for end in found if end[0] in reflectors], "the reflectors have sessions with others"
    assert not [end for end in found if end[0] in reflectors and end[1] in reflectors.values()]
    names = [thing.name for thing in v3.objects(network) if thing.kind == "BGPPeer"]
    assert names == ["clients-of-north", "clients-of-south", "router-spine"]
