"""Labels, taints, draining and leaving, really run against a real API server and a real etcd that use what render/ writes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from native_control_plane import Node
from node_sandbox import Run
from render_plans import native_plan, node

from render import scripts
from settings.bgp import REFLECTOR_LABEL

pytestmark = pytest.mark.engine
PLAN = native_plan()
WEB = node(PLAN, "web-1")


@pytest.fixture
def web(first: Node) -> Iterator[Node]:
    """The cluster with a Ready Node object oslo-web-1 as kubelet registers it."""
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    labels = {"kubernetes.io/os": "linux", "someone.else/label": "theirs"}
    create_node(first, WEB.name, labels, [taint])
    yield first
    first.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")
    first.kubectl("delete", "node", WEB.name, "--ignore-not-found")


def create_node(first: Node, name: str, labels: dict[str, str], taints: list[dict[str, str]]) -> None:
    document = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {"taints": taints}}
    first.kubectl("create", "--filename=/tmp/document", document=document)
    set_ready(first, name, "True")


def set_ready(first: Node, name: str, status: str) -> None:
    condition = f'{{"status":{{"conditions":[{{"type":"Ready","status":"{status}"}}]}}}}'
    first.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "--patch", condition)


def create_pod(first: Node, name: str, *, owner: str | None = "ReplicaSet", grace_s: int = 0) -> None:
    owners = (
        [{"apiVersion": "apps/v1", "kind": owner, "name": "x", "uid": "00000000-0000-0000-0000-000000000001", "controller": True}] if owner else []
    )
    spec = {"nodeName": WEB.name, "terminationGracePeriodSeconds": grace_s, "containers": [{"name": "c", "image": "x"}]}
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "ownerReferences": owners}, "spec": spec}
    first.kubectl("create", "--filename=/tmp/document", document=document)


def member(first: Node, **changes: Any) -> Run:
    plan = native_plan(**changes)
    return first.sandbox.run(scripts.member(plan, node(plan, "web-1")))


def annotated(first: Node, **annotations: str) -> Run:
    """The member script with these annotations."""
    wanted = tuple((f"example.net/{name}", value) for name, value in annotations.items())
    return first.sandbox.run(scripts.member(PLAN, replace(WEB, annotations=wanted)))


def notes(first: Node) -> dict[str, str]:
    """The Node's annotations but those of the script itself."""
    found: dict[str, str] = first.get("node", WEB.name)["metadata"].get("annotations", {})
    return {name: value for name, value in found.items() if not name.startswith("underlay.dev/")}


def leave(first: Node, *arguments: str) -> Run:
    return first.sandbox.run_program("/usr/local/lib/underlay/leave", *arguments)


def taints(first: Node) -> set[str]:
    return {f"{taint['key']}={taint.get('value', '')}:{taint['effect']}" for taint in first.get("node", WEB.name)["spec"].get("taints", [])}


# --- member


def test_labels_and_taints_come_and_those_of_others_stay(web: Node) -> None:
    run = member(web)
    assert run.code == 0, run.err
    labels = web.get("node", WEB.name)["metadata"]["labels"]
    assert dict(WEB.labels).items() <= labels.items()
    assert labels["someone.else/label"] == "theirs"
    assert taints(web) == {"web=only:NoSchedule", "node.kubernetes.io/not-ready=:NoSchedule"}
    assert "label example.net/tier=web" in run.out


def test_a_second_run_sends_nothing(web: Node) -> None:
    member(web)
    before = web.get("node", WEB.name)["metadata"]["resourceVersion"]
    run = member(web)
    assert (run.code, run.out) == (0, "underlay: oslo-web-1: labels, annotations and taints are as declared\n")
    assert web.get("node", WEB.name)["metadata"]["resourceVersion"] == before


def test_what_is_no_longer_declared_goes(web: Node) -> None:
    member(web)
    run = member(web, workers__web__labels={"example.net/rack": "r7"}, workers__web__taints=[])
    assert run.code == 0, run.err
    labels = web.get("node", WEB.name)["metadata"]["labels"]
    assert "example.net/tier" not in labels
    assert labels["example.net/rack"] == "r7"
    assert labels["someone.else/label"] == "theirs"
    assert taints(web) == {"node.kubernetes.io/not-ready=:NoSchedule"}
    assert "label example.net/tier removed" in run.out


