"""The routers' half of the sessions: as text, as BIRD and FRR read it, and against the nodes' half."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from calico_plans import EVERYTHING, HALL, NETWORK, ROUTERS, plan

from plan import Plan
from render import router_config

MESH: dict[str, Any] = {
    **NETWORK,
    "services": {"load_balancer": ["198.51.100.0/24"]},
    "bgp": {"as_number": 64512, "routers": {"tor-1": {"address": "10.20.0.231", "as_number": 64512, "password": "tor-1", "bfd": True}}},
}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "mesh-tor-1": (MESH, "tor-1"),
    "route-reflectors-tor": (EVERYTHING, "tor"),
    "route-reflectors-spine": (EVERYTHING, "spine"),
    "racks-tor-2": (ROUTERS, "tor-2"),
}
FORMATS: dict[str, Callable[[Plan, str], str]] = {"bird": router_config.bird, "frr": router_config.frr}
TEXTS = {f"router-{case}.{kind}": FORMATS[kind](plan(network), router) for case, (network, router) in CASES.items() for kind in FORMATS}

both = pytest.mark.parametrize("kind", FORMATS)
every = pytest.mark.parametrize("name", TEXTS)


def routed(kind: str, network: dict[str, Any] = MESH, **router: Any) -> str:
    """The text of the one router of a plan with some of its settings changed."""
    bgp = network["bgp"] | {"routers": {name: settings | router for name, settings in network["bgp"]["routers"].items()}}
    changed = plan({**network, "bgp": bgp})
    return FORMATS[kind](changed, changed.pod_network.bgp.routers[0].name)


def read(kind: str, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The verdict of the daemon's own reader."""
    file = folder / "router.conf"
    file.write_text(text)
    (folder / "vtysh.conf").write_text("")
    command = ("bird", "-p", "-c", str(file)) if kind == "bird" else ("vtysh", "--config_dir", str(folder), "-C", "-f", str(file))
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@every
def test_the_text_is_the_golden_one(name: str, golden: Callable[[str, str], None]) -> None:
    golden(name, TEXTS[name])


def test_no_golden_file_of_a_router_is_left_over() -> None:
    assert {path.name for path in (Path(__file__).parent / "golden").glob("router-*")} == set(TEXTS)


