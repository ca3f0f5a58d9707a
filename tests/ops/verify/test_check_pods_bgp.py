"""BGP sessions as BIRD 1 and BIRD 2 print them, and Calico's own objects, against the plan."""

import copy
from typing import Any

import pytest
from made_nodes import (
    CP,
    ONE,
    PLAN,
    TWO,
    Answers,
    all_passed,
    failures,
    listing,
    nodes,
    otherwise,
    plan_of,
    routes_of,
    said,
    seen,
    statuses,
    together,
    unreachable,
)

from ops.verify.checks import pods_pools, pods_sessions
from ops.verify.model import Seen, Status
from ops.verify.reading.bird import sessions
from plan import NodePlan, Plan
from render.calico import v3

(SESSIONS,) = pods_sessions.CHECKS
POOLS, SETTINGS = pods_pools.CHECKS
CALICO = plan_of(pod_network={"kind": "calico"})
ROUTED = plan_of(pod_network={"bgp": {"routers": {"tor": {"address": "10.20.0.231", "as_number": 64600}}}})

BIRD_2 = """\
{name} BGP        ---        {up}     11:55:03.456  {state}
  Description:    lab-worker-1
  BGP state:          {state}
    Neighbor address: {address}
    Neighbor AS:      {number}
    Local AS:         64512
  Channel ipv4
    State:          UP
    Input filter:   (unnamed)
    Routes:         {received} imported, {sent} exported, 2 preferred
{error}"""
BIRD_1 = """\
BIRD v0.3.3+birdv1.6.8 ready.
name     proto    table    state  since       info
Mesh_10_20_0_12 BGP      master   up     11:55:03    Established
  Preference:     100
  Input filter:   ACCEPT
  Output filter:  (unnamed)
  Routes:         3 imported, 1 exported, 3 preferred
  BGP state:          Established
    Neighbor address: 10.20.0.12
    Neighbor AS:      64512
    Neighbor ID:      10.20.0.12
"""


def speaker(plan: Plan, node: NodePlan, **changes: dict[str, Any] | None) -> str:
    """What a node's BIRD says; `changes` are those of a session by the peer's name, None leaves it out."""
    parts = ["BIRD 2.0.12 ready.\nAccess restricted\nName       Proto      Table      State  Since         Info\n"]
    for session in plan.pod_network.bgp.sessions(node.name):
        change = changes.get(session.peer.replace("-", "_"), {})
        if change is not None:
            values = {"state": "Established", "up": "up", "received": 1, "sent": 1, "error": "", "number": session.peer_as, **change}
            parts.append(BIRD_2.format(name=f"peer_{session.peer.replace('-', '_')}", address=session.peer_address, **values))
    return "".join(parts)


def seen_with(plan: Plan = PLAN, **changes: Any) -> Seen:
    """All is well, but the first worker has it otherwise."""
    answers: Answers = nodes("routes", lambda node: routes_of(node, plan), plan)
    bgp = {node.name: {"bgp-sessions": said(speaker(plan, node, **(changes if node.name == ONE else {})))} for node in plan.nodes}
    return seen(together(answers, bgp), plan=plan)


def test_established_sessions_pass_with_their_routes_counted() -> None:
    assert all_passed(SESSIONS, seen_with())
    figures = {figure.name: figure.value for figure in next(iter(SESSIONS.judge(seen_with()))).figures}
    assert figures == {"sessions up": 2, "routes received": 2, "routes sent": 2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"state": "Active", "up": "start", "error": "    Last error:       Socket: Connection refused\n"},
            "is Active, last error: Socket: Connection refused",
        ),
        ({"state": "Down", "up": "down"}, "is Down"),
        (None, "no session with small-cp-1 (10.20.0.11)"),
        ({"number": 64999}, "is expected in AS 64999, declared 64512"),
        ({"received": 0}, "told 0 routes, expected its 1 block at least"),
    ],
)
def test_a_session_that_is_not_right_is_named_on_its_node(change: Any, words: str) -> None:
    problems = failures(SESSIONS, seen_with(small_cp_1=change))
    assert list(problems) == [ONE]
    assert words in problems[ONE]


def test_a_session_that_is_switched_off_is_missed() -> None:
    answers = seen_with()
    off = "node_small_cp_1 BGP        ---        down   11:57:03.456\n"
    answers = otherwise(answers, ONE, "bgp-sessions", said(speaker(PLAN, PLAN.nodes[1], small_cp_1=None) + off))
    assert "no session with small-cp-1" in failures(SESSIONS, answers)[ONE]


