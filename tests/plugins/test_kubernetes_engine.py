"""The kubernetes stand-in under the real engine, on a real API server with its controllers and without nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.native_cluster import NativeCluster, native_cluster
from tests.plugins.pulumi_project import Project, engine, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.skipif(engine() is None, reason="no pulumi CLI")]

HEAD = """
import pulumi, pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ConfigMap, ConfigMapPatch, Secret
from pulumi_kubernetes.apps.v1 import DaemonSetPatch, Deployment
cluster = k8s.Provider("cluster", kubeconfig=pulumi.Output.secret({kubeconfig!r}), cluster_identifier="c", {settings})
opts = pulumi.ResourceOptions(provider=cluster)
def meta(name, **annotations):
    return {{"name": name, "namespace": "kube-system", "annotations": {{"pulumi.com/" + key: value for key, value in annotations.items()}}}}
"""

STORY = """
labels = {{"app": "web"}}
pod = {{"metadata": {{"labels": labels}}, "spec": {{"containers": [{{"name": "web", "image": "none", "resources": {{"requests": {{"cpu": "0.1"}}}}}}]}}}}
ConfigMap("map", metadata=meta("mine"), data={{"key": "{mapped}"}}, opts=opts)
Secret("secret", metadata=meta("mine"), string_data={{"key": "hush-hush"}}, opts=opts)
Deployment("web", metadata=meta("web", skipAwait="true"), spec={{"selector": {{"match_labels": labels}}, "template": pod}}, opts=opts)
ConfigMapPatch("config", metadata=meta("kube-proxy", patchForce="true"), data={{"config.conf": "scheduler: {scheduler}"}}, opts=opts)
DaemonSetPatch("rollout", metadata=meta("kube-proxy", patchForce="true"), spec={{
    "update_strategy": {{"type": "RollingUpdate", "rolling_update": {{"max_unavailable": 1}}}},
    "template": {{"metadata": {{"annotations": {{"sum": "{scheduler}"}}}},
        "spec": {{"containers": [{{"name": "kube-proxy", "resources": {{"requests": {{"cpu": "1000m", "memory": "1024Mi"}}}}}}]}}}},
}}, opts=opts)
"""


class Bench:
    """A project beside its cluster."""

    def __init__(self, folder: Path, cluster: NativeCluster) -> None:
        self.cluster = cluster
        self.project = Project(folder / "project")

    def write(self, body: str, settings: str = "enable_config_map_mutable=True", kubeconfig: str = "") -> None:
        """Sets the program."""
        self.project.write(HEAD.format(kubeconfig=kubeconfig or self.cluster.kubeconfig, settings=settings) + body)

    def fails(self, *expected: str) -> None:
        """Runs an `up` that must fail with these texts."""
        outcome = self.project.run("up", "--yes", "--skip-preview")
        assert outcome.code != 0
        for text in expected:
            assert text in outcome.text, outcome.text

    def proxy(self, kind: str) -> Any:
        """An object of kube-proxy's."""
        return self.cluster.get(kind, "kube-proxy", "-n", "kube-system")