def test_annotations_come_change_and_go_and_those_of_others_stay(web: Node) -> None:
    web.kubectl("annotate", "node", WEB.name, "someone.else/note=theirs")
    run = annotated(web, as_number="64601", rack="r7")
    assert run.code == 0, run.err
    assert "annotation example.net/as_number=64601" in run.out
    assert notes(web) == {"someone.else/note": "theirs", "example.net/as_number": "64601", "example.net/rack": "r7"}
    assert annotated(web, as_number="64601", rack="r7").out == "underlay: oslo-web-1: labels, annotations and taints are as declared\n"
    web.kubectl("annotate", "node", WEB.name, "--overwrite", "example.net/rack=r9")
    assert "annotation example.net/rack=r7" in annotated(web, as_number="64602", rack="r7").out
    assert notes(web) == {"someone.else/note": "theirs", "example.net/as_number": "64602", "example.net/rack": "r7"}
    assert "annotation example.net/as_number removed" in annotated(web, rack="r7").out
    assert "annotation example.net/rack removed" in annotated(web).out
    assert notes(web) == {"someone.else/note": "theirs"}
    assert dict(WEB.labels).items() <= web.get("node", WEB.name)["metadata"]["labels"].items()


def test_a_note_of_a_version_without_annotations_is_understood(web: Node) -> None:
    member(web)
    kept = web.get("node", WEB.name)["metadata"]["annotations"]["underlay.dev/kept"]
    assert "annotations" not in kept
    assert "annotation example.net/rack=r7" in annotated(web, rack="r7").out
    assert dict(WEB.labels).items() <= web.get("node", WEB.name)["metadata"]["labels"].items()


def test_what_makes_a_node_a_reflector_is_not_the_scripts_to_give_or_take() -> None:
    reflectors = {"all": {"cluster_id": "10.20.0.250", "nodes": {"example.net/tier": "web"}}}
    plan = native_plan(pod_network__kind="calico", pod_network__bgp__topology="route-reflectors", pod_network__bgp__route_reflectors=reflectors)
    reflecting = node(plan, "web-1")
    assert REFLECTOR_LABEL in dict(reflecting.labels)
    script = scripts.member(plan, reflecting)
    assert REFLECTOR_LABEL not in script
    assert scripts.CLUSTER_ID_ANNOTATION not in script


def test_a_changed_value_is_put_right(web: Node) -> None:
    member(web)
    web.kubectl("label", "node", WEB.name, "--overwrite", "example.net/tier=db")
    member(web, workers__web__taints=[{"key": "web", "value": "mostly", "effect": "NoSchedule"}])
    assert web.get("node", WEB.name)["metadata"]["labels"]["example.net/tier"] == "web"
    assert "web=mostly:NoSchedule" in taints(web)
    assert "web=only:NoSchedule" not in taints(web)


def test_somebody_elses_change_in_between_is_kept(web: Node) -> None:
    # between our read and our write somebody taints and labels the node, once
    meddle = "/usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf"
    meddler = f"""#!/bin/bash
if [[ "$*" == *"--request PATCH"* && ! -e /meddled ]]; then
  : >/meddled
  {meddle} label node {WEB.name} between=yes >/dev/null </dev/null
  {meddle} taint node {WEB.name} theirs=now:NoExecute >/dev/null </dev/null
fi
exec /usr/bin/curl "$@"
"""
    web.sandbox.program("curl", meddler)
    try:
        run = member(web)
    finally:
        (web.sandbox.root / "local/sbin/curl").unlink()
    assert run.code == 0, run.err
    assert "somebody else changed the taints meanwhile (attempt 1)" in run.out
    labels = web.get("node", WEB.name)["metadata"]["labels"]
    assert (labels["between"], labels["example.net/tier"]) == ("yes", "web")
    assert taints(web) == {"web=only:NoSchedule", "node.kubernetes.io/not-ready=:NoSchedule", "theirs=now:NoExecute"}


def test_a_heartbeat_in_between_does_not_matter(web: Node) -> None:
    beat = """#!/bin/bash
if [[ "$*" == *"--request PATCH"* ]]; then
  /usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf label node oslo-web-1 --overwrite beat=$RANDOM >/dev/null </dev/null
fi
exec /usr/bin/curl "$@"
"""
    web.sandbox.program("curl", beat)
    try:
        run = member(web)
    finally:
        (web.sandbox.root / "local/sbin/curl").unlink()
    assert run.code == 0, run.err
    assert "once more" not in run.out


def test_a_node_without_taints_gets_the_declared_ones(first: Node) -> None:
    create_node(first, "oslo-web-2", {}, [])
    first.kubectl("patch", "node", "oslo-web-2", "--type=merge", "--patch", '{"spec":{"taints":null}}')  # the API's own not-ready
    try:
        run = first.sandbox.run(scripts.member(PLAN, node(PLAN, "web-2")))
        assert run.code == 0, run.err
        assert first.get("node", "oslo-web-2")["spec"]["taints"] == [{"key": "web", "value": "only", "effect": "NoSchedule"}]
    finally:
        first.kubectl("delete", "node", "oslo-web-2")


