"""The control plane that the rendered documents make, and how members leave it: real etcd, real API server, the installed `leave`."""

import base64

import pytest
from native_control_plane import ControlPlanes, Node, until
from node_sandbox import Run
from render_plans import KEY

from render import node_files

pytestmark = pytest.mark.engine


def leave(first: Node, *arguments: str) -> Run:
    return first.sandbox.run_program("/usr/local/lib/underlay/leave", *arguments)


def create_node(first: Node, name: str) -> None:
    first.kubectl("create", "--filename=/tmp/document", document={"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})


def test_a_removed_worker_is_gone_from_the_api(first: Node) -> None:
    create_node(first, "oslo-web-1")
    run = leave(first, "remove", "oslo-web-1")
    assert run.code == 0, run.err
    assert "oslo-web-1" not in {item["metadata"]["name"] for item in first.get("nodes")["items"]}
    assert first.members() == {"oslo-cp-1"}


def test_the_last_control_plane_removes_nothing(first: Node) -> None:
    create_node(first, "oslo-cp-1")
    run = leave(first, "remove", "oslo-cp-1")
    assert run.code == 0, run.err
    assert "is the last control plane" in run.out
    assert first.members() == {"oslo-cp-1"}
    assert first.get("node", "oslo-cp-1")
    first.kubectl("delete", "node", "oslo-cp-1")


def test_a_control_plane_leaves_etcd_first_and_only_while_the_rest_is_a_quorum(first: Node, control_planes: ControlPlanes) -> None:
    others = [control_planes.certificates(number) for number in (2, 3)]
    for other in others:
        other.start_etcd(first)
        create_node(first, other.node.name)
    assert first.members() == {"oslo-cp-1", "oslo-cp-2", "oslo-cp-3"}

    others[1].stop("etcd")
    refused = leave(first, "remove", "oslo-cp-2")
    assert refused.code == 1
    assert "only 1 of the 2 other etcd members are healthy, a quorum is 2" in refused.err
    assert first.members() == {"oslo-cp-1", "oslo-cp-2", "oslo-cp-3"}
    assert first.get("node", "oslo-cp-2")

    dead = leave(first, "remove", "oslo-cp-3")
    assert dead.code == 0, dead.err
    assert first.members() == {"oslo-cp-1", "oslo-cp-2"}
    second = leave(first, "remove", "oslo-cp-2")
    assert second.code == 0, second.err
    assert first.members() == {"oslo-cp-1"}
    assert first.get("nodes")["items"] == []
    until("the API answers after the last removal", lambda: first.get("namespaces")["items"] != [])


def test_secrets_are_encrypted_in_etcd_and_configmaps_are_not(first: Node) -> None:
    first.kubectl("create", "secret", "generic", "hidden", "--from-literal=word=plaintext")
    first.kubectl("create", "configmap", "shown", "--from-literal=word=plaintext")

    def stored(path: str) -> bytes:
        key = base64.b64encode(f"/registry/{path}".encode()).decode()
        return base64.b64decode(first.etcd("kv/range", {"key": key})["kvs"][0]["value"])

    assert stored("secrets/default/hidden").startswith(b"k8s:enc:secretbox:v1:key1:")
    assert b"plaintext" not in stored("secrets/default/hidden")
    assert b"plaintext" in stored("configmaps/default/shown")


def test_the_health_check_needs_no_credentials(first: Node) -> None:
    check = next(file for file in node_files.node_files(first.plan, first.node, authorized_key=KEY) if file.path.endswith("/check-api"))
    first.sandbox.write("local/lib/underlay/check-api", check.text).chmod(0o755)
    assert first.sandbox.run_program("/usr/local/lib/underlay/check-api").code == 0
