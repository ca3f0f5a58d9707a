"""Sessions: each is there on both sides, nobody is left out, every node hears of every other."""

import time
from typing import Any

import pytest

import plan
from plan.bgp import REFLECTOR_LABEL, BgpPlan, Session
from settings import load
from tests.plan.fabrics import FABRICS, LARGE, POOL, SITES, fabric, routers
from tests.settings.documents import Tree, minimal

ALL = {**FABRICS, "large": LARGE}
OPPOSITE = {"node": "node", "client": "reflector", "reflector": "client"}
LIMIT_S = 1.0


def made(source: Tree) -> plan.Plan:
    return plan.make(load(source))


def bgp_of(source: Tree) -> BgpPlan:
    return made(source).pod_network.bgp


def sessions_of(bgp: BgpPlan) -> dict[str, tuple[Session, ...]]:
    return {speaker.node: bgp.sessions(speaker.node) for speaker in bgp.speakers}


@pytest.fixture(params=ALL.values(), ids=list(ALL))
def bgp(request: pytest.FixtureRequest) -> BgpPlan:
    return bgp_of(request.param)


def test_a_session_is_there_on_both_sides_and_as_each_sees_it(bgp: BgpPlan) -> None:
    sessions = sessions_of(bgp)
    kinds = {(name, session.peer): session.kind for name, own in sessions.items() for session in own if session.kind != "router"}
    assert {(peer, name): OPPOSITE[kind] for (name, peer), kind in kinds.items()} == kinds


def test_a_session_carries_the_peers_own_address_and_as(bgp: BgpPlan) -> None:
    for name, own in sessions_of(bgp).items():
        for session in own:
            assert session.peer != name
            if session.kind == "router":
                router = bgp.settings.routers[session.peer]
                assert (session.peer_address, session.peer_as, session.router) == (router.address, router.as_number, router)
            else:
                peer = bgp.speaker(session.peer)
                assert (session.peer_address, session.peer_as, session.router) == (peer.address, peer.as_number, None)


def test_no_node_has_two_sessions_with_one_peer_and_none_has_no_session(bgp: BgpPlan) -> None:
    for own in sessions_of(bgp).values():
        addresses = [session.peer_address for session in own]
        assert addresses
        assert len(set(addresses)) == len(addresses)


def test_sessions_between_nodes_are_inside_one_as(bgp: BgpPlan) -> None:
    for name, own in sessions_of(bgp).items():
        assert {session.peer_as for session in own if session.kind != "router"} <= {bgp.speaker(name).as_number}


def test_a_routers_sessions_are_those_of_the_nodes_that_it_names(bgp: BgpPlan) -> None:
    sessions = sessions_of(bgp)
    for router in bgp.routers:
        peers = {name for name, own in sessions.items() if any(session.peer == router.name and session.kind == "router" for session in own)}
        assert peers == {speaker.node for speaker in router.speakers} != set()


def heard(sessions: dict[str, tuple[Session, ...]], numbers: dict[str, int], origin: str) -> set[str]:
    """Nodes that get the route of a node's block, as BGP passes routes on (RFC 4271, RFC 4456).

    To a router goes a node's own route only, by underlay's filter. Routers tell each other, and a node takes what comes from one of them
    unless its own AS is in the path and nothing allows that.
    """
    states: set[tuple[str, str]] = set()
    queue = [(origin, "own")]
    while queue:
        name, source = queue.pop()
        if (name, source) in states:
            continue
        states.add((name, source))
        for session in sessions[name]:
            if session.kind == "router":
                queue += [(other, "router") for other in sessions if source == "own" and takes(sessions[other], numbers[other], numbers[origin])]
            elif source in ("own", "client", "router") or session.kind == "client":
                queue.append((session.peer, OPPOSITE[session.kind]))
    return {name for name, _ in states}


def takes(own: tuple[Session, ...], number: int, origin: int) -> bool:
    """Whether a node takes a route of that AS from one of its routers."""
    return any(session.router and (number != origin or session.router.allow_own_as) for session in own)


@pytest.mark.parametrize("source", ALL.values(), ids=ALL.keys())
def test_every_node_hears_of_every_block(source: Tree) -> None:
    shape = made(source)
    speakers = shape.pod_network.bgp.speakers
    sessions, numbers = sessions_of(shape.pod_network.bgp), {speaker.node: speaker.as_number for speaker in speakers}
    origins = {(node.node_set, node.labels): node.name for node in shape.nodes}  # one of each kind says it for all of them
    for origin in origins.values():
        assert heard(sessions, numbers, origin) == set(numbers), f"block of {origin}"