@every
def test_its_own_daemon_reads_it(name: str, program: Callable[[str], str], tmp_path: Path) -> None:
    kind = name.rpartition(".")[2]
    program("bird" if kind == "bird" else "vtysh")
    answer = read(kind, TEXTS[name], tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "%" not in answer.stdout + answer.stderr


@both
def test_the_reader_refuses_a_word_that_it_does_not_know(kind: str, program: Callable[[str], str], tmp_path: Path) -> None:
    program("bird" if kind == "bird" else "vtysh")
    wrong = routed(kind).replace("passive", "pasive")
    assert read(kind, wrong, tmp_path).returncode != 0


@both
def test_router_and_nodes_agree_on_every_session(kind: str) -> None:
    form = r"neighbor (\S+) as (\d+);" if kind == "bird" else r"neighbor (\d\S+) peer-group underlay-(\d+)"
    for network, name in CASES.values():
        made = plan(network)
        bgp = made.pod_network.bgp
        own = {
            (str(speaker.address), str(speaker.as_number))
            for speaker in bgp.speakers
            if name in {session.peer for session in bgp.sessions(speaker.node) if session.kind == "router"}
        }
        assert own
        assert set(re.findall(form, FORMATS[kind](made, name))) == own


@both
def test_a_password_is_a_placeholder_and_its_place_is_said(kind: str) -> None:
    text = routed(kind)
    assert text.count(router_config.placeholder("tor-1")) == 2
    assert "pulumi config get --path underlay:bgp_passwords.tor-1" in text
    assert "bgp_passwords" not in routed(kind, password=None)
    assert "password" not in routed(kind, password=None).lower()


@both
def test_bfd_is_there_where_it_is_asked_for(kind: str) -> None:
    assert "bfd" in routed(kind, bfd=True)
    assert "bfd" not in routed(kind, bfd=False)


@both
def test_both_ends_have_the_same_ttl_security(kind: str) -> None:
    assert "security" not in routed(kind)
    near, far = routed(kind, ttl_security_hops=1), routed(kind, ttl_security_hops=3)
    if kind == "bird":
        assert re.search(r"direct;\n\s+ttl security on;", near)
        assert re.search(r"multihop 3;\n\s+ttl security on;", far)
    else:
        assert "ttl-security hops 1\n" in near
        assert "ttl-security hops 3\n" in far
        assert "multihop 255" not in near + far, "FRR refuses both in one session"


@both
def test_a_router_beyond_the_link_gets_more_than_one_hop(kind: str) -> None:
    far = routed(kind, address="203.0.113.9", as_number=65001)
    assert ("multihop;" if kind == "bird" else "ebgp-multihop 255") in far
    assert "multihop" not in routed(kind, as_number=65001).replace("multipath", "")


@both
def test_blocks_are_as_long_as_those_who_hand_them_out_make_them(kind: str) -> None:
    form = r"^\s+(\S+)\{(\d+),\2\}" if kind == "bird" else r"underlay-accepted .* permit (\S+) ge (\d+) le \2$"
    pools = routed(kind, {**MESH, "services": {}, "pools": [{"cidr": "10.32.0.0/16"}, {"cidr": "10.33.0.0/16", "block_prefix": 28}]})
    assert re.findall(form, pools, re.MULTILINE) == [("10.32.0.0/16", "26"), ("10.33.0.0/16", "28")]
    other = routed(kind, {**MESH, "services": {}, "kind": "external", "node_prefix": 25})
    assert re.findall(form, other, re.MULTILINE) == [("10.32.0.0/14", "25")]


@both
def test_only_routers_that_carry_the_topology_pass_blocks_on(kind: str) -> None:
    words = ("rr client", "bgp_path.delete", "underlay_pods") if kind == "bird" else ("route-reflector-client", "as-override", "underlay-pods")
    internal, external = {"topology": "routers"}, {"topology": "routers", "as_number": 64513}
    beside = routed(kind) + routed(kind, as_number=65001)
    assert not [word for word in words if word in beside]
    assert [word for word in words if word in routed(kind, {**MESH, "bgp": MESH["bgp"] | internal})] == [words[0], words[2]]
    assert [word for word in words if word in routed(kind, {**MESH, "bgp": MESH["bgp"] | external})] == list(words[1:])
    allowed = routed(kind, {**MESH, "bgp": MESH["bgp"] | external}, allow_own_as=1)
    assert [word for word in words if word in allowed] == [words[2]], "the nodes take their own AS: its path stays as it is"


@both
def test_routers_join_nodes_whose_reflectors_are_of_different_systems(kind: str) -> None:
    halls = {f"hall-{number}": {HALL: f"hall-{number}"} for number in (1, 2, 3)}
    clusters = {
        name: {"cluster_id": f"10.20.0.24{name[-1]}", "nodes": {**match, "underlay.dev/pool": "cp"}, "clients": match}
        for name, match in halls.items()
    }
    bgp = {**MESH["bgp"], "topology": "route-reflectors", "route_reflectors": clusters}
    one, two = {**MESH, "bgp": bgp}, {**MESH, "bgp": {**bgp, "racks": {"hall-1": {"nodes": halls["hall-1"], "as_number": 64513}}}}
    list_of_blocks = "underlay_pods" if kind == "bird" else "underlay-pods"
    assert list_of_blocks not in routed(kind, one)
    assert list_of_blocks in routed(kind, two)


@both
def test_nodes_of_another_rack_are_not_the_routers(kind: str) -> None:
    made = plan(ROUTERS)
    text = FORMATS[kind](made, "tor-2")
    for node in made.nodes:
        assert (node.name in text) is (dict(node.labels)[HALL] == "hall-2")


@both
def test_an_unknown_router_is_an_error(kind: str) -> None:
    with pytest.raises(KeyError, match="tor-9"):
        FORMATS[kind](plan(MESH), "tor-9")
