"""What the program registers, with which options: relations that a careless change would break."""

import json

from google.protobuf.json_format import MessageToDict
from recorder import Registered, document, run_program, with_external_network

DOMAIN = "libvirt:index/domain:Domain"
VOLUME = "libvirt:index/volume:Volume"
COMMAND = "command:remote:Command"
KEY = "tls:index/privateKey:PrivateKey"


def _inputs(request: object) -> str:
    return json.dumps(MessageToDict(request.object))  # pyright: ignore


def _names(requests: list[object]) -> set[str]:
    return {request.name for request in requests}  # pyright: ignore


def test_every_planned_node_is_one_domain_with_one_root_volume(oslo: Registered) -> None:
    nodes = {node["name"] for node in oslo.exports["nodes"]}
    assert len(nodes) == 9
    assert _names(oslo.of_type(DOMAIN)) == {f"{node}-domain" for node in nodes}
    assert {f"{node}-root" for node in nodes} <= _names(oslo.of_type(VOLUME))


def test_each_hypervisor_has_a_provider_of_its_own_and_carries_its_nodes(oslo: Registered) -> None:
    providers = oslo.of_type("pulumi:providers:libvirt")
    assert len(providers) == 3
    used = {domain.provider for domain in oslo.of_type(DOMAIN)}
    assert len(used) == 3


def test_authorities_and_control_plane_disks_are_protected_and_nothing_of_a_worker(oslo: Registered) -> None:
    protected = {request.name for request in oslo.requests.values() if request.protect}
    for authority in ("cluster-ca", "etcd-ca", "front-proxy-ca"):
        assert {f"oslo-{authority}-key", f"oslo-{authority}-certificate"} <= protected
    assert {f"oslo-cp-{number}-root" for number in (1, 2, 3)} <= protected
    assert "oslo-service-accounts-key" in protected
    assert "oslo-encryption-key" in protected
    workers = [node["name"] for node in oslo.exports["nodes"] if node["role"] == "worker"]
    assert not [name for name in protected if any(name.startswith(worker) for worker in workers)]


def test_names_on_the_hypervisor_repeat_so_replacements_delete_first(lab: Registered) -> None:
    for kind in (DOMAIN, VOLUME, "libvirt:index/cloudInitDisk:CloudInitDisk"):
        for request in lab.of_type(kind):
            if request.name.startswith(("lab-cp-", "lab-worker-")):
                assert request.deleteBeforeReplace, request.name


def test_scripts_come_on_standard_input_and_no_command_line_holds_one(lab: Registered) -> None:
    for request in lab.of_type(COMMAND):
        inputs = MessageToDict(request.object)
        assert inputs["create"] == "exec bash -s"
        assert len(inputs.get("delete", "")) < 100


def test_keys_and_the_token_are_secret_wherever_they_go(lab: Registered) -> None:
    secret_mark = "4dabf18193072939515e22adb298388d"
    for step in ("lab-cp-1-pki", "lab-cp-1-join", "lab-worker-1-join"):
        stdin = MessageToDict(lab.named(step).object)["stdin"]
        assert isinstance(stdin, dict), step
        assert secret_mark in stdin, step
    assert secret_mark in MessageToDict(lab.named("lab-cp-1-seed").object)["userData"]
    assert secret_mark in MessageToDict(lab.named("lab-kubernetes").object)["kubeconfig"]


def test_no_seed_holds_an_authority_or_the_token(lab: Registered) -> None:
    for request in lab.of_type("libvirt:index/cloudInitDisk:CloudInitDisk"):
        seed = _inputs(request)
        assert "OPENSSH PRIVATE" in seed, "the node's own host key is there, so the check below looks at real text"
        for secret in ("PRIVATE lab-cluster-ca-key", "PRIVATE lab-admin-key", "OPENSSH PRIVATE lab-operator-key", "0123456789abcdef"):
            assert secret not in seed


def test_workers_get_no_authority_key(lab: Registered) -> None:
    worker = [request for request in lab.of_type(COMMAND) if request.name.startswith("lab-worker-1")]
    assert worker
    for request in worker:
        assert "PRIVATE lab-cluster-ca-key" not in _inputs(request)
        assert "PRIVATE lab-service-accounts-key" not in _inputs(request)


