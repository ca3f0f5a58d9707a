"""What the ingress controller registers: an order in which `up` cannot wait for itself, one door, and nothing taken that is somebody else's."""

import base64
import functools
import json
from typing import Any

import pulumi
import pytest
from google.protobuf.json_format import MessageToDict
from recorder import PASSWORDS, PUBLISHED, Answers, Recorder, Registered, document, run_program, with_calico, with_external_network, with_ingress

SECRET_MARK = "4dabf18193072939515e22adb298388d"
OSLO = document("example-oslo")
DEPLOYMENT, FRONT, WEBHOOK = "oslo-ingress-controller", "oslo-ingress-front", "oslo-ingress-validatingwebhookconfiguration-ingress-nginx-admission"
ANY_ADDRESS = {"exposure": {"kind": "load-balancer"}}


def inputs(request: Any) -> dict[str, Any]:
    return MessageToDict(request.object)


def ingresses(registered: Registered) -> dict[str, Any]:
    """What the component Ingress made in the cluster, by URN."""
    return {urn: request for urn, request in registered.requests.items() if "underlay:cluster:Ingress$kubernetes:" in urn}


def oslo(**ingress: Any) -> Registered:
    """example-oslo with these changes of its ingress, where somebody else builds the pods' network."""
    return _oslo(json.dumps(ingress, sort_keys=True))


@functools.cache
def _oslo(ingress: str) -> Registered:
    return run_program(with_ingress(with_external_network(OSLO), **json.loads(ingress)))


@pytest.fixture(scope="module")
def ingress() -> Registered:
    """example-oslo with its ingress, and Calico before it."""
    return run_program(with_ingress(with_calico(OSLO)), passwords=PASSWORDS)


@pytest.fixture(scope="module")
def plain() -> Registered:
    """The same where somebody else builds the pods' network."""
    return oslo()


def test_every_object_is_a_resource_of_its_own_on_the_environments_provider(ingress: Registered) -> None:
    made = ingresses(ingress)
    kinds = [inputs(request)["kind"] for request in made.values()]
    assert sorted(kinds) == [
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "Deployment",
        "IngressClass",
        "Namespace",
        "PodDisruptionBudget",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "Service",
        "ServiceAccount",
        "ValidatingWebhookConfiguration",
    ]
    parent, provider = ingress.urn("oslo-ingress", "Ingress"), ingress.urn("oslo-kubernetes")
    for request in made.values():
        assert request.parent == parent
        assert request.provider.startswith(f"{provider}::")
        assert request.deletedWith == provider
        assert not request.retainOnDelete, "an ingress that is no longer declared goes"


def test_the_controller_comes_after_its_service_which_it_does_not_start_without(ingress: Registered) -> None:
    before = ingress.before(ingress.urn(DEPLOYMENT))
    for name in (
        FRONT,
        "oslo-ingress-namespace-ingress-nginx",
        "oslo-ingress-configmap-ingress-nginx-controller",
        "oslo-ingress-secret-ingress-nginx-admission",
        "oslo-ingress-ingressclass-nginx",
        "oslo-ingress-clusterrolebinding-ingress-nginx",
    ):
        assert ingress.urn(name) in before, name
    assert ingress.urn(DEPLOYMENT) not in ingress.before(ingress.urn(FRONT))