@pytest.fixture(scope="module")
def cluster() -> Iterator[NativeCluster]:
    with native_cluster() as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path, cluster: NativeCluster) -> Iterator[Bench]:
    """With kube-proxy's objects as kubeadm makes them."""
    metadata = {"name": "kube-proxy", "namespace": "kube-system"}
    cluster.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"config.conf": "scheduler: ''", "other": "stays"}})
    labels = {"k8s-app": "kube-proxy"}
    pod = {"tolerations": [{"operator": "Exists"}], "hostNetwork": True, "containers": [{"name": "kube-proxy", "image": "none"}]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    cluster.make({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec})
    yield Bench(tmp_path, cluster)
    cluster.kubectl("delete", "daemonset,configmap", "kube-proxy", "-n", "kube-system")


def managers(thing: Any) -> list[str]:
    """The field managers that are the plugin's."""
    return [entry["manager"] for entry in thing["metadata"]["managedFields"] if entry["manager"].startswith("pulumi-kubernetes-")]


def test_a_stack_lives_changes_and_goes(bench: Bench) -> None:
    project = bench.project
    bench.write(STORY.format(mapped="one", scheduler="rr"))
    project.up()
    assert bench.proxy("configmap")["data"] == {"config.conf": "scheduler: rr", "other": "stays"}
    live = bench.proxy("daemonset")
    assert live["spec"]["template"]["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "1", "memory": "1Gi"}}
    assert live["status"]["observedGeneration"] == live["metadata"]["generation"]
    assert "hush-hush" not in project.raw_state()
    assert "aHVzaC1odXNo" not in project.raw_state()
    (manager,) = managers(bench.proxy("configmap"))

    project.up("--expect-no-changes")
    unchanged = project.run("refresh", "--yes", "--skip-preview", "--diff", "--expect-no-changes")
    assert unchanged.code == 0, unchanged.text

    bench.write(STORY.format(mapped="two", scheduler="lc"))
    assert project.planned() == {"map": "update", "config": "update", "rollout": "update"}
    assert bench.proxy("configmap")["data"]["config.conf"] == "scheduler: rr", "a preview changes nothing"
    edit = {"data": {"config.conf": "scheduler: sh", "other": "moved"}}
    bench.cluster.kubectl("patch", "configmap", "kube-proxy", "-n", "kube-system", "--type=merge", "-p", json.dumps(edit))
    drift = project.run("refresh", "--preview-only", "--diff").text
    assert '"scheduler: rr" => "scheduler: sh"' in drift
    assert "moved" not in drift
    project.up("--refresh")
    assert bench.proxy("configmap")["data"] == {"config.conf": "scheduler: lc", "other": "moved"}
    assert bench.proxy("daemonset")["spec"]["template"]["metadata"]["annotations"] == {"sum": "lc"}
    assert managers(bench.proxy("configmap")) == [manager]

    gone = project.run("destroy", "--yes", "--skip-preview")
    assert gone.code == 0, gone.text
    assert bench.proxy("configmap")["data"] == {"other": "moved"}
    assert managers(bench.proxy("configmap")) == []
    assert "annotations" not in bench.proxy("daemonset")["spec"]["template"]["metadata"]
    names = bench.cluster.kubectl("get", "configmap,secret,deployment", "-n", "kube-system", "-o", "name")
    assert "/mine" not in names
    assert "/web" not in names


def test_what_others_own_is_taken_over_only_by_force_and_what_exists_is_not_made(bench: Bench) -> None:
    bench.cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(config_map("taken", key="theirs")))
    bench.write('ConfigMapPatch("mine", metadata=meta("taken"), data={"key": "ours"}, opts=opts)\n')
    bench.fails('conflict with "kubectl"', ".data.key", "pulumi.com/patchForce")
    bench.write('ConfigMap("mine", metadata=meta("taken", patchForce="true"), data={"key": "ours"}, opts=opts)\n')
    bench.fails("kube-system/taken already exists")
    assert bench.cluster.get("configmap", "taken", "-n", "kube-system")["data"] == {"key": "theirs"}
    bench.write('ConfigMapPatch("mine", metadata=meta("taken", patchForce="true"), data={"key": "ours"}, opts=opts)\n')
    bench.project.up()
    assert bench.cluster.get("configmap", "taken", "-n", "kube-system")["data"] == {"key": "ours"}
    bench.cluster.kubectl("delete", "configmap", "taken", "-n", "kube-system")
    assert "- 1 deleted" in bench.project.run("refresh", "--yes", "--skip-preview").text, "what is gone is forgotten by a refresh"
    bench.fails("kube-system/taken is not there")


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "kube-system"}, "data": data}


def test_a_rollout_is_waited_for_through_a_restart_of_the_api_server(bench: Bench) -> None:
    patch = 'DaemonSetPatch("rollout", metadata=meta("kube-proxy"), spec={{"template": {{"metadata": {{"annotations": {{"sum": "one"}}}}}}}}, opts=pulumi.ResourceOptions(provider=cluster, custom_timeouts=pulumi.CustomTimeouts(create="{time}", update="{time}")))\n'
    bench.cluster.make({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ghost"}})
    wait_until(lambda: bench.proxy("daemonset").get("status", {}).get("desiredNumberScheduled") == 1)
    bench.write(patch.format(time="6s"))
    bench.fails(
        "DaemonSet kube-system/kube-proxy did not become ready within 6 s: ",
        "0 of 1 pods are",
        "pod kube-proxy-",
        "on ghost (not scheduled): Pending",
    )

    bench.write(patch.format(time="60s"))
    process = bench.project.start("up", "--yes", "--skip-preview")
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if "updating" in line and "rollout" in line and "of 1 pods" in line:
            break
    assert process.poll() is None, "".join(lines)
    bench.cluster.stop_api()
    for line in process.stdout:
        lines.append(line)
        if "does not answer" in line:
            break
    bench.cluster.start_api()
    bench.cluster.kubectl("delete", "node", "ghost")
    bench.cluster.kubectl("delete", "pod", "-n", "kube-system", "-l", "k8s-app=kube-proxy", "--force", "--grace-period=0")
    bench.cluster.start_controllers()
    rest, _ = process.communicate(timeout=90)
    assert process.returncode == 0, "".join(lines) + rest
    assert bench.proxy("daemonset")["spec"]["template"]["metadata"]["annotations"] == {"sum": "one"}


def test_a_preview_needs_no_cluster(bench: Bench) -> None:
    kubeconfig = bench.cluster.kubeconfig.replace(f":{bench.cluster.port}", ":1")
    body = 'ConfigMap("map", metadata=meta("map"), data={"a": "b"}, opts=opts)\nConfigMapPatch("patch", metadata=meta("b"), data={}, opts=opts)\n'
    bench.write(body, kubeconfig=kubeconfig)
    planned = bench.project.planned()
    assert {name: planned[name] for name in ("map", "patch")} == {"map": "create", "patch": "create"}