def test_a_session_that_nobody_declared_is_named() -> None:
    stranger = BIRD_2.format(name="x", address="10.20.0.99", number=64512, state="Established", up="up", received=1, sent=1, error="")
    answers = seen_with()
    answers = otherwise(answers, TWO, "bgp-sessions", said(speaker(PLAN, PLAN.nodes[2]) + stranger))
    assert failures(SESSIONS, answers) == {TWO: "a session with 10.20.0.99 (Established), which the stack does not have"}


def test_a_router_may_tell_nothing_and_is_told_no_more_than_it_takes() -> None:
    assert failures(SESSIONS, seen_with(ROUTED, tor={"received": 0})) == {}
    limit = ROUTED.pod_network.bgp.routers[0].max_prefixes
    assert f"is sent {limit + 1} routes, limit {limit}" in failures(SESSIONS, seen_with(ROUTED, tor={"sent": limit + 1}))[ONE]


def test_a_node_without_a_speaker_is_not_checked() -> None:
    answers = seen_with()
    answers = otherwise(answers, CP, "bgp-sessions", unreachable())
    answers = otherwise(answers, ONE, "bgp-sessions", said("no BIRD runs: none of /run/bird/bird.ctl\n", 3))
    answers = otherwise(answers, TWO, "bgp-sessions", said("something else"))
    assert set(statuses(SESSIONS, answers).values()) == {Status.NOT_CHECKED}


def test_calicos_bird_is_read_too() -> None:
    (session,) = sessions(BIRD_1).values()
    assert (str(session.peer), session.peer_as, session.state, session.received, session.sent) == ("10.20.0.12", 64512, "Established", 3, 1)


def calico_api(plan: Plan = CALICO) -> dict[str, Any]:
    """Calico's objects as the stack declares them, with what Calico adds."""
    found: dict[str, Any] = {pods_pools.POOLS: listing(), pods_pools.FELIX: listing(), pods_pools.BGP: listing()}
    paths = {"IPPool": pods_pools.POOLS, "FelixConfiguration": pods_pools.FELIX, "BGPConfiguration": pods_pools.BGP}
    for thing in v3.objects(plan):
        if thing.kind in paths:
            found[paths[thing.kind]]["items"].append(
                {"metadata": {"name": thing.name}, "spec": {**copy.deepcopy(thing.spec), "logSeverityScreen": "Info"}}
            )
    return found


def test_calicos_objects_as_declared_pass() -> None:
    assert all_passed(POOLS, seen(plan=CALICO, api=calico_api()))
    assert all_passed(SETTINGS, seen(plan=CALICO, api=calico_api()))


def test_a_pool_that_encapsulates_is_named() -> None:
    api = calico_api()
    api[pods_pools.POOLS]["items"][0]["spec"]["vxlanMode"] = "Always"
    assert failures(POOLS, seen(plan=CALICO, api=api)) == {"cluster": "default-ipv4-ippool: vxlanMode is 'Always', declared 'Never'"}


def test_a_pool_that_is_nobodys_and_one_that_is_missing_are_named() -> None:
    api = calico_api()
    api[pods_pools.POOLS]["items"][0]["metadata"]["name"] = "other"
    assert failures(POOLS, seen(plan=CALICO, api=api)) == {"cluster": "default-ipv4-ippool is missing; other (10.128.0.0/14) is nobody's"}


def test_felix_and_bgp_that_differ_are_named() -> None:
    api = calico_api()
    api[pods_pools.FELIX]["items"][0]["spec"]["vxlanEnabled"] = True
    api[pods_pools.BGP]["items"][0]["spec"]["nodeToNodeMeshEnabled"] = False
    words = failures(SETTINGS, seen(plan=CALICO, api=api))["cluster"]
    assert "FelixConfiguration: vxlanEnabled is true" in words
    assert "nodeToNodeMeshEnabled is False, declared True" in words


def test_what_the_api_does_not_give_is_not_checked() -> None:
    assert statuses(POOLS, seen(plan=CALICO)) == {"cluster": Status.NOT_CHECKED}
    assert statuses(SETTINGS, seen(plan=CALICO)) == {"cluster": Status.NOT_CHECKED}
    assert not POOLS.applies(PLAN)
