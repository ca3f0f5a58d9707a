"""What the example application declares, from the outputs of its environment alone."""

import re
import runpy
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime.stack import Stack, wait_for_rpcs

from tests.components.recorder import Recorder, Registered, run_alone
from tests.outputs.samples import published

APP = Path(__file__).resolve().parents[2] / "examples" / "app"
SECRET_MARK = "4dabf18193072939515e22adb298388d"
DEPLOYMENT, SERVICE, BUDGET = "kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service", "kubernetes:policy/v1:PodDisruptionBudget"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"


class Environment(pulumi_mocks.Mocks):
    """Another stack with these outputs, and a cluster that takes everything."""

    def __init__(self, outputs: dict[str, Any]) -> None:
        self.outputs = outputs

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """The stack's outputs, or what was asked for."""
        if args.typ == "pulumi:pulumi:StackReference":
            return args.name, {"name": args.name, "outputs": self.outputs, "secretOutputNames": ["kubeconfig"]}
        return f"{args.name}-id", cast("dict[str, Any]", args.inputs)

    def call(self, args: pulumi_mocks.MockCallArgs) -> Any:
        """No function of a provider is called."""
        raise AssertionError(f"unexpected call of {args.token}")


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(APP))  # pyright: ignore[reportUnknownMemberType]

    def run(**changes: Any) -> Registered:
        recorder = Recorder(Environment(published(**changes)))

        async def program() -> Registered:
            pulumi.runtime.set_mocks(recorder.mocks, project="app", stack="test", monitor=recorder)
            pulumi.runtime.set_all_config({"app:environment": "organization/underlay/oslo", "app:image": "registry.example/hello:1"})
            try:
                runpy.run_path(str(APP / "__main__.py"), run_name="__main__")
            finally:
                await wait_for_rpcs()
            root = pulumi.runtime.get_root_resource()
            assert isinstance(root, Stack)
            exports = {name: await pulumi.Output.from_input(value).future() for name, value in root.outputs.items()}
            return Registered(requests=recorder.requests, exports=exports)

        return run_alone(program())

    return run


def inputs(registered: Registered, kind: str) -> Any:
    found = registered.of_type(kind)
    assert len(found) == 1, kind
    return MessageToDict(found[0].object)


def test_an_ingress_has_class_and_host_of_the_environment(declare: Any) -> None:
    registered = declare()
    ingress = inputs(registered, INGRESS)
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["hello.apps.oslo.example"]
    assert not ingress["metadata"].get("annotations"), "its address is waited for"
    assert registered.exports["url"] == "http://hello.apps.oslo.example/"


def test_without_a_domain_any_host_is_served_at_the_controllers_address(declare: Any) -> None:
    registered = declare(ingress__domain=None)
    assert "host" not in inputs(registered, INGRESS)["spec"]["rules"][0]
    assert registered.exports["url"] == "http://10.20.128.10/"


def test_somebody_elses_controller_is_not_waited_for(declare: Any) -> None:
    registered = declare(ingress__controller="configmap-only", ingress__addresses=[], ingress__domain=None)
    assert inputs(registered, INGRESS)["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    assert registered.exports["url"] is None


def test_without_an_ingress_there_is_none_and_the_rest_is(declare: Any) -> None:
    registered = declare(ingress=None)
    assert registered.of_type(INGRESS) == []
    assert registered.exports["url"] is None
    for kind in (DEPLOYMENT, SERVICE, BUDGET, "kubernetes:core/v1:Namespace"):
        inputs(registered, kind)


def test_service_and_budget_mean_the_deployments_pods(declare: Any) -> None:
    registered = declare()
    deployment, service = inputs(registered, DEPLOYMENT)["spec"], inputs(registered, SERVICE)["spec"]
    pods = deployment["template"]["metadata"]["labels"]
    assert service["selector"] == deployment["selector"]["matchLabels"] == pods
    assert inputs(registered, BUDGET)["spec"]["selector"]["matchLabels"] == pods
    container = deployment["template"]["spec"]["containers"][0]
    ports = {port["name"] for port in container["ports"]}
    assert {service["ports"][0]["targetPort"], *(container[probe]["httpGet"]["port"] for probe in ("readinessProbe", "livenessProbe"))} <= ports
    rule = inputs(registered, INGRESS)["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert rule["name"] == inputs(registered, SERVICE)["metadata"]["name"]
    assert rule["port"]["name"] in {port["name"] for port in service["ports"]}
    assert inputs(registered, BUDGET)["spec"]["maxUnavailable"] < deployment["replicas"]


def test_a_stopping_pod_has_time_for_what_it_is_asked(declare: Any) -> None:
    pod = inputs(declare(), DEPLOYMENT)["spec"]["template"]["spec"]
    finish = int(re.findall(r"const finish = (\d+) \* time\.Second", (APP / "server" / "main.go").read_text())[0])
    assert pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] + finish < pod["terminationGracePeriodSeconds"]


def test_every_object_goes_to_the_environments_cluster_and_the_kubeconfig_stays_secret(declare: Any) -> None:
    registered = declare()
    provider = MessageToDict(registered.named("environment", "pulumi:providers:kubernetes").object)
    assert SECRET_MARK in provider["kubeconfig"]
    assert provider["clusterIdentifier"] == "oslo"
    objects = [request for request in registered.requests.values() if request.type.startswith("kubernetes:")]
    assert len(objects) == 5
    assert all(request.provider.startswith(registered.urn("environment", "pulumi:providers:kubernetes")) for request in objects)
    assert registered.exports.keys() == {"namespace", "cluster_ip", "url"}
