"""The example application's own project under the real engine, on a real API server that has no node."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.outputs.samples import published
from tests.plugins.native_cluster import NativeCluster, native_cluster
from tests.plugins.pulumi_project import CHECKOUT, Project, engine

pytestmark = [pytest.mark.engine, pytest.mark.skipif(engine() is None, reason="no pulumi CLI: set UNDERLAY_PULUMI or put it on PATH")]

APP = CHECKOUT / "examples" / "app"
PUBLISHER = """
import json, pulumi
from pathlib import Path
for name, value in json.loads(Path("outputs.json").read_text()).items():
    pulumi.export(name, pulumi.Output.secret(value) if name == "kubeconfig" else value)
"""


@pytest.fixture(scope="module")
def cluster() -> Generator[NativeCluster]:
    with native_cluster() as made:
        yield made


@pytest.fixture
def app(tmp_path: Path, cluster: NativeCluster) -> Project:
    """The application's project as people run it, beside a stack that publishes the cluster; without replicas, as nothing runs them here."""
    environment = Project(tmp_path / "environment", name="underlay")
    outputs = published(kubeconfig=cluster.kubeconfig, ingress__controller="configmap-only", ingress__addresses=[])
    (environment.folder / "outputs.json").write_text(json.dumps(outputs))
    environment.write(PUBLISHER)
    environment.up()
    made = Project(tmp_path / "app", {"PULUMI_BACKEND_URL": environment.environment["PULUMI_BACKEND_URL"]}, name="app")
    text = (APP / "Pulumi.yaml").read_text()
    (made.folder / "Pulumi.yaml").write_text(f"{text}main: {APP}\n".replace("virtualenv: .venv", f"virtualenv: {CHECKOUT / '.venv'}"))
    for name, value in (("environment", "organization/underlay/test"), ("image", "example.underlay.dev/hello:1"), ("replicas", "0")):
        assert made.run("config", "set", f"app:{name}", value).code == 0
    return made


def test_the_application_comes_up_stays_and_goes_and_its_pods_may_run_where_little_is_allowed(app: Project, cluster: NativeCluster) -> None:
    previewed = app.preview().text
    for kind in ("Namespace", "Deployment", "Service", "Ingress", "PodDisruptionBudget"):
        assert f":{kind}:" in previewed.replace("::", ":"), "the ingress's object too, which depends on an answer of the environment"
    app.up()
    outputs = json.loads(app.run("stack", "output", "--json").text)
    service = cluster.get("-n", "hello", "service", "hello")
    assert outputs == {"namespace": "hello", "cluster_ip": service["spec"]["clusterIP"], "url": "http://hello.apps.oslo.example/"}
    assert {name: what for name, what in app.planned().items() if what != "read"} == {}

    deployment = cluster.get("-n", "hello", "deployment", "hello")
    template = deployment["spec"]["template"]
    named = {**template["metadata"], "name": "probe", "namespace": "hello"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": template["spec"]}
    cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
    root = json.loads(json.dumps(pod))
    root["spec"]["securityContext"]["runAsNonRoot"] = False
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(root))

    outcome = app.run("destroy", "--yes", "--skip-preview")
    assert outcome.code == 0, outcome.text
    namespaces = cluster.kubectl("get", "namespaces", "-o", "name").split()
    assert "namespace/hello" not in namespaces
    assert "namespace/default" in namespaces
