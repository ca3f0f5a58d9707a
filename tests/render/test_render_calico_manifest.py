"""Each change of Calico's manifests by itself, and the refusal of a manifest in which its place is missing."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
from calico_plans import MESH, VERSIONS, api_server_yaml, calico_yaml, document, parsed, plan
from render_plans import FULL

from plan import make
from render.calico import api_server, manifest
from render.published import ManifestError
from render.text import documents
from settings import load

Things = tuple[dict[str, Any], ...]
Spoil = Callable[[dict[str, Any]], object]


def one(things: Things, kind: str, name: str) -> dict[str, Any]:
    return next(thing for thing in things if thing["kind"] == kind and thing["metadata"]["name"] == name)


def rendered(version: str = "3.32.1", areas: dict[str, Any] | None = None, **network: Any) -> Things:
    return manifest.objects(plan({**MESH, **network}, version, **(areas or {})), calico_yaml(version))


def node_pod(things: Things) -> dict[str, Any]:
    return one(things, "DaemonSet", "calico-node")["spec"]["template"]["spec"]


def variables(things: Things) -> dict[str, str]:
    names = [variable["name"] for variable in node_pod(things)["containers"][0]["env"]]
    assert len(names) == len(set(names)), "a variable is there twice"
    return {variable["name"]: variable["value"] for variable in node_pod(things)["containers"][0]["env"] if "value" in variable}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("encapsulation", "ipip", "vxlan"),
    [
        ({}, "Never", "Never"),
        ({"protocol": "ipip"}, "CrossSubnet", "Never"),
        ({"protocol": "ipip", "when": "always"}, "Always", "Never"),
        ({"protocol": "vxlan"}, "Never", "CrossSubnet"),
        ({"protocol": "vxlan", "when": "always"}, "Never", "Always"),
    ],
)
def test_packets_are_plain_unless_asked_otherwise(version: str, encapsulation: dict[str, str], ipip: str, vxlan: str) -> None:
    found = variables(rendered(version, encapsulation=encapsulation))
    assert (found["CALICO_IPV4POOL_IPIP"], found["CALICO_IPV4POOL_VXLAN"]) == (ipip, vxlan)


def test_the_first_pool_is_made_as_declared() -> None:
    pools = [{"cidr": "10.33.0.0/16", "block_prefix": 27, "nat_outgoing": False}, {"cidr": "10.34.0.0/16"}]
    found = variables(rendered(pools=pools))
    assert found["CALICO_IPV4POOL_CIDR"] == "10.33.0.0/16"
    assert found["CALICO_IPV4POOL_BLOCK_SIZE"] == "27"
    assert found["CALICO_IPV4POOL_NAT_OUTGOING"] == "false"
    assert found["CALICO_IPV4POOL_NODE_SELECTOR"] == "all()"


def test_pools_of_some_nodes_choose_them_by_all_labels() -> None:
    pools = [{"cidr": "10.33.0.0/16", "nodes": {"underlay.dev/pool": "cp", "kubernetes.io/os": "linux"}}, {"cidr": "10.34.0.0/16"}]
    assert variables(rendered(pools=pools))["CALICO_IPV4POOL_NODE_SELECTOR"] == "kubernetes.io/os == 'linux' && underlay.dev/pool == 'cp'"


@pytest.mark.parametrize(("network", "mtu"), [({}, "9000"), ({"wireguard": True}, "8940"), ({"mtu": 1500}, "1500")])
def test_the_mtu_is_written_out(network: dict[str, Any], mtu: str) -> None:
    assert one(rendered(**network), "ConfigMap", "calico-config")["data"]["veth_mtu"] == mtu


def test_bird_speaks_whatever_the_encapsulation() -> None:
    things = rendered(encapsulation={"protocol": "vxlan", "when": "always"})
    assert one(things, "ConfigMap", "calico-config")["data"]["calico_backend"] == "bird"
    assert variables(things)["CLUSTER_TYPE"] == "k8s,bgp"


@pytest.mark.parametrize(("method", "value"), [("kubernetes-internal-ip", "kubernetes-internal-ip"), ("node-network", "cidr=10.20.0.0/24")])
def test_a_node_finds_its_address_by_declaration(method: str, value: str) -> None:
    found = variables(rendered(bgp={"node_address": method}))
    assert (found["IP"], found["IP_AUTODETECTION_METHOD"]) == ("autodetect", value)


def test_images_come_from_the_mirror_by_their_digest() -> None:
    digest = f"sha256:{'1' * 64}"
    things = rendered(calico={"registry": "mirror.example/quay/calico", "digests": {"cni": digest}})
    pods = [node_pod(things), one(things, "Deployment", "calico-kube-controllers")["spec"]["template"]["spec"]]
    images = {container["image"] for pod in pods for key in ("initContainers", "containers") for container in pod.get(key, [])}
    mirror = "mirror.example/quay/calico"
    assert images == {f"{mirror}/cni:v3.32.1@{digest}", f"{mirror}/node:v3.32.1", f"{mirror}/kube-controllers:v3.32.1"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_long_runner_has_requests_and_patient_probes(version: str) -> None:
    calico = {"node_cpu_request_millis": 300, "node_memory_request_mib": 200, "controllers_memory_request_mib": 70, "probe_timeout_s": 33}
    things = rendered(version, calico=calico)
    node = node_pod(things)["containers"][0]
    controllers = one(things, "Deployment", "calico-kube-controllers")["spec"]["template"]["spec"]["containers"][0]
    assert node["resources"]["requests"] == {"cpu": "300m", "memory": "200Mi"}
    assert controllers["resources"]["requests"] == {"cpu": "50m", "memory": "70Mi"}
    assert {container[probe]["timeoutSeconds"] for container in (node, controllers) for probe in ("livenessProbe", "readinessProbe")} == {33}


def test_calico_node_rolls_as_wide_as_declared() -> None:
    strategy = one(rendered(calico={"max_unavailable": 4}), "DaemonSet", "calico-node")["spec"]["updateStrategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 4}}


@pytest.mark.parametrize("xdp", [True, False])
def test_xdp_is_set_before_felix_reads_its_configuration(xdp: bool) -> None:
    assert variables(rendered(calico={"xdp": xdp}))["FELIX_XDPENABLED"] == str(xdp).lower()


def template_annotations(things: Things) -> dict[str, str]:
    return one(things, "DaemonSet", "calico-node")["spec"]["template"]["metadata"]["annotations"]


def test_calico_node_restarts_with_kube_proxys_mode_and_with_what_it_reads_at_start_only() -> None:
    plain = rendered()
    changed = {
        "mode": rendered(areas={"kube_proxy": {"mode": "nftables"}}),
        "mtu": rendered(mtu=1400),
        "endpoint": rendered(areas={"cluster": {**FULL["cluster"], "endpoint": {**FULL["cluster"]["endpoint"], "port": 7443}}}),
    }
    for things in changed.values():
        assert template_annotations(things) != template_annotations(plain)
    assert template_annotations(rendered(bgp={"as_number": 65001})) == template_annotations(plain), "BGP is read while it runs"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_api_is_named_directly_where_the_manifest_looks_for_it(version: str) -> None:
    things = rendered(version)
    endpoint = one(things, "ConfigMap", "kubernetes-services-endpoint")
    assert endpoint["data"] == {"KUBERNETES_SERVICE_HOST": "10.20.0.10", "KUBERNETES_SERVICE_PORT": "6443"}
    daemons = one(things, "DaemonSet", "calico-node")
    assert endpoint["metadata"]["namespace"] == daemons["metadata"]["namespace"]
    readers = [container["name"] for key in ("initContainers", "containers") for container in node_pod(things)[key] if container.get("envFrom")]
    assert readers == ["upgrade-ipam", "install-cni", "calico-node"]


def test_controllers_go_where_only_control_planes_with_taints_of_ones_own_are() -> None:
    taint = {"key": "example.net/only", "value": "us", "effect": "NoSchedule"}
    areas: dict[str, Any] = {"control_plane": {**FULL["control_plane"], "taints": [taint]}}
    wanted = {"key": "example.net/only", "operator": "Exists", "effect": "NoSchedule"}
    pods = [
        one(rendered(areas=areas), "Deployment", "calico-kube-controllers")["spec"]["template"]["spec"],
        one(api_server.objects(plan(MESH, "3.32.1", **areas), api_server_yaml("3.32.1")), "Deployment", "calico-apiserver")["spec"]["template"][
            "spec"
        ],
    ]
    for pod in pods:
        assert wanted in pod["tolerations"]
        assert {"effect": "NoSchedule", "key": "node-role.kubernetes.io/control-plane"} in pod["tolerations"]


@pytest.mark.parametrize(("count", "replicas", "budget"), [(1, 1, 0), (3, 2, 1)])
def test_the_api_server_survives_a_control_plane_where_there_are_several(count: int, replicas: int, budget: int) -> None:
    control_plane: dict[str, Any] = {**FULL["control_plane"], "count": count, "first_host": 51, "cpu": {}}
    hypervisors = {name: {key: value for key, value in host.items() if "cpus" not in key} for name, host in FULL["hypervisors"].items()}
    network = make(load(document(MESH, control_plane=control_plane, hypervisors=hypervisors)))
    things = api_server.objects(network, api_server_yaml("3.32.1"))
    deployment = one(things, "Deployment", "calico-apiserver")["spec"]
    assert deployment["replicas"] == replicas
    assert sum(thing["kind"] == "PodDisruptionBudget" for thing in things) == budget
    pod = deployment["template"]["spec"]
    assert pod["hostNetwork"], "its way must not depend on BGP"
    assert pod["nodeSelector"]["node-role.kubernetes.io/control-plane"] == ""
    assert [port["hostPort"] for port in pod["containers"][0]["ports"]] == [one(things, "Service", "calico-api")["spec"]["ports"][0]["targetPort"]]
    assert deployment["strategy"]["rollingUpdate"]["maxSurge"] == 0, "a new pod would wait for ever for a free port"


def without(key: str, name: str) -> Spoil:
    def spoil(container: dict[str, Any]) -> None:
        container[key] = [entry for entry in container[key] if entry["name"] != name]

    return spoil


NODE = ("DaemonSet", "calico-node")
PLACES: dict[str, tuple[tuple[str, str], Callable[[dict[str, Any]], dict[str, Any]], Spoil, str]] = {
    "variable": (
        NODE,
        lambda pod: pod["containers"][0],
        without("env", "CALICO_IPV4POOL_IPIP"),
        "calico-node].env[CALICO_IPV4POOL_IPIP] is not there",
    ),
    "container": (NODE, lambda pod: pod["containers"][0], lambda c: c.update(name="other"), "spec.containers[calico-node] is not there"),
    "init container": (NODE, lambda pod: pod["initContainers"][1], lambda c: c.update(name="x"), "initContainers[install-cni] is not there"),
    "endpoint": (NODE, lambda pod: pod["initContainers"][0], lambda c: c.pop("envFrom"), "upgrade-ipam].envFrom[kubernetes-services-endpoint]"),
    "probe": (NODE, lambda pod: pod["containers"][0], lambda c: c.pop("livenessProbe"), "[calico-node].livenessProbe is not there"),
    "image": (NODE, lambda pod: pod["containers"][0], lambda c: c.pop("image"), "containers[calico-node].image is not there"),
    "version": (NODE, lambda pod: pod["containers"][0], lambda c: c.update(image=c["image"].replace("v3.32.1", "v3.30.0")), "wanted version v3.32.1"),
    "strategy": (NODE, lambda pod: pod, lambda pod: pod.pop("containers"), "spec.containers[calico-node] is not there"),
    "controllers": (
        ("Deployment", "calico-kube-controllers"),
        lambda pod: pod["containers"][0],
        without("env", "ENABLED_CONTROLLERS"),
        "calico.yaml: Deployment/calico-kube-controllers.spec.template.spec.containers[calico-kube-controllers].env[ENABLED_CONTROLLERS] is not there",
    ),
    "tolerations": (("Deployment", "calico-kube-controllers"), lambda pod: pod, lambda pod: pod.pop("tolerations"), "spec.tolerations is not there"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_is_missing_is_named_and_never_skipped(place: str) -> None:
    (kind, name), part, spoil, message = PLACES[place]
    things = tuple(thing for thing in parsed(calico_yaml("3.32.1")) if thing["kind"] != "CustomResourceDefinition")
    spoil(part(one(things, kind, name)["spec"]["template"]["spec"]))
    with pytest.raises(ManifestError, match=re.escape(message)):
        manifest.objects(plan(MESH), documents(things))


@pytest.mark.parametrize(
    ("kind", "name", "key", "message"),
    [
        ("ConfigMap", "calico-config", "data", "ConfigMap/calico-config.data is not there"),
        ("DaemonSet", "calico-node", "spec", "DaemonSet/calico-node.spec is not there"),
        ("Deployment", "calico-kube-controllers", "kind", "is no Kubernetes object"),
        ("DaemonSet", "calico-node", "", "has 0 objects DaemonSet/calico-node, needed 1"),
    ],
)
def test_an_object_that_is_missing_is_named(kind: str, name: str, key: str, message: str) -> None:
    things = [thing for thing in parsed(calico_yaml("3.32.1")) if thing["kind"] != "CustomResourceDefinition"]
    spoilt = one(tuple(things), kind, name)
    if key:
        spoilt.pop(key)
    else:
        things.remove(spoilt)
    with pytest.raises(ManifestError, match=re.escape(message)):
        manifest.objects(plan(MESH), documents(things))


@pytest.mark.parametrize("text", ["{", "- a list", "kind: ConfigMap\n", ""])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ManifestError, match=r"^calico.yaml: "):
        manifest.objects(plan(MESH), text)


def test_a_manifest_of_another_version_is_refused_with_the_setting_to_change() -> None:
    with pytest.raises(ManifestError, match=re.escape("wanted version v3.31.7 (pod_network.calico.version)")):
        manifest.objects(plan(MESH, "3.31.7"), calico_yaml("3.32.1"))
    with pytest.raises(ManifestError, match=re.escape("wanted version v3.31.7 (pod_network.calico.version)")):
        api_server.objects(plan(MESH, "3.31.7"), api_server_yaml("3.32.1"))


def test_what_is_not_named_stays_as_published() -> None:
    text = calico_yaml("3.32.1")
    before = {(thing["kind"], thing["metadata"]["name"]): thing for thing in parsed(text)}
    after = {(thing["kind"], thing["metadata"]["name"]): thing for thing in rendered()}
    touched = {name for name, thing in after.items() if before.get(name) != thing and name[0] != "CustomResourceDefinition"}
    for name in before:
        if name[0] == "CustomResourceDefinition":  # of these only what no API server keeps is gone
            assert after[name]["spec"] == {key: value for key, value in before[name]["spec"].items() if key != "preserveUnknownFields"}
    assert touched == {
        ("ConfigMap", "calico-config"),
        ("ConfigMap", "kubernetes-services-endpoint"),
        ("DaemonSet", "calico-node"),
        ("Deployment", "calico-kube-controllers"),
    }


def test_rendering_leaves_the_settings_alone_and_repeats_itself() -> None:
    network = plan(MESH)
    settings = copy.deepcopy(network.settings)
    assert manifest.objects(network, calico_yaml("3.32.1")) == manifest.objects(network, calico_yaml("3.32.1"))
    assert network.settings == settings