def test_nodes_of_one_as_are_deaf_to_each_other_behind_routers_of_another_as() -> None:
    """The warning about own AS numbers in paths is about something: the model of BGP shows it."""
    source = fabric(topology="routers", routers=routers())
    bgp = bgp_of(source)
    sessions, numbers = sessions_of(bgp), {speaker.node: speaker.as_number for speaker in bgp.speakers}
    assert heard(sessions, numbers, "small-worker-1") == {"small-worker-1"}
    assert any("drop routes with their own AS" in problem.message for problem in load(source).warnings())


def test_a_mesh_is_everybody_with_everybody() -> None:
    sessions = sessions_of(bgp_of(FABRICS["mesh"]))
    assert all({session.peer for session in own} == set(sessions) - {name} for name, own in sessions.items())


def test_reflectors_take_sessions_off_the_nodes() -> None:
    bgp = bgp_of(LARGE)
    numbers = {speaker.node: len(bgp.sessions(speaker.node)) for speaker in bgp.speakers}
    reflecting = {member.node for cluster in bgp.reflectors for member in cluster.members}
    assert len(numbers) == 300
    assert {numbers[name] for name in numbers.keys() - reflecting} == {4}, "two reflectors and two routers"
    assert sum(numbers[name] for name in reflecting) < 2 * 300 + 100


def test_reflectors_of_one_as_are_a_group_and_those_of_two_are_not() -> None:
    assert bgp_of(FABRICS["three clusters for all"]).reflector_groups == (("rr-a", "rr-b", "rr-c"),)
    assert bgp_of(LARGE).reflector_groups == (("rr-a",), ("rr-b",), ("rr-c",))
    assert bgp_of(FABRICS["mesh"]).reflector_groups == ()


def test_no_client_of_a_cluster_reflects_itself(bgp: BgpPlan) -> None:
    for cluster in bgp.reflectors:
        assert {member.reflector for member in cluster.members} == {cluster.name}
        assert {client.reflector for client in cluster.clients} <= {None}


def test_an_unknown_node_has_no_sessions() -> None:
    with pytest.raises(KeyError):
        bgp_of(FABRICS["mesh"]).sessions("nobody")


@pytest.mark.parametrize("source", ALL.values(), ids=ALL.keys())
def test_the_same_fabric_gives_the_same_plan(source: Tree) -> None:
    one, other = made(source), made(source)
    assert one == other
    assert sessions_of(one.pod_network.bgp) == sessions_of(other.pod_network.bgp)


def test_a_node_says_of_itself_what_calico_reads() -> None:
    shape = made(LARGE)
    for node, speaker in zip(shape.nodes, shape.pod_network.bgp.speakers, strict=True):
        labels, annotations = dict(node.labels), dict(node.annotations)
        assert labels.get(REFLECTOR_LABEL) == speaker.reflector
        assert annotations.pop("projectcalico.org/ASNumber") == str(speaker.as_number) == str(65001 + SITES.index(node.hypervisor))
        assert annotations == ({"projectcalico.org/RouteReflectorClusterID": str(speaker.cluster_id)} if speaker.reflector else {})


@pytest.mark.parametrize("change", [{"kind": "external"}, {"bgp": {"topology": "mesh", "racks": {}}}], ids=["external", "mesh"])
def test_nobody_is_annotated_where_calico_asks_for_nothing(change: Tree) -> None:
    source = fabric(topology="route-reflectors", route_reflectors={"all": {"cluster_id": "10.255.0.1", "nodes": {POOL: "cp"}}})
    source["pod_network"] |= change
    shape = made(source)
    assert all(node.annotations == () for node in shape.nodes)
    assert {dict(node.labels).get(REFLECTOR_LABEL) for node in shape.control_planes} == ({"all"} if "kind" in change else {None})


def test_router_limits_leave_room_for_what_a_node_announces() -> None:
    tight = minimal(pod_network={"kind": "calico", "pools": [{"cidr": "10.128.0.0/16", "block_prefix": 28}], "bgp": {"routers": routers(1)}})
    tight["pod_network"]["bgp"]["routers"] = {"tor": {"address": "10.20.0.2", "as_number": 64600}}
    [router] = bgp_of(tight).routers
    assert router.max_prefixes >= 110 / 16, "a block for every sixteen of 110 pods"
    tight["pod_network"]["bgp"]["routers"]["tor"]["max_prefixes"] = 1234
    assert bgp_of(tight).routers[0].max_prefixes == 1234


def test_three_hundred_nodes_are_planned_in_a_moment() -> None:
    def seconds() -> float:
        start = time.process_time()
        bgp = bgp_of(LARGE)
        assert sum(len(bgp.sessions(speaker.node)) for speaker in bgp.speakers) > 1000
        return time.process_time() - start

    assert min(seconds() for _ in range(3)) < LIMIT_S


def test_three_hundred_nodes_with_a_mesh_are_planned_in_a_moment() -> None:
    source: Any = fabric(workers=291)
    start = time.process_time()
    assert sum(len(own) for own in sessions_of(bgp_of(source)).values()) == 300 * 299
    assert time.process_time() - start < LIMIT_S
