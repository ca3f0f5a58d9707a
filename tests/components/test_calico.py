"""What Calico registers: every object, in an order in which `up` cannot wait for itself, and no secret in the open."""

import base64
import json
import re
from typing import Any

import pulumi
import pytest
import yaml
from google.protobuf.json_format import MessageToDict
from recorder import PASSWORDS, PUBLISHED, Answers, Recorder, Registered, document, run_program, with_calico

SECRET_MARK = "4dabf18193072939515e22adb298388d"
V3 = "kubernetes:projectcalico.org/v3:"
OSLO = document("example-oslo")


def inputs(request: Any) -> dict[str, Any]:
    return MessageToDict(request.object)


def calicos(registered: Registered) -> dict[str, Any]:
    """What the component Calico made in the cluster, by URN."""
    return {urn: request for urn, request in registered.requests.items() if "underlay:cluster:Calico$kubernetes:" in urn}


def in_the_open(value: Any) -> Any:
    """The inputs without what is marked secret."""
    if isinstance(value, dict):
        if SECRET_MARK in value:
            return None
        return {name: in_the_open(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return [in_the_open(item) for item in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


def oslo(passwords: dict[str, str] | None = None, version: str = "3.32.1", **bgp: Any) -> Registered:
    environment = with_calico(OSLO, version)
    environment["pod_network"]["bgp"] = {**environment["pod_network"]["bgp"], **bgp}
    return run_program(environment, passwords=PASSWORDS if passwords is None else passwords)


def test_where_somebody_else_builds_the_network_nothing_of_calico_is_registered(lab: Registered) -> None:
    assert not [urn for urn in lab.requests if "alico" in urn]


def test_every_object_of_the_manifests_is_a_resource_of_its_own(calico: Registered) -> None:
    texts = [(PUBLISHED / name).read_text() for name in ("calico-v3.32.1.yaml", "calico-apiserver-v3.32.1.yaml")]
    wanted = {(thing["kind"], thing["metadata"]["name"]) for text in texts for thing in yaml.safe_load_all(text) if thing}
    made = {(found["kind"], found["metadata"]["name"]) for found in map(inputs, calicos(calico).values())}
    assert wanted - made == set()


def test_types_are_the_providers_own(calico: Registered) -> None:
    types = {request.type for request in calicos(calico).values()}
    assert {
        "kubernetes:core/v1:ConfigMap",
        "kubernetes:apps/v1:DaemonSet",
        "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
        "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
        "kubernetes:apiregistration.k8s.io/v1:APIService",
        f"{V3}BGPPeer",
        f"{V3}BGPConfigurationPatch",
        f"{V3}IPPoolPatch",
    } <= types
    for request in calicos(calico).values():
        version = inputs(request)["apiVersion"]
        group = version if "/" in version else f"core/{version}"
        assert request.type.removesuffix("Patch") == f"kubernetes:{group}:{inputs(request)['kind']}"


def test_all_are_children_of_calico_on_the_environments_own_provider_and_named_after_it(calico: Registered) -> None:
    parent, provider = calico.urn("oslo-calico", "Calico"), calico.urn("oslo-kubernetes")
    assert len(calicos(calico)) > 50
    for request in calicos(calico).values():
        assert request.parent == parent
        assert request.provider.startswith(f"{provider}::")
        assert request.name.startswith("oslo-calico-")


def test_both_versions_have_the_same_resources_but_for_definitions_that_came_or_went() -> None:
    older, newer = set(oslo(version="3.31.7").requests), set(oslo().requests)
    differing = older ^ newer
    assert {urn.split("::")[2].rsplit("$", 1)[-1] for urn in differing} <= {"kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"}
    assert len(differing) == 3


def test_what_nodes_become_ready_by_waits_for_none_to_be_ready(calico: Registered) -> None:
    manifest = [thing for thing in yaml.safe_load_all((PUBLISHED / "calico-v3.32.1.yaml").read_text()) if thing]
    names = {f"oslo-calico-{thing['kind'].lower()}-{thing['metadata']['name']}" for thing in manifest}
    assert "oslo-calico-daemonset-calico-node" in names
    for name in names:
        assert [urn for urn in calico.before(calico.urn(name)) if urn.endswith(("-ready", "-member", "-schedulable"))] == [], name
    daemon_set = calico.before(calico.urn("oslo-calico-daemonset-calico-node"))
    assert calico.urn("oslo-cp-1-join") in daemon_set
    assert calico.urn("oslo-kube-proxy-rollout") in daemon_set, "Felix looks at kube-proxy's mode when it starts"


def test_the_api_server_is_waited_for_when_its_control_planes_have_joined_and_never_for_a_worker(calico: Registered) -> None:
    server = calico.named("oslo-calico-deployment-calico-apiserver")
    assert inputs(server)["spec"]["replicas"] == 2
    before = calico.before(calico.urn("oslo-calico-deployment-calico-apiserver"))
    joins = {urn.rsplit("::", 1)[-1] for urn in before if urn.endswith("-join")}
    assert joins == {"oslo-cp-1-join", "oslo-cp-2-join"}
    workers = [urn for urn in calico.before(calico.urn("oslo-calico-bgpconfiguration-default")) if "::oslo-worker" in urn]
    assert workers == []


def test_definitions_and_roles_come_before_workloads_and_the_api_server_after_them(calico: Registered) -> None:
    daemon_set = calico.before(calico.urn("oslo-calico-daemonset-calico-node"))
    for kind in (
        "customresourcedefinition-bgppeers.crd.projectcalico.org",
        "clusterrole-calico-node",
        "serviceaccount-calico-node",
        "configmap-calico-config",
    ):
        assert calico.urn(f"oslo-calico-{kind}") in daemon_set
    api = calico.before(calico.urn("oslo-calico-apiservice-v3.projectcalico.org"))
    for name in ("daemonset-calico-node", "deployment-calico-apiserver", "secret-calico-apiserver-certs", "service-calico-api"):
        assert calico.urn(f"oslo-calico-{name}") in api
    deployment = calico.before(calico.urn("oslo-calico-deployment-calico-apiserver"))
    assert calico.urn("oslo-calico-secret-calico-apiserver-certs") in deployment
    assert calico.urn("oslo-calico-service-calico-api") not in deployment, "the provider waits for a Service until a pod of it is ready"


def test_v3_objects_come_after_the_api_service_is_available(calico: Registered) -> None:
    service = calico.named("oslo-calico-apiservice-v3.projectcalico.org")
    assert inputs(service)["metadata"]["annotations"] == {"pulumi.com/waitFor": "condition=Available"}
    v3 = [urn for urn, request in calicos(calico).items() if request.type.startswith(V3)]
    assert len(v3) >= 10
    for urn in v3:
        assert calico.urn("oslo-calico-apiservice-v3.projectcalico.org") in calico.before(urn)


def test_the_mesh_goes_only_after_peers_and_reflectors_are_there(calico: Registered) -> None:
    configuration = calico.named("oslo-calico-bgpconfiguration-default")
    assert inputs(configuration)["spec"]["nodeToNodeMeshEnabled"] is False
    before = calico.before(calico.urn("oslo-calico-bgpconfiguration-default"))
    peers = [urn for urn, request in calicos(calico).items() if request.type == f"{V3}BGPPeer"]
    reflectors = [urn for urn, request in calicos(calico).items() if request.type == "kubernetes:core/v1:NodePatch"]
    assert len(peers) >= 7
    assert {urn.rsplit("::", 1)[-1] for urn in reflectors} == {f"oslo-calico-node-oslo-cp-{number}" for number in (1, 2, 3)}
    assert {*peers, *reflectors} <= before


def test_a_peer_comes_after_its_filters_and_passwords(calico: Registered) -> None:
    for urn, request in calicos(calico).items():
        if request.type == f"{V3}BGPPeer" and "tor-" in request.name:
            before = calico.before(urn)
            assert calico.urn("oslo-calico-secret-underlay-bgp-passwords") in before
            assert [other for other in before if f"${V3}BGPFilter::" in other]


def test_a_reflector_is_marked_when_its_node_object_is_there_and_anew_with_a_new_machine(calico: Registered) -> None:
    patch = calico.named("oslo-calico-node-oslo-cp-2")
    metadata = inputs(patch)["metadata"]
    assert metadata["labels"] == {"underlay.dev/route-reflector": "osl"}
    assert metadata["annotations"]["projectcalico.org/RouteReflectorClusterID"] == "10.20.0.250"
    assert metadata["annotations"]["underlay.dev/reflecting-machine"] == "oslo-cp-2-root-id"
    assert calico.urn("oslo-cp-2-member") in calico.before(calico.urn("oslo-calico-node-oslo-cp-2"))
    assert not patch.retainOnDelete, "a node that reflects no more must not say so"


def test_what_calico_made_itself_is_patched_by_force_and_stays(calico: Registered) -> None:
    patches = [request for request in calicos(calico).values() if request.type.startswith(V3) and request.type.endswith("Patch")]
    assert {inputs(patch)["kind"] for patch in patches} >= {"BGPConfiguration", "FelixConfiguration", "IPPool"}
    for patch in patches:
        assert patch.retainOnDelete
        assert inputs(patch)["metadata"]["annotations"]["pulumi.com/patchForce"] == "true"
    for request in calicos(calico).values():
        if request.type == f"{V3}BGPPeer":
            assert not request.retainOnDelete, "a session that is no longer declared ends"


def test_nothing_is_deleted_with_the_cluster_and_a_definition_never(calico: Registered) -> None:
    for request in calicos(calico).values():
        assert request.deletedWith == calico.urn("oslo-kubernetes")
        if request.type.endswith(":CustomResourceDefinition"):
            assert request.retainOnDelete, "its objects would go with it"


def test_waiting_is_bounded_by_the_setting(calico: Registered) -> None:
    environment = with_calico(OSLO)
    environment["pod_network"]["calico"]["ready_s"] = 1234
    slower = run_program(environment, passwords=PASSWORDS)
    for name in ("daemonset-calico-node", "deployment-calico-kube-controllers", "apiservice-v3.projectcalico.org"):
        assert calico.named(f"oslo-calico-{name}").customTimeouts.create == "600s"
        times = slower.named(f"oslo-calico-{name}").customTimeouts
        assert (times.create, times.update) == ("1234s", "1234s")


def test_passwords_and_the_api_servers_key_are_secret_wherever_they_go(calico: Registered) -> None:
    secret = inputs(calico.named("oslo-calico-secret-underlay-bgp-passwords"))
    assert set(secret["data"]) == set(PASSWORDS)
    texts = {*PASSWORDS.values(), "PRIVATE oslo-calico-api-key"}
    hidden = {form for text in texts for form in (text, base64.b64encode(text.encode()).decode().rstrip("="))}
    everything = json.dumps([inputs(request) for request in calico.requests.values()])
    assert sum(form in everything for form in hidden) >= len(texts), "they are there, so the check below looks at real text"
    for urn, request in calico.requests.items():
        if not urn.split("::")[2].endswith("tls:index/privateKey:PrivateKey"):
            shown = json.dumps(in_the_open(inputs(request)))
            assert [form for form in hidden if form in shown] == [], urn


def test_passwords_come_only_where_a_router_names_one() -> None:
    routers = {
        name: {key: value for key, value in router.items() if key != "password"} for name, router in OSLO["pod_network"]["bgp"]["routers"].items()
    }
    without = oslo({}, routers=routers)
    assert not [urn for urn in without.requests if "underlay-bgp-passwords" in urn and "$kubernetes:core/v1:Secret::" in urn]


def test_the_api_server_shows_a_certificate_for_its_own_name_and_restarts_with_a_new_one(calico: Registered) -> None:
    request = inputs(calico.named("oslo-calico-api-request"))
    assert request["dnsNames"][0] == "calico-api.calico-apiserver.svc"
    service = inputs(calico.named("oslo-calico-apiservice-v3.projectcalico.org"))
    assert base64.b64decode(service["spec"]["caBundle"]).decode() == "CERTIFICATE oslo-calico-api-authority\n"
    assert "insecureSkipTLSVerify" not in service["spec"]
    secret = inputs(calico.named("oslo-calico-secret-calico-apiserver-certs"))
    assert {"apiserver.crt", "apiserver.key"} == set(secret["data"])
    template = inputs(calico.named("oslo-calico-deployment-calico-apiserver"))["spec"]["template"]
    assert re.fullmatch("[0-9a-f]{64}", template["metadata"]["annotations"]["underlay.dev/certificate-checksum"])


def test_another_worker_changes_no_object_of_the_manifests(calico: Registered) -> None:
    environment = with_calico(OSLO)
    pool = next(iter(environment["workers"]))
    environment["workers"][pool]["count"] += 1
    more = run_program(environment, passwords=PASSWORDS)
    assert calicos(calico).keys() == calicos(more).keys()
    assert [urn for urn, request in calicos(calico).items() if inputs(request) != inputs(more.requests[urn])] == []


def test_another_topology_changes_the_configuration_and_what_belongs_to_it_alone(calico: Registered) -> None:
    mesh = oslo(topology="mesh")
    assert inputs(mesh.named("oslo-calico-bgpconfiguration-default"))["spec"]["nodeToNodeMeshEnabled"] is True
    gone = {urn.split("::")[2].rsplit("$", 1)[-1] for urn in calicos(calico).keys() - calicos(mesh).keys()}
    assert gone == {f"{V3}BGPPeer", "kubernetes:core/v1:NodePatch"}
    assert calicos(mesh).keys() <= calicos(calico).keys()
    changed = [request.name for urn, request in calicos(mesh).items() if inputs(request) != inputs(calico.requests[urn])]
    assert changed == ["oslo-calico-bgpconfiguration-default"]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(Answers())


def test_a_preview_shows_everything_without_a_cluster(calico: Registered) -> None:
    preview = run_program(with_calico(OSLO), passwords=PASSWORDS, preview=True)
    assert preview.requests.keys() == calico.requests.keys()


def test_a_wrong_sum_stops_before_anything_is_registered(recorder: Recorder) -> None:
    environment = with_calico(OSLO)
    environment["pod_network"]["calico"]["manifest"]["sha256"] = "0" * 64
    with pytest.raises(pulumi.RunError) as caught:
        run_program(environment, passwords=PASSWORDS, recorder=recorder)
    assert "pod_network.calico.manifest" in str(caught.value)
    assert recorder.requests == {} or all(request.type == "pulumi:pulumi:Stack" for request in recorder.requests.values())


def test_a_missing_password_stops_before_anything_is_registered_also_in_a_preview(recorder: Recorder) -> None:
    lacking = {name: value for name, value in PASSWORDS.items() if name != "tor-osl2b"}
    with pytest.raises(pulumi.RunError) as caught:
        run_program(with_calico(OSLO), passwords=lacking, recorder=recorder, preview=True)
    assert str(caught.value).endswith("run `pulumi config set --secret --path underlay:bgp_passwords.tor-osl2b`")
    assert all(request.type == "pulumi:pulumi:Stack" for request in recorder.requests.values())
