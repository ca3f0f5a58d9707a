"""Every stack file in the repository loads, and makes a plan."""

from collections import Counter
from pathlib import Path

import pytest

import plan
from settings import load
from tests.settings.documents import ROOT, STACKS, stack

OSLO = ROOT / "stacks" / "Pulumi.example-oslo.yaml"


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_a_stack_file_loads_and_plans(path: Path) -> None:
    environment = load(stack(path))
    made = plan.make(environment)
    assert len(made.control_planes) == environment.control_plane.count
    assert len(made.workers) == sum(pool.count for pool in environment.workers.values())


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_a_stack_file_holds_settings_and_nothing_else(path: Path) -> None:
    assert stack(path)["name"] in path.stem, "the environment is called as its file"


def test_the_example_warns_of_nothing_that_could_be_helped() -> None:
    deprecated, retired = "kube_proxy.mode", "ingress.controller"
    assert [problem.path for problem in load(stack(OSLO)).warnings()] == [deprecated, retired, retired]


def test_the_example_is_spread_evenly_over_its_hypervisors() -> None:
    made = plan.make(load(stack(OSLO)))
    assert Counter((node.hypervisor, node.role) for node in made.nodes) == {
        (host, role): count for host in made.settings.hypervisors for role, count in (("control-plane", 1), ("worker", 2))
    }


def test_the_example_pins_every_vcpu_away_from_qemu() -> None:
    made = plan.make(load(stack(OSLO)))
    for name, hypervisor in made.settings.hypervisors.items():
        pins = [cpu for node in made.nodes_on(name) for cpu in node.own_cpus]
        assert len(pins) == len(set(pins)) == sum(node.vcpus for node in made.nodes_on(name))
        assert hypervisor.reserved
        assert not set(pins) & hypervisor.reserved
        assert all(set(node.emulator_cpus) <= hypervisor.reserved for node in made.nodes_on(name))


def test_the_examples_nodes_peer_with_the_routers_of_their_site_and_with_reflectors_in_all() -> None:
    made = plan.make(load(stack(OSLO)))
    bgp = made.pod_network.bgp
    reflectors = {member.node for cluster in bgp.reflectors for member in cluster.members}
    assert {dict(node.labels)["topology.kubernetes.io/zone"] for node in made.nodes if node.name in reflectors} == {"osl1", "osl2", "osl3"}
    for node in made.nodes:
        sessions = bgp.sessions(node.name)
        site = dict(node.labels)["topology.kubernetes.io/zone"]
        assert {session.peer for session in sessions if session.kind == "router"} == {f"tor-{site}a", f"tor-{site}b"}
        assert reflectors - {node.name} <= {session.peer for session in sessions}
        assert all(session.router.password and session.router.ttl_security_hops == 1 for session in sessions if session.router)


def test_the_labs_nodes_peer_with_each_other_and_with_its_router() -> None:
    bgp = plan.make(load(stack(ROOT / "stacks" / "Pulumi.lab.yaml"))).pod_network.bgp
    for speaker in bgp.speakers:
        others = {other.node for other in bgp.speakers} - {speaker.node}
        assert {session.peer for session in bgp.sessions(speaker.node)} == {*others, "tor"}


def test_the_example_can_grow_by_three_workers_without_another_change() -> None:
    document = stack(OSLO)
    before = plan.make(load(document))
    document["workers"]["worker"]["count"] += 3
    assert plan.make(load(document)).nodes[: len(before.nodes)] == before.nodes