def test_the_service_before_the_controller_is_waited_for_by_its_address_alone(ingress: Registered) -> None:
    annotations = inputs(ingress.named(FRONT))["metadata"]["annotations"]
    assert annotations["pulumi.com/waitFor"] == "jsonpath={.status.loadBalancer.ingress[0].ip}=10.20.128.10"
    on_ports = oslo(exposure={"kind": "node-port"})
    assert inputs(on_ports.named(FRONT))["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    unnamed = oslo(**ANY_ADDRESS)
    assert inputs(unnamed.named(FRONT))["metadata"]["annotations"]["pulumi.com/waitFor"] == "jsonpath={.status.loadBalancer.ingress[0].ip}"


def test_the_webhook_refuses_nothing_before_somebody_answers_it(ingress: Registered) -> None:
    before = ingress.before(ingress.urn(WEBHOOK))
    assert {ingress.urn(DEPLOYMENT), ingress.urn("oslo-ingress-service-ingress-nginx-controller-admission")} <= before
    service = ingress.before(ingress.urn("oslo-ingress-service-ingress-nginx-controller-admission"))
    assert ingress.urn(DEPLOYMENT) in service, "the provider waits for a Service until a pod of it is ready"
    nobody = [urn for urn in ingress.requests if ingress.urn(WEBHOOK) in ingress.before(urn) and "kubernetes:" in urn]
    assert nobody == []


def test_the_network_is_there_before_and_as_many_nodes_as_there_are_replicas(ingress: Registered, plain: Registered) -> None:
    for registered in (ingress, plain):
        before = registered.before(registered.urn(DEPLOYMENT))
        assert registered.urn("oslo-kube-proxy-rollout") in before
        workers = {urn.rsplit("::", 1)[-1] for urn in before if urn.endswith("-join") and "-worker-" in urn}
        assert {"oslo-worker-1-join", "oslo-worker-2-join", "oslo-worker-3-join"} <= workers
        assert "oslo-worker-6-join" not in workers
    assert ingress.urn("oslo-calico-bgpconfiguration-default") in ingress.before(ingress.urn(FRONT)), "Calico gives the address"


def test_the_webhook_trusts_the_certificate_that_the_controller_shows(ingress: Registered) -> None:
    host = "ingress-nginx-controller-admission.ingress-nginx.svc"
    assert inputs(ingress.named("oslo-ingress-webhook-request"))["dnsNames"][0] == host
    hook = inputs(ingress.named(WEBHOOK))["webhooks"][0]
    assert base64.b64decode(hook["clientConfig"]["caBundle"]).decode() == "CERTIFICATE oslo-ingress-webhook-authority\n"
    assert hook["failurePolicy"] == "Fail"
    secret = inputs(ingress.named("oslo-ingress-secret-ingress-nginx-admission"))
    assert set(secret["data"]) == {"cert", "key"}
    template = inputs(ingress.named(DEPLOYMENT))["spec"]["template"]
    assert "annotations" not in template["metadata"], "a renewed certificate is read without a restart"


def test_the_webhooks_key_is_secret_wherever_it_goes(ingress: Registered) -> None:
    hidden = base64.b64encode(b"PRIVATE oslo-ingress-webhook-key\n").decode().rstrip("=")
    shown = [request.name for request in ingresses(ingress).values() if hidden in json.dumps(inputs(request))]
    assert shown == ["oslo-ingress-secret-ingress-nginx-admission"]
    data = inputs(ingress.named("oslo-ingress-secret-ingress-nginx-admission"))["data"]
    assert SECRET_MARK in data["key"]


def test_waiting_is_bounded_by_the_settings(plain: Registered) -> None:
    assert plain.named(DEPLOYMENT).customTimeouts.create == "600s"
    slower = oslo(ready_s=1234, drain_s=2000)
    assert slower.named(DEPLOYMENT).customTimeouts.update == "1234s"
    assert int(slower.named(DEPLOYMENT).customTimeouts.delete.removesuffix("s")) > 2000, "a pod that goes finishes its connections"
    turns = oslo(replicas=6, exposure={"kind": "host-network"})
    assert int(turns.named(DEPLOYMENT).customTimeouts.update.removesuffix("s")) >= 600 + 6 * 300


def test_tuning_changes_one_config_map_in_place(plain: Registered) -> None:
    other = oslo(expected_response_kib=256)
    assert other.requests.keys() == plain.requests.keys()
    differing = {request.name for urn, request in plain.requests.items() if inputs(request) != inputs(other.requests[urn])}
    assert differing == {"oslo-ingress-configmap-ingress-nginx-controller"}


def test_another_class_name_is_another_class(plain: Registered) -> None:
    other = oslo(class_name="edge")
    gone, new = (
        {urn.rsplit("::", 1)[-1] for urn in urns}
        for urns in (plain.requests.keys() - other.requests.keys(), other.requests.keys() - plain.requests.keys())
    )
    assert (gone, new) == ({"oslo-ingress-ingressclass-nginx"}, {"oslo-ingress-ingressclass-edge"})


def test_what_only_one_can_have_is_let_go_before_another_takes_it(plain: Registered) -> None:
    assert plain.named(FRONT).deleteBeforeReplace, "an address"
    class_ = plain.named("oslo-ingress-ingressclass-nginx")
    assert class_.deleteBeforeReplace, "a name"
    assert list(class_.replaceOnChanges) == ["spec.controller"], "the API refuses to change it"
    assert not plain.named(DEPLOYMENT).deleteBeforeReplace, "the old one serves until the new one does"
    on_host = oslo(exposure={"kind": "host-network"})
    assert on_host.named(DEPLOYMENT).deleteBeforeReplace, "ports of nodes"
    assert not [urn for urn in on_host.requests if urn.endswith(f"::{FRONT}")]


def test_the_config_map_alone_takes_fields_of_what_is_there_and_leaves_all_when_it_goes(lab: Registered) -> None:
    made = {inputs(request)["kind"]: request for request in ingresses(lab).values()}
    assert set(made) == {"Namespace", "ConfigMap"}
    for request in made.values():
        assert request.retainOnDelete, "they may be somebody else's"
        assert inputs(request)["metadata"]["annotations"] == {"pulumi.com/patchForce": "true"}
    assert inputs(lab.named("lab-kubernetes"))["upsertExistingObjects"]
    declared = document("lab")["ingress"]
    metadata = inputs(made["ConfigMap"])["metadata"]
    assert (metadata["namespace"], metadata["name"]) == (declared["namespace"], declared["config_map"])
    assert lab.urn("lab-ingress-namespace-ingress-nginx") in lab.before(lab.urn("lab-ingress-configmap-ingress-nginx-controller"))


def test_without_an_ingress_nothing_of_it_is_registered() -> None:
    without = run_program(with_external_network(OSLO))
    assert not [urn for urn in without.requests if "ngress" in urn]


class WithAddress(Answers):
    """A cluster that gives the Service an address."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        made, outputs = super().new_resource(args)
        status = {"status": {"loadBalancer": {"ingress": [{"ip": "10.20.128.77"}]}}} if args.name == FRONT else {}
        return made, {**outputs, **status}


def addresses(registered: Registered) -> list[str]:
    """What the component says of itself when it is done."""
    return registered.outputs[registered.urn("oslo-ingress", "Ingress")]["addresses"]


def test_addresses_are_the_declared_one_the_nodes_or_what_the_service_was_given() -> None:
    assert addresses(oslo()) == ["10.20.128.10"]
    assert addresses(oslo(exposure={"kind": "host-network"})) == [f"10.20.0.{host}" for host in range(21, 27)]
    assert addresses(oslo(**ANY_ADDRESS)) == []
    environment = with_ingress(with_external_network(OSLO), **ANY_ADDRESS)
    assert addresses(run_program(environment, recorder=Recorder(WithAddress()))) == ["10.20.128.77"]


def test_a_preview_of_the_example_as_it_is_shows_everything(ingress: Registered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERLAY_MIRROR", str(PUBLISHED))
    preview = run_program(OSLO, passwords=PASSWORDS, preview=True)
    assert preview.requests.keys() == ingress.requests.keys()


def test_a_wrong_sum_stops_before_anything_is_registered() -> None:
    recorder = Recorder(Answers())
    environment = with_ingress(with_external_network(OSLO))
    environment["ingress"]["manifest"]["sha256"] = "0" * 64
    with pytest.raises(pulumi.RunError) as caught:
        run_program(environment, recorder=recorder)
    assert "ingress.manifest" in str(caught.value)
    assert all(request.type == "pulumi:pulumi:Stack" for request in recorder.requests.values())
