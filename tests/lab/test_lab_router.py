"""Routers in namespaces of their own, with real BIRD and FRR, and BIRD in two more namespaces for the nodes: no hypervisor."""

import json
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from fabric_plans import ROUTERS, plan, wire

from lab import hypervisor, network, places
from lab.fabric import daemons, namespace, node_config, passwords, routers, status
from lab.fabric.daemons import RouterKind
from lab.places import Lab, LabError
from lab.process import attempt, in_namespace, run
from plan import Plan

pytestmark = pytest.mark.engine  # sessions take a while to come up
NODES = ("lab-cp-1", "lab-worker-1")
BLOCKS = {"192.168.11.0/24": "10.77.0.11", "192.168.21.0/24": "10.77.0.21"}
KINDS: tuple[RouterKind, ...] = ("bird", "frr")
ESTABLISH_S = 60
NO_CHANGES: Mapping[str, tuple[str, str]] = {}


@dataclass(frozen=True)
class Fabric:
    """A lab without machines: what stands for a node is a namespace with the node's own BIRD configuration."""

    lab: Lab

    def nodes(self, plan: Plan) -> None:
        known = passwords.ensure(self.lab, plan)
        for node in NODES:
            namespace.make(self.lab, wire(), node, plan.pod_network.bgp.speaker(node).address)
            daemons.bring_up(self.lab, node, "bird", node_config.bird(plan, node, wire(), known))

    def router(self, plan: Plan, kind: RouterKind, changes: Mapping[str, tuple[str, str]] = NO_CHANGES) -> None:
        for router in routers.here(plan, wire()):
            namespace.make(self.lab, wire(), router.name, router.settings.address)
            content = routers.text(plan, router.name, kind, passwords.ensure(self.lab, plan))
            right, wrong = changes.get(router.name, ("", ""))
            assert right in content
            daemons.bring_up(self.lab, router.name, kind, content.replace(right, wrong) if right else content)

    def facts(self, plan: Plan) -> list[status.SessionFacts]:
        names = namespace.names(self.lab)
        with ThreadPoolExecutor(max_workers=8) as pool:
            return status.facts(plan, dict(zip(names, pool.map(partial(status.ask_router, self.lab), names), strict=True)))

    def established(self, plan: Plan) -> None:
        deadline = time.monotonic() + ESTABLISH_S
        while sentences := status.sentences(self.facts(plan)):
            assert time.monotonic() < deadline, sentences

    def routes(self, where: str) -> dict[str, str]:
        """Pod routes in the kernel of a namespace: destination to next hop."""
        lines = run(in_namespace(namespace.name(self.lab, where), ["ip", "-4", "route"])).splitlines()
        found = {words[0]: words[words.index("via") + 1] for line in lines if "via" in (words := line.split())}
        return {destination: hop for destination, hop in found.items() if destination.startswith("192.168.")}


@pytest.fixture
def fabric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fabric]:
    """The wire of a lab of its own, and nothing left of it afterwards."""
    missing = [program for program in ("bird", "birdc", "vtysh", "ip") if not shutil.which(program)]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root, and the programs of lab/packages.txt: {', '.join(missing) or 'not root'}")

    def run_dir(lab: Lab) -> Path:
        return Path("/run/underlay") / lab.name

    monkeypatch.setattr(places.Lab, "run_dir", property(run_dir))
    lab = Lab(name=f"bgp-{os.getpid()}", checkout=tmp_path)
    hypervisor.stop(lab)
    lab.run_dir.mkdir(parents=True)
    try:
        network.make(lab, wire())
        yield Fabric(lab)
    finally:
        assert hypervisor.stop(lab) == []
        listed = run(["ip", "netns", "list"])
        assert lab.namespace not in listed


@pytest.mark.parametrize("kind", KINDS)
def test_sessions_come_up_and_the_router_has_each_block_from_its_own_node_only(fabric: Fabric, kind: RouterKind) -> None:
    declared = plan()
    fabric.nodes(declared)
    fabric.router(declared, kind)
    fabric.established(declared)
    wait_for(lambda: fabric.routes("tor") == BLOCKS)
    assert fabric.routes("lab-cp-1") == {"192.168.21.0/24": "10.77.0.21"}
    assert fabric.routes("lab-worker-1") == {"192.168.11.0/24": "10.77.0.11"}
    if kind == "frr":
        paths = json.loads(daemons.ask(fabric.lab, "tor", "show bgp ipv4 unicast json"))["routes"]
        assert {prefix: [path["peerId"] for path in paths[prefix]] for prefix in BLOCKS} == {prefix: [node] for prefix, node in BLOCKS.items()}
    else:
        said = daemons.ask(fabric.lab, "tor", "show route 192.168.21.0/24 all")
        assert said.count("BGP.next_hop") == 1
        assert "BGP.next_hop: 10.77.0.21" in said
    found = {(fact.speaker, fact.peer): fact.seen for fact in fabric.facts(declared)}
    for node in NODES:  # a pod block and the range of load balancers, told by each node of its own
        session = found["tor", node]
        assert session is not None
        assert session.received == 2