def test_an_administrator_who_may_not_is_told_so(first: Node) -> None:
    good = first.sandbox.read("etc/kubernetes/admin.conf")
    scheduler = first.sandbox.write("etc/kubernetes/admin.conf", first.sandbox.read("etc/kubernetes/other.conf"))
    try:
        run = first.sandbox.run(scripts.member(PLAN, WEB))
    finally:
        scheduler.write_text(good)
    assert run.code == 1
    assert 'the API does not give the Node object: nodes "oslo-web-1" is forbidden' in run.err


def test_a_node_that_never_comes_is_an_error_with_its_bound(first: Node) -> None:
    script = scripts.member(PLAN, node(PLAN, "web-2"))
    hurried = script.replace("SECONDS < 300", "SECONDS < 0")
    assert hurried != script
    run = first.sandbox.run(hurried)
    assert run.code == 1
    assert "the cluster has no Node oslo-web-2 after 300 s (cluster.timeouts.join_s)" in run.err


# --- drain and what takes it back


def test_a_drained_node_is_empty_and_schedulable_again_when_it_comes_back(web: Node) -> None:
    create_pod(web, "moves")
    run = leave(web, "drain", WEB.name, "20")
    assert run.code == 0, run.err
    found = web.get("node", WEB.name)
    assert found["spec"]["unschedulable"] is True
    assert found["metadata"]["annotations"]["underlay.dev/cordoned"] == "true"
    assert web.get("pods")["items"] == []
    again = web.sandbox.run(scripts.schedulable(PLAN, WEB))
    assert (again.code, again.out) == (0, "underlay: oslo-web-1: schedulable again\n")
    assert "unschedulable" not in web.get("node", WEB.name)["spec"]
    assert web.sandbox.run(scripts.schedulable(PLAN, WEB)).out == ""


def test_member_takes_back_a_cordon_of_underlays_own(web: Node) -> None:
    leave(web, "drain", WEB.name, "20")
    assert "schedulable again" in member(web).out
    assert "unschedulable" not in web.get("node", WEB.name)["spec"]


def test_a_cordon_that_somebody_else_set_stays(web: Node) -> None:
    web.kubectl("cordon", WEB.name)
    assert leave(web, "drain", WEB.name, "20").code == 0
    for script in (scripts.schedulable(PLAN, WEB), scripts.member(PLAN, WEB)):
        assert web.sandbox.run(script).code == 0
    assert web.get("node", WEB.name)["spec"]["unschedulable"] is True


def test_a_pod_that_does_not_go_in_time_fails_the_drain_by_name(web: Node) -> None:
    create_pod(web, "stays", grace_s=60)
    run = leave(web, "drain", WEB.name, "3")
    assert run.code == 1
    assert "not drained within 3 s (cluster.timeouts.drain_s); still on the node: default/stays" in run.err
    assert "step 'drain' failed" in run.err


def test_a_pod_without_a_controller_is_never_lost(web: Node) -> None:
    create_pod(web, "bare", owner=None)
    run = leave(web, "drain", WEB.name, "20")
    assert run.code == 1
    assert "default/bare (no controller: delete it yourself)" in run.err
    assert web.get("pods")["items"][0]["metadata"]["name"] == "bare"


def test_a_node_that_does_not_answer_does_not_hold_up_its_drain(web: Node) -> None:
    create_pod(web, "stays", grace_s=60)
    assert leave(web, "drain", WEB.name, "1").code == 1
    set_ready(web, WEB.name, "Unknown")
    run = leave(web, "drain", WEB.name, "40")
    assert run.code == 0, run.err


@pytest.mark.parametrize("arguments", [("drain", "oslo-gone-1", "5"), ("remove", "oslo-gone-1")])
def test_a_node_that_never_was_is_gone_already(first: Node, arguments: tuple[str, ...]) -> None:
    run = leave(first, *arguments)
    assert run.code == 0, run.err
    assert "no such" in run.out


@pytest.mark.parametrize("arguments", [(), ("drain",), ("drain", "n"), ("drain", "n", "soon"), ("vanish", "n")])
def test_leave_refuses_what_it_does_not_know(first: Node, arguments: tuple[str, ...]) -> None:
    run = leave(first, *arguments)
    assert run.code == 2
    assert "usage: leave drain NODE SECONDS" in run.err