def test_changing_the_scheduler_changes_only_the_patch_and_the_rollout(lab: Registered) -> None:
    changed = document("lab")
    changed["kube_proxy"]["ipvs"]["scheduler"] = "lc"
    other = run_program(changed)
    assert other.requests.keys() == lab.requests.keys()
    differing = {
        request.name
        for urn, request in lab.requests.items()
        if _inputs(request) != _inputs(other.requests[urn]) and "stdin" not in request.ignoreChanges
    }
    assert differing == {"lab-kube-proxy-config", "lab-kube-proxy-rollout"}


def test_raising_conntrack_changes_only_the_preparation_of_each_node_and_the_fact_of_it(lab: Registered) -> None:
    changed = document("lab")
    changed["node"]["conntrack"]["max_entries"] *= 2
    other = run_program(changed)
    differing = {request.name for urn, request in lab.requests.items() if _inputs(request) != _inputs(other.requests[urn])}
    assert differing == {"lab-cp-1-prepare", "lab-worker-1-prepare", "lab"}
    before, after = (MessageToDict(run.named("lab", "underlay:index:Environment").object) for run in (lab, other))
    assert after["conntrack"] == {**before["conntrack"], "maxEntries": changed["node"]["conntrack"]["max_entries"]}
    assert {**after, "conntrack": before["conntrack"]} == before


def test_a_second_worker_adds_resources_of_its_own_and_changes_none(lab: Registered) -> None:
    changed = document("lab")
    changed["workers"]["worker"]["count"] = 2
    other = run_program(changed)
    assert lab.requests.keys() <= other.requests.keys()
    assert {other.requests[urn].name for urn in other.requests.keys() - lab.requests.keys()} >= {"lab-worker-2-domain", "lab-worker-2-join"}
    assert all("lab-worker-2" in urn for urn in other.requests.keys() - lab.requests.keys())
    assert [urn for urn, request in lab.requests.items() if _inputs(request) != _inputs(other.requests[urn])] == []


def test_nodes_of_a_set_come_one_after_the_other_and_sets_side_by_side(oslo: Registered) -> None:
    second = oslo.named("oslo-cp-2-domain")
    assert any(urn.endswith("::oslo-cp-1-ready") for urn in second.dependencies)
    first = oslo.named("oslo-cp-1-domain")
    assert not any(urn.endswith("-ready") for urn in first.dependencies)


def test_a_preview_lets_no_machine_wait() -> None:
    previewed = run_program(with_external_network(document("example-oslo")), preview=True)
    assert not any(urn.endswith("-ready") for urn in previewed.named("oslo-cp-2-domain").dependencies)


def test_a_leaving_control_plane_is_spoken_for_by_another_one(oslo: Registered) -> None:
    addresses = {node["name"]: node["address"] for node in oslo.exports["nodes"]}
    for name in ("oslo-cp-1", "oslo-cp-2", "oslo-cp-3"):
        for step in ("member", "schedulable"):
            host = MessageToDict(oslo.named(f"{name}-{step}").object)["connection"]["value"]["host"]
            assert host in addresses.values()
            assert host != addresses[name]


def test_a_new_domain_drains_first_and_a_new_volume_leaves_the_cluster(lab: Registered) -> None:
    drain = MessageToDict(lab.named("lab-worker-1-schedulable").object)
    leave = MessageToDict(lab.named("lab-worker-1-member").object)
    assert drain["delete"].endswith("drain lab-worker-1 300")
    assert drain["triggers"] == ["lab-worker-1-domain-id"]
    assert leave["delete"].endswith("remove lab-worker-1")
    assert leave["triggers"] == ["lab-worker-1-root-id"]


def test_kubeadms_objects_are_patched_and_stay_when_the_environment_goes(lab: Registered) -> None:
    for name in ("lab-kube-proxy-config", "lab-kube-proxy-rollout"):
        request = lab.named(name)
        assert request.type.endswith("Patch")
        assert request.retainOnDelete
