"""The ingress component under the real engine: told once, looked at from many sides."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509

from tests.lab.ingress_story import GIVEN, PUBLISHED, LoadBalancer, Story, Teller, pinned
from tests.plugins.native_cluster import native_cluster
from tests.plugins.pulumi_project import engine
from tests.render.f5_shape import F5_YAML

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(engine() is None, reason="no pulumi CLI"),
    pytest.mark.skipif(not PUBLISHED.exists(), reason=f"{PUBLISHED} is not here: ingress-nginx' manifest as published"),
]

WORKERS: dict[str, Any] = {"nodes": {"underlay.dev/pool": "worker"}}
BALANCED = {"exposure": {"kind": "load-balancer", "address": "10.20.128.10"}}
SOMEBODY = "edge-nginx"
ONLY: dict[str, Any] = {"controller": "configmap-only", "namespace": "edge", "config_map": SOMEBODY}
FRONT, CONTROLLER, CONFIG = "oslo-ingress-front", "oslo-ingress-controller", "oslo-ingress-configmap-ingress-nginx-controller"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    nginx: dict[str, Any] = {**WORKERS, "manifest": pinned(PUBLISHED)} if PUBLISHED.exists() else {}
    f5 = tmp_path_factory.mktemp("f5") / "f5.yaml"
    f5.write_text(F5_YAML)
    with native_cluster() as cluster, LoadBalancer(cluster):
        teller = Teller(tmp_path_factory.mktemp("ingress") / "project", cluster)
        cluster.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "edge", "labels": {"owner": "somebody"}}})
        theirs = {"proxy-body-size": "1m", "hsts": "false"}
        cluster.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": SOMEBODY, "namespace": "edge"}, "data": theirs})
        teller.up("taken over", {**ONLY, "nginx": {"proxy_body_size_mib": 8, "keep_alive_s": 30}})
        teller.up("less", {**ONLY, "nginx": {"proxy_body_size_mib": 9}})
        teller.up("let go", None)
        teller.up("made", {**ONLY, "namespace": "new"})
        teller.up("any address", {**nginx, "exposure": {"kind": "load-balancer"}})
        teller.up("balanced", {**nginx, **BALANCED})
        teller.up("tuned", {**nginx, **BALANCED, "expected_response_kib": 64})
        teller.up("other", {**WORKERS, **BALANCED, "controller": "f5-nginx", "manifest": pinned(f5)})
        teller.up("back", {**nginx, **BALANCED})
        teller.up("ports", {**nginx, "exposure": {"kind": "node-port", "http_node_port": 30080, "https_node_port": 30443}})
        teller.up("on nodes", {**nginx, "exposure": {"kind": "host-network"}})
        teller.up("gone", None)
        yield teller.story


def data(story: Story, stage: str, name: str = SOMEBODY) -> dict[str, str]:
    return story.objects[stage][f"ConfigMap/{name}"].get("data", {})


def test_a_second_preview_finds_nothing_to_do(story: Story) -> None:
    assert {stage: steps for stage, steps in story.plans.items() if stage.startswith("after ") and steps} == {}


def test_somebody_elses_config_map_gets_our_fields_and_keeps_its_own(story: Story) -> None:
    assert data(story, "taken over") == {"proxy-body-size": "8m", "hsts": "false", "keep-alive": "30"}
    assert data(story, "less") == {"proxy-body-size": "9m", "hsts": "false"}, "what is no longer tuned is the release's own again"
    assert story.objects["less"]["Namespace/edge"]["metadata"]["labels"]["owner"] == "somebody"
    assert {story.objects[stage][f"ConfigMap/{SOMEBODY}"]["metadata"]["uid"] for stage in ("taken over", "less", "let go")} == {
        story.objects["taken over"][f"ConfigMap/{SOMEBODY}"]["metadata"]["uid"]
    }


def test_what_may_be_somebody_elses_stays_when_nobody_declares_it_any_more(story: Story) -> None:
    assert {step for step in story.plans["let go"].values() if step != "same"} <= {"delete", "update"}
    assert data(story, "let go") == data(story, "less")
    assert story.objects["let go"]["Namespace/edge"]["status"]["phase"] == "Active"


def test_a_namespace_and_config_map_that_are_not_there_are_made(story: Story) -> None:
    assert story.objects["made"]["Namespace/new"]
    assert story.objects["made"][f"ConfigMap/{SOMEBODY}"]


def test_the_address_is_asked_for_waited_for_and_told(story: Story) -> None:
    service = story.objects["balanced"]["Service/ingress-nginx-controller"]
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["status"]["loadBalancer"]["ingress"] == [{"ip": "10.20.128.10", "ipMode": "VIP"}]
    assert story.addresses["balanced"] == ["10.20.128.10"]
    assert story.addresses["any address"] == [GIVEN]
    assert story.addresses["on nodes"] == [f"10.20.0.{host}" for host in range(21, 27)]


def test_the_address_comes_before_the_controller_and_the_webhook_last(story: Story) -> None:
    lines = story.said["any address"].text.splitlines()

    def at(name: str) -> int:
        return next(index for index, line in enumerate(lines) if name in line and "created" in line)

    hook = at("validatingwebhookconfiguration-ingress-nginx-admission")
    assert at(FRONT) < at(CONTROLLER) < at("service-ingress-nginx-controller-admission") < hook
    assert at("oslo-ingress-ingressclass-nginx") < at(CONTROLLER)


def test_tuning_is_one_update_of_one_config_map(story: Story) -> None:
    assert {name: step for name, step in story.plans["tuned"].items() if step != "read"} == {CONFIG: "update"}
    assert data(story, "tuned", "ingress-nginx-controller")["proxy-buffers-number"] == "16"


def test_another_exposure_is_an_update_in_place(story: Story) -> None:
    assert story.plans["balanced"] == {FRONT: "update"}
    assert story.plans["ports"] == {FRONT: "update", CONTROLLER: "update"}
    for stages in (("any address", "balanced", "tuned"), ("back", "ports")):
        assert len({story.objects[stage]["Service/ingress-nginx-controller"]["metadata"]["uid"] for stage in stages}) == 1
    service = story.objects["ports"]["Service/ingress-nginx-controller"]
    assert {port["name"]: port["nodePort"] for port in service["spec"]["ports"]} == {"http": 30080, "https": 30443}


def test_another_controller_takes_over_the_address_and_the_class(story: Story) -> None:
    for stage, gone, there, controller in (
        ("other", "ingress-nginx-controller", "nginx-ingress", "nginx.org/ingress-controller"),
        ("back", "nginx-ingress", "ingress-nginx-controller", "k8s.io/ingress-nginx"),
    ):
        live = story.objects[stage]
        assert f"Deployment/{gone}" not in live
        assert live[f"Service/{there}"]["status"]["loadBalancer"]["ingress"][0]["ip"] == "10.20.128.10"
        assert live["IngressClass/nginx"]["spec"]["controller"] == controller
        assert story.plans[stage][FRONT] in {"replace", "delete-replaced", "create-replacement"}


def test_the_old_controller_goes_when_the_new_one_is_there(story: Story) -> None:
    lines = story.said["other"].text.splitlines()
    moves = [line for line in lines if CONTROLLER in line]
    made, ended = (next(index for index, line in enumerate(moves) if word in line) for word in ("created replacement", "deleted original"))
    assert made < ended, moves


def test_the_nodes_network_needs_no_service(story: Story) -> None:
    assert story.plans["on nodes"][FRONT] == "delete"
    assert "Service/ingress-nginx-controller" not in story.objects["on nodes"]
    pod = story.objects["on nodes"]["Deployment/ingress-nginx-controller"]["spec"]["template"]["spec"]
    assert pod["hostNetwork"]


def test_the_webhook_trusts_a_certificate_of_the_right_name(story: Story) -> None:
    hook = story.objects["balanced"]["ValidatingWebhookConfiguration/ingress-nginx-admission"]["webhooks"][0]
    authority = x509.load_pem_x509_certificate(base64.b64decode(hook["clientConfig"]["caBundle"]))
    assert "ingress-nginx-controller-admission.ingress-nginx.svc" in authority.subject.rfc4514_string()


def test_what_is_no_longer_declared_goes_and_leaves_nothing(story: Story) -> None:
    left = story.objects["gone"]
    assert [name for name in left if "ingress-nginx" in name] == []
    assert "IngressClass/nginx" not in left
    assert "Namespace/new" in left, "that one was not ours to end"


def test_no_key_is_in_what_the_engine_says(story: Story) -> None:
    assert [stage for stage, outcome in story.said.items() if "PRIVATE KEY" in outcome.text] == []