@pytest.mark.parametrize("kind", KINDS)
def test_where_nodes_have_no_sessions_with_each_other_the_router_passes_blocks_on(fabric: Fabric, kind: RouterKind) -> None:
    declared = plan(*ROUTERS)
    fabric.nodes(declared)
    fabric.router(declared, kind)
    fabric.established(declared)
    wait_for(lambda: fabric.routes("lab-cp-1") == {"192.168.21.0/24": "10.77.0.21"})
    wait_for(lambda: fabric.routes("lab-worker-1") == {"192.168.11.0/24": "10.77.0.11"})


def wait_for(true: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


MISTAKES = {
    "forged": {"bird": ('password "', 'password "x'), "frr": ("-64512 password ", "-64512 password x")},
    "open": {"bird": ('password "', '# "'), "frr": ("neighbor underlay-64512 password ", "! ")},
    "other": {"bird": (" as 64600;", " as 64999;"), "frr": ("router bgp 64600", "router bgp 64999")},
    "far": {"bird": ("ttl security on;", ""), "frr": ("neighbor underlay-64512 ttl-security hops 1", "!")},
}
"""A router for each mistake, and what of its configuration is replaced by what."""
REASONS = {
    "forged": "wrong password: forged refuses what lab-cp-1 signs",
    "open": "no password at open",
    "other": "wrong AS: lab-cp-1 expects other in AS 64600, and it is in AS 64999",
    "far": "wrong TTL: lab-cp-1 refuses packets of far",
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_mistake_leaves_the_routers_sessions_down_and_is_named(fabric: Fabric, kind: RouterKind) -> None:
    common = {"as_number": 64600, "password": "tor", "ttl_security_hops": 1}
    declared = plan(("pod_network.bgp.routers", {name: {**common, "address": f"10.77.0.{5 + index}"} for index, name in enumerate(MISTAKES)}))
    fabric.nodes(declared)
    fabric.router(declared, kind, {name: change[kind] for name, change in MISTAKES.items()})
    deadline = time.monotonic() + ESTABLISH_S
    while True:
        sentences = [line for line in status.sentences(fabric.facts(declared)) if line.startswith("lab-cp-1 - ")]
        found = {name: line for name in MISTAKES for line in sentences if line.startswith(f"lab-cp-1 - {name} is down: {REASONS[name]}")}
        if found.keys() == MISTAKES.keys() and len(sentences) == len(MISTAKES):
            break
        assert time.monotonic() < deadline, sentences


@pytest.mark.parametrize("kind", KINDS)
def test_a_mistake_put_right_lets_the_sessions_come_up(fabric: Fabric, kind: RouterKind) -> None:
    declared = plan()
    fabric.nodes(declared)
    fabric.router(declared, kind, {"tor": MISTAKES["forged"][kind]})
    assert len(status.sentences(fabric.facts(declared))) >= 2
    fabric.router(declared, kind)
    fabric.established(declared)


@pytest.mark.parametrize("kind", KINDS)
def test_passwords_are_random_and_for_root_only_and_so_is_what_holds_them(fabric: Fabric, kind: RouterKind) -> None:
    declared = plan()
    fabric.router(declared, kind)
    password = passwords.ensure(fabric.lab, declared)["tor"]
    assert len(password) >= 32
    assert passwords.ensure(fabric.lab, declared) == {"tor": password}
    assert passwords.ensure(Lab(name="other", checkout=fabric.lab.checkout / "other"), declared) != {"tor": password}
    holders = [
        path for folder in (fabric.lab.root, fabric.lab.run_dir) for path in folder.rglob("*") if path.is_file() and password in path.read_text()
    ]
    assert {path.name for path in holders} == {passwords.path(fabric.lab).name, f"{kind}.conf"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in holders} == {0o600}


def test_a_router_that_runs_unchanged_stays_and_a_changed_one_keeps_its_process(fabric: Fabric) -> None:
    declared = plan()
    fabric.router(declared, "bird")
    (first,) = daemons.processes(fabric.lab, "tor")
    fabric.router(declared, "bird")
    fabric.router(plan(("pod_network.bgp.routers.tor.max_prefixes", 7)), "bird")
    assert list(daemons.processes(fabric.lab, "tor")) == [first]
    assert "limit 7" in (namespace.router_dir(fabric.lab, "tor") / "bird.conf").read_text()
    fabric.router(declared, "frr")
    assert daemons.kind(fabric.lab, "tor") == "frr"
    assert first not in list(daemons.processes(fabric.lab, "tor"))


def test_a_configuration_that_bird_refuses_leaves_the_running_one(fabric: Fabric) -> None:
    declared = plan()
    fabric.router(declared, "bird")
    with pytest.raises(LabError, match="refuses its configuration"):
        daemons.bring_up(fabric.lab, "tor", "bird", "protocol nonsense;")
    assert daemons.answers(fabric.lab, "tor")
    assert "nonsense" not in (namespace.router_dir(fabric.lab, "tor") / "bird.conf").read_text()


def test_a_half_made_router_is_finished_and_one_that_is_declared_no_more_goes(fabric: Fabric) -> None:
    namespace.router_dir(fabric.lab, "tor").mkdir(parents=True)
    namespace.path(fabric.lab, "tor").write_text("")  # what a killed `ip netns add` leaves
    played = routers.bring_up(fabric.lab, plan(), wire(), "bird", passwords.ensure(fabric.lab, plan()))
    assert [router.name for router in played] == ["tor"]
    assert daemons.answers(fabric.lab, "tor")
    routers.bring_up(fabric.lab, plan(("pod_network.bgp.routers", None), ("pod_network.services", None)), wire(), "bird", {})
    assert namespace.names(fabric.lab) == []
    assert not namespace.path(fabric.lab, "tor").exists()
    assert namespace.port("tor") not in run(in_namespace(fabric.lab.namespace, ["ip", "-o", "link"]))


def test_only_routers_on_the_nodes_link_are_played() -> None:
    declared = plan(("pod_network.bgp.routers.far", {"address": "10.66.0.1", "as_number": 64601}))
    assert [router.name for router in routers.here(declared, wire())] == ["tor"]


def test_a_strangers_namespace_is_not_taken_and_a_routers_name_is_no_labs(fabric: Fabric) -> None:
    run(["ip", "netns", "add", f"{fabric.lab.namespace}-odd"])
    try:
        with pytest.raises(LabError, match="is there and not this lab's"):
            namespace.make(fabric.lab, wire(), "odd", wire().gateway.ip + 5)
    finally:
        run(["ip", "netns", "delete", f"{fabric.lab.namespace}-odd"])
    namespace.make(fabric.lab, wire(), "odd", wire().gateway.ip + 5)
    with pytest.raises(LabError, match="router 'odd' of lab"):
        hypervisor.refuse_foreign(Lab(name=f"{fabric.lab.name}-odd"))


def test_nothing_of_the_machines_own_bird_or_frr_is_touched(fabric: Fabric) -> None:
    def listing() -> set[tuple[str, int]]:
        folders = [Path(path) for path in ("/etc/bird", "/etc/frr", "/run/bird", "/run/frr", "/var/log/frr", "/var/tmp/frr")]  # noqa: S108
        return {(str(path), path.lstat().st_mtime_ns) for folder in folders for path in folder.rglob("*")}

    before = listing()
    for kind in KINDS:
        fabric.router(plan(), kind)
        assert attempt(["birdc" if kind == "bird" else "vtysh", *(["show", "status"] if kind == "bird" else ["-c", "show version"])]).returncode != 0
    assert listing() == before


def test_a_long_name_still_names_a_cable() -> None:
    names = {namespace.port(name) for name in ("tor", "a" * 63, "a" * 62 + "b", "thirteen-long")}
    assert len(names) == 4
    assert all(len(name) <= 15 for name in names)


def test_what_lives_in_a_routers_namespace_is_the_labs(fabric: Fabric) -> None:
    fabric.router(plan(), "bird")
    assert set(daemons.processes(fabric.lab, "tor")) <= set(hypervisor.processes(fabric.lab))
    with subprocess.Popen(in_namespace(namespace.name(fabric.lab, "tor"), ["sleep", "300"])) as sleeper:
        assert hypervisor.stop(fabric.lab) == []
        assert sleeper.wait(10) != 0
    assert not namespace.path(fabric.lab, "tor").exists()
    assert namespace.names(fabric.lab) == []


def test_a_router_ends_passing_blocks_on_only_after_the_nodes_have_changed(fabric: Fabric) -> None:
    known = passwords.ensure(fabric.lab, plan())
    file = namespace.router_dir(fabric.lab, "tor") / "bird.conf"

    def passes_on() -> bool:
        return "underlay_pods" in file.read_text()

    routers.bring_up_first(fabric.lab, plan(), wire(), "bird", known)
    assert not passes_on()
    routers.bring_up_first(fabric.lab, plan(*ROUTERS), wire(), "bird", known)
    assert passes_on()
    routers.bring_up_first(fabric.lab, plan(), wire(), "bird", known)
    assert passes_on()
    routers.bring_up(fabric.lab, plan(), wire(), "bird", known)
    assert not passes_on()
