"""Dependencies' distance, and where nodes, machines and dependencies stand."""

import socket
from typing import Any

import pytest
from made_machines import definition
from made_nodes import CP, ONE, PLAN, TWO, all_passed, failures, found, listing, nodes, plan_of, said, seen, statuses, together, unreachable

from ops.verify.checks import dependencies_distance, residency_places
from ops.verify.model import Said, Seen, Status
from ops.verify.programs import connect

(DISTANCE,) = dependencies_distance.CHECKS
NODES, MACHINES, DEPENDENCIES = residency_places.CHECKS
LEDGER: dict[str, Any] = {"host": "ledger.example.com", "port": 5432, "country": "NO", "round_trip_ms": 1.5, "serial_calls": 10}
WITH = plan_of(dependencies={"ledger": LEDGER})
TWO_HOSTS = plan_of(
    hypervisors={
        "kvm2": {
            "uri": "qemu+ssh://root@kvm2.example/system",
            "location": {"country": "NO", "site": "bergen"},
            "network": {"bridge": "br0"},
            "pool": {"name": "default", "kind": "dir"},
            "topology": {"numa": [{"threads": ["0-15"], "memory_mib": 65536}]},
        }
    },
    control_plane={"placement": ["kvm1"]},
    workers={"worker": {"placement": ["kvm1", "kvm2"]}},
)


def measured(*taken: float) -> dict[str, Any]:
    return {"ledger": {"address": "192.0.2.7", "lookup_ms": 1.0, "connect_ms": list(taken)}}


def with_distance(worker: Any) -> Seen:
    return seen(together(nodes("dependencies", measured(0.6, 0.5, 9.0), WITH), {ONE: {"dependencies": said(worker)}}), plan=WITH)


def test_a_near_dependency_passes_by_its_median() -> None:
    assert all_passed(DISTANCE, with_distance(measured(1.4, 1.5, 40.0)))


def test_a_far_one_is_named_with_what_a_user_waits() -> None:
    far = with_distance(measured(25.0, 25.3, 24.9))
    assert failures(DISTANCE, far) == {f"{ONE} -> ledger": "25.00 ms, 10 calls: 250.0 ms"}
    (finding,) = [each for each in found(DISTANCE, far) if each.status is Status.FAILED]
    assert "10 calls one after the other: 15 ms" in finding.declared
    assert [(figure.value, figure.limit) for figure in finding.figures] == [(25.0, 1.5), (250.0, 15.0)]


def test_one_that_does_not_answer_is_named() -> None:
    refused = {"ledger": {"error": "192.0.2.7 port 5432: Connection refused", "address": "192.0.2.7"}}
    assert failures(DISTANCE, with_distance(refused)) == {f"{ONE} -> ledger": "no connection: 192.0.2.7 port 5432: Connection refused"}


@pytest.mark.parametrize("answer", [{}, {"ledger": {}}, {"ledger": {"connect_ms": ["fast"]}}, []])
def test_an_answer_without_a_time_is_not_checked(answer: Any) -> None:
    assert statuses(DISTANCE, with_distance(answer))[f"{ONE} -> ledger"] is Status.NOT_CHECKED


def test_a_stack_without_dependencies_has_nothing_to_check() -> None:
    assert not DISTANCE.applies(PLAN)
    assert DISTANCE.applies(WITH)
    (probe,) = DISTANCE.probes
    assert "ledger.example.com" in probe.script(WITH, WITH.nodes[0])


def test_the_program_measures_a_listener_and_says_who_refuses() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        answer = connect.measure({"host": "127.0.0.1", "port": listener.getsockname()[1]})
    assert len(answer["connect_ms"]) == connect.TIMES
    assert all(0 < value < 3000 for value in answer["connect_ms"])
    assert "refused" in connect.measure({"host": "127.0.0.1", "port": 1})["error"]


def labelled(**changes: dict[str, str]) -> dict[str, Any]:
    items = [
        {"metadata": {"name": node.name, "labels": {**dict(node.labels), **changes.get(node.name.replace("-", "_"), {})}}} for node in PLAN.nodes
    ]
    return {"/api/v1/nodes": listing(*items)}


def test_nodes_labelled_as_declared_pass() -> None:
    assert all_passed(NODES, seen(api=labelled()))


def test_a_label_that_lies_a_missing_node_and_a_strange_one_are_named() -> None:
    moved = failures(NODES, seen(api=labelled(small_worker_1={"topology.kubernetes.io/region": "se"})))
    assert moved == {ONE: "topology.kubernetes.io/region is se, declared no"}
    api = labelled()
    api["/api/v1/nodes"]["items"][2]["metadata"]["name"] = "stranger"
    assert failures(NODES, seen(api=api)) == {TWO: "the cluster has no such node", "stranger": "a node that the stack does not have, in NO"}
    assert statuses(NODES, seen()) == {"cluster": Status.NOT_CHECKED}


def hypervisors(first: str = "kvm1.example", second: str = "kvm2.example", **dumps: Said) -> dict[str, dict[str, Said]]:
    answers = {"kvm1": {"hostname": said(f"{first}\n")}, "kvm2": {"hostname": said(f"{second}\n")}}
    for node in TWO_HOSTS.nodes:
        answers[node.hypervisor][f"dumpxml {node.name}"] = dumps.get(node.name.replace("-", "_"), said(definition(node)))
    return answers


def test_machines_and_disks_on_their_hypervisor_pass() -> None:
    assert all_passed(MACHINES, seen(plan=TWO_HOSTS, hypervisors=hypervisors()))
    assert list(MACHINES.virsh(TWO_HOSTS, "kvm2")) == [f"dumpxml {TWO}", "hostname"]


def test_a_machine_that_is_elsewhere_and_a_disk_that_is_are_named() -> None:
    gone = Said(output="", exit_code=1, error=f"error: failed to get domain '{TWO}'")
    assert failures(MACHINES, seen(plan=TWO_HOSTS, hypervisors=hypervisors(small_worker_2=gone))) == {TWO: "kvm2 has no such machine"}
    remote = said(definition(TWO_HOSTS.nodes[0]).replace("type='file'", "type='network'", 1))
    assert "its disk is on the network" in failures(MACHINES, seen(plan=TWO_HOSTS, hypervisors=hypervisors(small_cp_1=remote)))[CP]
    silent = statuses(MACHINES, seen(plan=TWO_HOSTS, hypervisors=hypervisors(small_cp_1=unreachable())))
    assert silent == {CP: Status.NOT_CHECKED, ONE: Status.PASSED, TWO: Status.PASSED}


def test_two_hypervisors_that_are_one_host_are_named() -> None:
    assert set(failures(MACHINES, seen(plan=TWO_HOSTS, hypervisors=hypervisors(second="kvm1.example")))) == {CP, ONE, TWO}


def test_a_dependencys_country_is_said_with_how_far_it_can_be() -> None:
    (finding,) = found(DEPENDENCIES, with_distance(measured(1.0, 1.2)))
    assert finding.status is Status.PASSED
    assert finding.found == "declared there, and 192.0.2.7 is at most 50 km of fibre away from a node"
    assert statuses(DEPENDENCIES, seen(plan=WITH)) == {"ledger": Status.NOT_CHECKED}
