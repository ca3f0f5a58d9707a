"""What router-config prints, run by real BIRD 2 and FRR: sessions, filters, next hops and the kernel's routes."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from native_control_plane import until
from render_plans import full
from router_link import Announced, Daemon, Manner, RouterLink, Start

from plan import Plan
from render import router_config

pytestmark = pytest.mark.engine
both = pytest.mark.parametrize("daemon", ["bird", "frr"])
TOR = {"address": "10.20.0.1", "as_number": 65001, "password": "tor1", "ttl_security_hops": 1}
BLOCK_1, BLOCK_2 = "10.32.1.0/26", "10.32.2.64/26"


def plan_of(router: dict[str, Any] | None = None, **bgp: Any) -> Plan:
    """A plan whose nodes peer with one router."""
    network: dict[str, Any] = {
        "kind": "calico",
        "cidr": "10.32.0.0/14",
        "services": {"load_balancer": ["10.90.0.0/24"]},
        "bgp": {"as_number": 64512, "routers": {"tor1": TOR | (router or {})}, **bgp},
    }
    return full(pod_network=network)


@pytest.fixture
def start(program: Callable[[str], str]) -> Iterator[Start]:
    """Gives the link of a plan's router, with the router running."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for name in ("bird", "birdc", "vtysh"):
        program(name)
    made: list[RouterLink] = []
    folder = Path(tempfile.mkdtemp(prefix="router-", dir="/tmp"))  # short for sockets, and open for the user that FRR runs as
    folder.chmod(0o755)

    def link(plan: Plan, daemon: Daemon) -> RouterLink:
        made.append(RouterLink(plan=plan, name="tor1", daemon=daemon, folder=folder))
        made[0].start_router()
        return made[0]

    try:
        yield link
    finally:
        for each in made:
            each.close()
        shutil.rmtree(folder)


def until_established(link: RouterLink, *nodes: str) -> None:
    for node in nodes:
        until(f"{node} and the router have a session", lambda node=node: link.established(node), 30)


def until_routes(link: RouterLink, wanted: dict[str, set[str]]) -> None:
    router = link.namespaces["router"]
    try:
        until("the router's kernel has the routes", lambda: router.routes() == wanted, 20)
    except AssertionError:
        assert router.routes() == wanted


@both
def test_the_router_takes_blocks_and_service_addresses_from_their_nodes_and_nothing_else(start: Start, daemon: Daemon) -> None:
    link = start(plan_of(), daemon)
    first, second = link.address("cp-1"), link.address("cp-2")
    wrong = [
        "10.32.1.7/32",  # a pod, as Calico leaks it until Felix is up
        "10.32.4.0/25",
        "10.32.0.0/14",
        "203.0.113.0/24",
        "203.0.113.9/32",
        "0.0.0.0/0",
        "10.90.0.0/28",
        Announced(prefix="10.32.9.0/26", next_hop=link.address("cp-3")),
        Announced(prefix="10.32.10.0/26", behind_as=65099),
    ]
    link.start_node("cp-1", [*wrong, BLOCK_1, "10.90.0.0/24", "10.90.0.5/32"])
    link.start_node("cp-2", [BLOCK_2, "10.90.0.0/24", "10.90.0.6/32"])
    until_established(link, "cp-1", "cp-2")
    until_routes(
        link,
        {BLOCK_1: {first}, BLOCK_2: {second}, "10.90.0.0/24": {first, second}, "10.90.0.5/32": {first}, "10.90.0.6/32": {second}},
    )
    assert link.learnt("cp-1") == {}, "beside a mesh the router tells the nodes nothing that is not declared"


@both
def test_services_are_spread_over_nodes_of_different_autonomous_systems(start: Start, daemon: Daemon) -> None:
    racks = {
        "a": {"nodes": {"underlay.dev/hypervisor": "kvm-a"}, "as_number": 65101},
        "b": {"nodes": {"underlay.dev/hypervisor": "kvm-b"}, "as_number": 65102},
    }
    link = start(plan_of(racks=racks, topology="routers"), daemon)
    assert [link.speaker(node).as_number for node in ("cp-1", "cp-2")] == [65101, 65102]
    link.start_node("cp-1", ["10.90.0.0/24"])
    link.start_node("cp-2", ["10.90.0.0/24"])
    until_routes(link, {"10.90.0.0/24": {link.address("cp-1"), link.address("cp-2")}})


