"""What underlay sets in the controllers' manifests: a rollout that keeps serving, a place for every pod, one door; and what it refuses."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from calico_plans import MESH, parsed, plan
from f5_shape import F5_DAEMON_SET, F5_YAML
from ingress_plans import (
    BALANCED,
    CONFIG_MAP_ONLY,
    EXTERNAL,
    WEB,
    Things,
    f5,
    ingress_plan_of,
    nginx,
    nginx_plan,
    nginx_yaml,
    one,
    planned,
)

from render.ingress import manifest, nginx_manifest, pods
from render.text import documents

SOON = {"worker_shutdown_timeout_s": 60}
ADDRESS = {"exposure": {"address": "10.20.128.10"}}


MAKERS: dict[str, Callable[..., Things]] = {"ingress-nginx": nginx, "f5-nginx": f5}
EXPOSURES: dict[str, dict[str, Any]] = {
    "load-balancer": {"kind": "load-balancer"},
    "host-network": {"kind": "host-network"},
    "node-port": {"kind": "node-port", "http_node_port": 30080, "https_node_port": 30443},
}


def front(things: Things) -> dict[str, Any]:
    return next(thing for thing in things if thing["kind"] == "Service" and thing["metadata"]["name"] in manifest.CONTROLLER.values())


def container(things: Things) -> dict[str, Any]:
    return one(things, "Deployment")["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("controller", MAKERS)
@pytest.mark.parametrize("exposure", ["load-balancer", "node-port"])
def test_clients_keep_their_addresses_and_only_nodes_with_a_controller_take_them(controller: str, exposure: str) -> None:
    spec = front(MAKERS[controller](exposure=EXPOSURES[exposure]))["spec"]
    assert spec["type"] == {"load-balancer": "LoadBalancer", "node-port": "NodePort"}[exposure]
    assert spec["externalTrafficPolicy"] == "Local"
    ports = {port["name"]: port.get("nodePort") for port in spec["ports"]}
    assert ports == ({"http": 30080, "https": 30443} if exposure == "node-port" else {"http": None, "https": None})
    assert ("allocateLoadBalancerNodePorts" in spec) == (exposure == "load-balancer"), "the API refuses it for other types"


@pytest.mark.parametrize("controller", MAKERS)
def test_the_service_finds_the_pods(controller: str) -> None:
    things = MAKERS[controller]()
    labels = one(things, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selector = front(things)["spec"]["selector"]
    assert selector
    assert selector.items() <= labels.items()
    names = {port["name"] for port in container(things)["ports"]}
    assert {port["targetPort"] for port in front(things)["spec"]["ports"]} <= names


@pytest.mark.parametrize("controller", MAKERS)
def test_on_the_nodes_network_there_is_no_service_and_every_port_is_kept_free(controller: str) -> None:
    things = MAKERS[controller](exposure=EXPOSURES["host-network"])
    assert not [thing for thing in things if thing["kind"] == "Service" and thing["spec"].get("type") != "ClusterIP"]
    pod = one(things, "Deployment")["spec"]["template"]["spec"]
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    assert all(port["hostPort"] == port["containerPort"] for port in container(things)["ports"])
    labels = one(things, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"


@pytest.mark.parametrize("controller", MAKERS)
@pytest.mark.parametrize("exposure", ["load-balancer", "node-port"])
def test_off_the_nodes_network_no_port_of_a_node_is_taken_and_no_privilege_given(controller: str, exposure: str) -> None:
    text = {"text": F5_YAML.replace("containerPort: 80}", "containerPort: 80, hostPort: 80}")} if controller == "f5-nginx" else {}
    things = MAKERS[controller](**text, exposure=EXPOSURES[exposure])
    assert not any("hostPort" in port for port in container(things)["ports"])
    assert "hostNetwork" not in one(things, "Deployment")["spec"]["template"]["spec"]
    assert "pod-security.kubernetes.io/enforce" not in one(things, "Namespace")["metadata"].get("labels", {})


@pytest.mark.parametrize("controller", MAKERS)
@pytest.mark.parametrize(
    ("exposure", "replicas", "surge", "unavailable"),
    [("load-balancer", 2, 1, 0), ("node-port", 1, 1, 0), ("host-network", 1, 1, 0), ("host-network", 2, 0, 1)],
)
def test_a_new_pod_serves_before_an_old_one_goes_unless_it_needs_its_node(
    controller: str, exposure: str, replicas: int, surge: int, unavailable: int
) -> None:
    spec = one(MAKERS[controller](replicas=replicas, exposure=EXPOSURES[exposure]), "Deployment")["spec"]
    assert spec["replicas"] == replicas
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": surge, "maxUnavailable": unavailable}
    assert spec["minReadySeconds"] >= pods.TAKE_LEAVE_S


@pytest.mark.parametrize("controller", MAKERS)
def test_a_pod_that_goes_takes_connections_for_a_while_and_then_has_all_of_drain_s_to_finish_them(controller: str) -> None:
    deployment = one(MAKERS[controller](drain_s=120, nginx=SOON), "Deployment")["spec"]
    pod = deployment["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] - pods.TAKE_LEAVE_S == 120
    hook = pod["containers"][0]["lifecycle"]["preStop"]
    if controller == "ingress-nginx":
        assert hook == {"exec": {"command": ["/wait-shutdown"]}}
        assert f"--shutdown-grace-period={pods.TAKE_LEAVE_S}" in pod["containers"][0]["args"]
    else:
        assert hook == {"sleep": {"seconds": pods.TAKE_LEAVE_S}}


def test_pods_that_take_turns_get_time_for_each_others_connections() -> None:
    turns = planned(
        ingress_plan_of(BALANCED, {**WEB, "replicas": 2, "drain_s": 100, "ready_s": 300, "nginx": SOON, "exposure": {"kind": "host-network"}})
    )
    beside = planned(ingress_plan_of(BALANCED, {**WEB, "replicas": 2, "drain_s": 100, "ready_s": 300, "nginx": SOON}))
    assert pods.rollout_s(turns, "Deployment") >= 300 + 2 * 100
    assert pods.rollout_s(beside, "Deployment") == 300
    assert pods.rollout_s(beside, "DaemonSet") >= 300 + 2 * 100
    assert pods.removal_s(beside) > 100


@pytest.mark.parametrize("controller", MAKERS)
def test_replicas_are_spread_over_nodes_and_if_they_can_over_sites(controller: str) -> None:
    deployment = one(MAKERS[controller](), "Deployment")["spec"]
    spread = {entry["topologyKey"]: entry for entry in deployment["template"]["spec"]["topologySpreadConstraints"]}
    assert {key: entry["whenUnsatisfiable"] for key, entry in spread.items()} == {
        "kubernetes.io/hostname": "DoNotSchedule",
        "topology.kubernetes.io/zone": "ScheduleAnyway",
    }
    for entry in spread.values():
        assert entry["labelSelector"] == deployment["selector"]
        assert entry["nodeTaintsPolicy"] == "Honor", "a node that is being drained would block its pods' new places"
        assert entry["matchLabelKeys"] == ["pod-template-hash"], "the old version's pods would push the new one's aside"


@pytest.mark.parametrize("controller", MAKERS)
def test_pods_run_on_the_named_nodes_and_bear_their_taints(controller: str) -> None:
    pod = one(MAKERS[controller](), "Deployment")["spec"]["template"]["spec"]
    assert pod["nodeSelector"]["example.net/tier"] == "web"
    assert pod["tolerations"] == [{"key": "web", "operator": "Equal", "value": "only", "effect": "NoSchedule"}]


def test_where_only_control_planes_are_named_their_taint_is_borne() -> None:
    pod = one(nginx(nodes={"node-role.kubernetes.io/control-plane": ""}), "Deployment")["spec"]["template"]["spec"]
    taint = "node-role.kubernetes.io/control-plane"
    assert pod["nodeSelector"][taint] == ""
    assert pod["tolerations"] == [{"key": taint, "operator": "Exists", "effect": "NoSchedule"}], (
        "an empty value is not sent: it would differ for ever"
    )


@pytest.mark.parametrize("controller", MAKERS)
def test_a_drain_takes_one_replica_at_a_time_and_one_that_is_alone_stops_no_drain(controller: str) -> None:
    things = MAKERS[controller](replicas=2)
    budget = one(things, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == one(things, "Deployment")["spec"]["selector"]
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert not [thing for thing in MAKERS[controller](replicas=1) if thing["kind"] == "PodDisruptionBudget"]


@pytest.mark.parametrize("controller", MAKERS)
def test_the_address_is_asked_for_as_calico_reads_it(controller: str) -> None:
    metadata, spec = (front(MAKERS[controller](**ADDRESS))[part] for part in ("metadata", "spec"))
    assert json.loads(metadata["annotations"]["projectcalico.org/loadBalancerIPs"]) == ["10.20.128.10"]
    assert "loadBalancerIP" not in spec
    elsewhere = front(MAKERS[controller](network={**EXTERNAL, "services": BALANCED["services"]}, **ADDRESS))
    assert elsewhere["spec"]["loadBalancerIP"] == "10.20.128.10"
    assert not any(key.startswith("projectcalico.org") for key in elsewhere["metadata"].get("annotations", {}))


def test_where_only_services_that_ask_get_an_address_ours_asks() -> None:
    network = {**BALANCED, "services": {**BALANCED["services"], "assign": "requested"}}
    annotations = front(nginx(network))["metadata"]["annotations"]
    assert json.loads(annotations["projectcalico.org/ipv4pools"]) == ["10.20.128.0/24"]
    assert not front(nginx())["metadata"].get("annotations")


@pytest.mark.parametrize("controller", MAKERS)
def test_the_class_has_the_declared_name_and_the_controller_serves_it(controller: str) -> None:
    things = MAKERS[controller](class_name="edge")
    assert one(things, "IngressClass")["metadata"]["name"] == "edge"
    assert [word for word in container(things)["args"] if word.endswith("ingress-class=edge")]
    assert not [word for word in container(things)["args"] if word.endswith("ingress-class=nginx")]
    assert "annotations" not in one(things, "IngressClass")["metadata"]
    default = one(MAKERS[controller](default_class=True), "IngressClass")
    assert default["metadata"]["annotations"] == {"ingressclass.kubernetes.io/is-default-class": "true"}


def test_ingress_objects_show_the_services_address_or_the_nodes() -> None:
    balanced, on_nodes = (container(nginx(exposure=EXPOSURES[kind]))["args"] for kind in ("load-balancer", "node-port"))
    assert "--publish-service=$(POD_NAMESPACE)/ingress-nginx-controller" in balanced
    assert not [word for word in on_nodes if word.startswith("--publish-service")]
    assert "--report-node-internal-ip-address=true" in on_nodes
    assert "-external-service=nginx-ingress" in container(f5())["args"]
    assert not [word for word in container(f5(exposure=EXPOSURES["node-port"]))["args"] if word.startswith("-external-service")]


def test_no_job_makes_a_certificate_and_nobody_has_its_rights() -> None:
    before, after = parsed(nginx_yaml()), nginx()
    assert [thing for thing in before if thing["kind"] == "Job"]
    assert not [thing for thing in after if thing["kind"] == "Job"]
    webhooks = [
        rule for thing in after if thing["kind"] == "ClusterRole" for rule in thing["rules"] if "validatingwebhookconfigurations" in rule["resources"]
    ]
    assert webhooks == []
    accounts = {thing["metadata"]["name"] for thing in after if thing["kind"] == "ServiceAccount"}
    named = {subject["name"] for thing in after if thing["kind"].endswith("RoleBinding") for subject in thing["subjects"]}
    assert accounts == named == {"ingress-nginx"}


def test_the_webhook_is_reached_by_the_name_that_its_certificate_will_have_and_reads_it_where_it_will_lie() -> None:
    things = nginx()
    service = one(things, "ValidatingWebhookConfiguration")["webhooks"][0]["clientConfig"]["service"]
    assert (service["name"], service["namespace"]) == (nginx_manifest.WEBHOOK_SERVICE, nginx_manifest.NAMESPACE)
    pod = one(things, "Deployment")["spec"]["template"]["spec"]
    assert [volume["secret"]["secretName"] for volume in pod["volumes"]] == [nginx_manifest.WEBHOOK]
    folder = pod["containers"][0]["volumeMounts"][0]["mountPath"].rstrip("/")
    flags = dict(word.split("=", 1) for word in pod["containers"][0]["args"] if "=" in word)
    assert flags["--validating-webhook-certificate"] == f"{folder}/{nginx_manifest.CERTIFICATE}"
    assert flags["--validating-webhook-key"] == f"{folder}/{nginx_manifest.KEY}"


def test_images_come_from_the_mirror_by_the_declared_digest_else_the_published_one() -> None:
    published = container(nginx())["image"]
    assert re.fullmatch(r"registry\.k8s\.io/ingress-nginx/controller:v1\.15\.1@sha256:[0-9a-f]{64}", published)
    assert container(nginx(registry="mirror.example"))["image"] == f"mirror.example/{published.rpartition('/')[2]}"
    digest = f"sha256:{'a' * 64}"
    assert container(nginx(digests={"controller": digest}))["image"].endswith(f"v1.15.1@{digest}")
    assert container(f5())["image"] == "nginx/nginx-ingress:5.5.4"
    assert container(f5(registry="mirror.example/x", digests={"nginx-ingress": digest}))["image"] == f"mirror.example/x/nginx-ingress:5.5.4@{digest}"


def test_a_daemon_set_in_f5s_shape_rolls_node_by_node() -> None:
    things = f5(F5_DAEMON_SET)
    spec = one(things, "DaemonSet")["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    assert "replicas" not in spec
    assert "topologySpreadConstraints" not in spec["template"]["spec"]
    assert one(things, "PodDisruptionBudget")
    assert not any("hostPort" in port for port in spec["template"]["spec"]["containers"][0]["ports"])


def test_f5s_own_service_gives_way_to_ours() -> None:
    assert one(parsed_tuple(F5_YAML), "Service")["spec"]["type"] == "NodePort"
    assert one(f5(), "Service")["spec"]["type"] == "LoadBalancer"
    without = documents(thing for thing in parsed(F5_YAML) if thing["kind"] not in {"Service", "IngressClass"})
    assert one(f5(without), "Service") == one(f5(), "Service")
    assert one(f5(without), "IngressClass")["spec"] == {"controller": "nginx.org/ingress-controller"}


def parsed_tuple(text: str) -> Things:
    return tuple(parsed(text))


def test_the_config_map_alone_is_the_one_that_was_named_and_nothing_runs() -> None:
    things = manifest.objects(ingress_plan_of(EXTERNAL, CONFIG_MAP_ONLY), "")
    assert [(thing["kind"], thing["metadata"]["name"]) for thing in things] == [("Namespace", "edge"), ("ConfigMap", "edge-nginx")]
    assert things[1]["metadata"]["namespace"] == "edge"
    assert set(things[0]) == {"apiVersion", "kind", "metadata"}
    assert things[0]["metadata"] == {"name": "edge"}, "somebody else's namespace is taken as it is"


def test_without_an_ingress_there_is_nothing() -> None:
    assert manifest.objects(plan(MESH), "") == ()


def test_rendering_leaves_the_settings_alone_and_repeats_itself() -> None:
    whole = nginx_plan("everything")
    settings = copy.deepcopy(whole.settings)
    assert manifest.objects(whole, nginx_yaml()) == manifest.objects(whole, nginx_yaml())
    assert whole.settings == settings