@both
def test_a_wrong_password_as_or_ttl_leaves_the_session_down(start: Start, daemon: Daemon) -> None:
    link = start(plan_of(), daemon)
    link.start_node("cp-1", manner=Manner(password="another"))
    link.start_node("cp-2", manner=Manner(as_number=64513))
    link.start_node("cp-3", manner=Manner(ttl_security=False))
    link.start_node("web-1", [BLOCK_1])
    until_established(link, "web-1")
    time.sleep(8)  # the wrong ones have tried several times by now
    assert [node for node in ("cp-1", "cp-2", "cp-3") if link.established(node)] == []
    assert link.established("web-1")


@both
def test_a_node_with_too_many_routes_loses_its_session_alone(start: Start, daemon: Daemon) -> None:
    link = start(plan_of({"max_prefixes": 4}), daemon)
    link.start_node("cp-1", [f"10.33.{number}.0/26" for number in range(4)])
    until_established(link, "cp-1")
    fine = {f"10.33.{number}.0/26": {link.address("cp-1")} for number in range(4)}
    until_routes(link, fine)
    link.start_node("cp-2", [f"10.34.{number}.0/26" for number in range(8)])  # FRR counts a route when the next one comes
    reason = {"bird": "Route limit exceeded", "frr": "Maximum Number of Prefixes Reached"}[daemon]
    until("the router ended the session", lambda: reason in link.of_session("cp-2"), 30)
    until("its routes are gone", lambda: link.namespaces["router"].routes() == fine, 20)
    assert link.established("cp-1")


@both
@pytest.mark.parametrize("system", ["own", "nodes'"])
def test_routers_pass_blocks_on_to_the_other_nodes(start: Start, daemon: Daemon, system: str) -> None:
    router = {"as_number": 64512 if system == "nodes'" else 65001, "networks": ["172.16.0.0/16"]}
    link = start(plan_of(router, topology="routers"), daemon)
    tor = link.namespaces["router"]
    tor.run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1")
    tor.run("ip", "addr", "add", "198.51.100.1/24", "dev", "up0")
    for end in ("up0", "up1"):
        tor.run("ip", "link", "set", end, "up")
    tor.run("ip", "route", "add", "172.17.0.0/16", "via", "198.51.100.9")
    link.start_node("cp-1", [BLOCK_1, "10.90.0.0/24"])
    link.start_node("cp-2", [BLOCK_2])
    blocks = {"cp-1": {BLOCK_2: link.address("cp-2")}, "cp-2": {BLOCK_1: link.address("cp-1")}}
    for node, other in blocks.items():
        until(f"{node} has the other's block from its owner", lambda node=node, other=other: other.items() <= link.learnt(node).items(), 30)
    assert not {"172.16.0.0/16", "172.17.0.0/16", "10.90.0.0/24"} & link.learnt("cp-2").keys()
    tor.run("ip", "route", "add", "172.16.0.0/16", "via", "198.51.100.9")
    for node, other in blocks.items():
        wanted = other | {"172.16.0.0/16": "10.20.0.1"}
        until(f"{node} hears of the router's network", lambda node=node, wanted=wanted: wanted.items() <= link.learnt(node).items(), 30)
        assert link.namespaces[node].routes()[next(iter(other))] == set(other.values())


@both
def test_a_restarting_speaker_keeps_its_routes_and_a_silent_one_loses_them(start: Start, daemon: Daemon) -> None:
    link = start(plan_of(), daemon)
    router, own = link.namespaces["router"], {BLOCK_1: {link.address("cp-1")}}
    node = link.start_node("cp-1", [BLOCK_1])
    until_routes(link, own)
    node.end("bird")
    begin = time.monotonic()
    while time.monotonic() < begin + 2:
        assert router.routes() == own
    link.start_node("cp-1", [BLOCK_1], again=True)

    def up_without_a_gap() -> bool:
        assert router.routes() == own
        return link.established("cp-1")

    until("the session is back", up_without_a_gap, 30)
    node.daemons["bird"].send_signal(signal.SIGSTOP)
    took = until("the router withdraws a silent node's block", lambda: router.routes() == {}, 2 * router_config.HOLD_S)
    print(f"{daemon}: withdrawn after {took:.1f} s of silence, hold time {router_config.HOLD_S} s")
    assert took <= router_config.HOLD_S + 10
