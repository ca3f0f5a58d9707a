"""The life of one environment, in order: broken off, up, unchanged, changed, grown, shrunk, gone. Real machines, real engine."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from environment import Live, files_with, secrets_of

import outputs

pytestmark = pytest.mark.live

IN_PLACE, RESTARTS, REPLACEMENTS, REFUSED = 10, 20, 30, 40
"""Exit codes of `ops preview-summary` (docs/reviews.md): before each change it says what then happens."""


def test_up_killed_while_a_machine_boots_and_again_in_kubeadm_is_finished_by_up(live: Live) -> None:
    live.up_killed_when(lambda said: "Dial 2/" in said)
    assert live.domains() == {"lab-cp-1", "lab-worker-1"}
    live.up_killed_when(lambda said: "[control-plane] Creating static Pod manifest" in said)
    live.up("`up` after two kills, to the end")
    assert live.nodes() == {"lab-cp-1": True, "lab-worker-1": True}
    assert live.domains() == {"lab-cp-1", "lab-worker-1"}


def test_nothing_is_on_the_hypervisor_that_the_state_does_not_know(live: Live) -> None:
    exported = json.loads(live.run("pulumi", "--", "stack", "export"))
    known = {
        resource["outputs"]["name"]
        for resource in exported["deployment"]["resources"]
        if resource["type"] in ("libvirt:index/volume:Volume", "libvirt:index/cloudInitDisk:CloudInitDisk")
    }
    assert live.volumes() == known
    assert not exported["deployment"].get("pending_operations")


def test_a_second_up_changes_nothing_and_refresh_finds_no_drift(live: Live) -> None:
    start = time.monotonic()
    seen = live.summary()
    live.note("preview of a running environment", time.monotonic() - start)
    assert (seen.steps, seen.summary["effects"], seen.summary["outputs"], seen.code) == ({}, [], {}, 0)
    live.run("pulumi", "--", "up", "--yes", "--skip-preview", "--expect-no-changes", "--non-interactive")
    live.run("pulumi", "--", "refresh", "--yes", "--skip-preview", "--expect-no-changes", "--non-interactive")


def test_both_nodes_say_ipvs_and_the_kernel_has_the_declared_scheduler(live: Live) -> None:
    for node in ("cp-1", "worker-1"):
        assert live.shell(node, "curl -s 127.0.0.1:10249/proxyMode") == "ipvs"
        assert live.scheduler_in_kernel(node) == "rr"
        # a node's own connections to Services are masqueraded by these sets
        assert "10.96.0.1,tcp:443" in live.shell(node, "ipset list KUBE-CLUSTER-IP")


def test_secrets_at_rest_are_encrypted(live: Live) -> None:
    live.kubectl("create", "secret", "generic", "probe", "--from-literal=word=swordfish-7731")
    found = live.shell(
        "cp-1", "grep -rlaF k8s:enc:secretbox:v1:key1: /var/lib/etcd/member | head -n 1; grep -rlaF swordfish-7731 /var/lib/etcd/member || true"
    )
    assert found.count("\n") == 0
    assert found
    live.kubectl("delete", "secret", "probe")


def test_the_outputs_are_the_contract_and_only_the_kubeconfig_is_masked(live: Live) -> None:
    said = live.run("pulumi", "--", "stack", "output", "--json", "--non-interactive")
    environment = outputs.Environment.from_json(said)
    assert environment.kubeconfig is None
    assert [(node.name, node.address) for node in environment.nodes] == [("lab-cp-1", "10.77.0.11"), ("lab-worker-1", "10.77.0.21")]
    assert {name for name, value in json.loads(said).items() if value == "[secret]"} == {"kubeconfig", "ssh"}
    live.shell("worker-1", f"printf %s '{environment.api.root_certificate}' > /run/root.pem")
    assert live.shell("worker-1", f"curl --silent --max-time 60 --cacert /run/root.pem {environment.api.endpoint}/readyz") == "ok"


def test_an_application_reads_the_outputs_and_answers_at_its_cluster_ip_on_both_nodes(live: Live) -> None:
    start = time.monotonic()
    live.run("app", timeout_s=1200)
    live.note("an application up by the environment's outputs, and asked from both nodes", time.monotonic() - start)
    service = json.loads(live.kubectl("-n", "hello", "get", "service", "hello", "-o", "json"))
    pods = json.loads(live.kubectl("-n", "hello", "get", "pods", "-o", "json"))["items"]
    assert {pod["spec"]["nodeName"] for pod in pods} == {"lab-cp-1", "lab-worker-1"}
    address = service["spec"]["clusterIP"]
    for node in ("cp-1", "worker-1"):
        table = live.shell(node, f"ipvsadm -Ln -t {address}:80")
        assert {line.split()[1] for line in table.splitlines() if "->" in line and ":8080" in line} == {
            f"{pod['status']['podIP']}:8080" for pod in pods
        }
        answers = live.shell(node, f"for _ in 1 2 3 4; do curl --silent --fail --max-time 30 http://{address}/; done").splitlines()
        assert {line.split(" answers ")[0] for line in answers} == {f"pod {pod['metadata']['name']} on {pod['spec']['nodeName']}" for pod in pods}
    assert live.steps() == {}, "the environment is none of the application's"


def test_no_secret_stands_in_a_log_a_seed_or_the_state(live: Live) -> None:
    marks = secrets_of(live)
    assert len(marks) >= 8
    pool = live.state / "pool"
    seeds = list(pool.glob("*seed*"))
    assert len(seeds) == 2
    looked_at = [*seeds, *(path for path in (live.state / "log").rglob("*") if path.is_file()), *(live.state / "state").rglob("*.json")]
    assert files_with(marks, looked_at) == []
    previewed = live.run("pulumi", "--", "preview", "--diff", "--show-sames", "--non-interactive")
    assert not [name for name, mark in marks.items() if mark in previewed]


def test_without_the_application_the_environment_is_as_before(live: Live) -> None:
    address = live.kubectl("-n", "hello", "get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}")
    start = time.monotonic()
    live.run("app-down", timeout_s=900)
    live.note("the application removed", time.monotonic() - start)
    namespaces = {item["metadata"]["name"] for item in json.loads(live.kubectl("get", "namespaces", "-o", "json"))["items"]}
    assert "hello" not in namespaces
    for node in ("cp-1", "worker-1"):
        _wait_until(lambda node=node: address not in live.shell(node, "ipvsadm -Ln"), f"no virtual server of the application in the kernel of {node}")
        assert "example.underlay.dev" not in live.shell(node, "ctr --namespace k8s.io images list --quiet")
    assert not list((live.state / "state").rglob("stacks/app/*.json"))
    assert live.steps() == {}


def test_a_new_scheduler_is_one_patch_and_one_rollout_and_reaches_the_kernel(live: Live) -> None:
    boots, pods = live.boots("cp-1", "worker-1"), live.pods()
    live.settings["kube_proxy.ipvs.scheduler"] = "lc"
    seen = live.summary()
    assert seen.steps == {"lab-kube-proxy-config": "update", "lab-kube-proxy-rollout": "update"}
    assert (seen.code, seen.subjects()) == (RESTARTS, {"kube-proxy"})
    assert "scheduler rr → lc" in seen.says("kube-proxy")
    assert "restarts on all 2 nodes, 1 at a time" in seen.says("kube-proxy")
    assert "machines and pods stay" in seen.says("kube-proxy")
    live.up("scheduler rr to lc")
    restarted, after = {name for name in pods if "/kube-proxy-" in name}, live.pods()
    assert not restarted & after.keys()
    assert {name: uid for name, uid in after.items() if name in pods} == {name: uid for name, uid in pods.items() if name not in restarted}
    assert live.boots("cp-1", "worker-1") == boots
    start = time.monotonic()
    for node in ("cp-1", "worker-1"):
        _wait_until(lambda node=node: live.scheduler_in_kernel(node) == "lc", f"lc in the kernel of {node}")
    live.note("until both kernels say lc", time.monotonic() - start)


def test_a_larger_connection_table_is_set_in_place_and_kube_proxy_does_not_lower_it(live: Live) -> None:
    boots, pods = live.boots("cp-1", "worker-1"), live.pods()
    live.settings["node.conntrack.max_entries"] = "262144"
    seen = live.summary()
    assert seen.steps == {"lab": "update", "lab-cp-1-prepare": "update", "lab-worker-1-prepare": "update"}  # the first has the fact for policies
    assert (seen.code, seen.subjects()) == (IN_PLACE, {"lab-cp-1, lab-worker-1"})
    assert "entries 131072 → 262144 (hash 32768 → 65536 buckets)" in seen.says("lab-worker-1")
    assert "no machine is touched and kube-proxy does not restart" in seen.says("lab-worker-1")
    assert seen.summary["outputs"] == {"limits.conntrack_entries_per_node": "131072 → 262144"}
    live.up("connection tracking 131072 to 262144")
    assert live.pods() == pods
    question = "cat /proc/sys/net/netfilter/nf_conntrack_max /sys/module/nf_conntrack/parameters/hashsize"
    assert [live.shell(node, question).split() for node in boots] == [["262144", "65536"]] * 2
    live.kubectl("-n", "kube-system", "rollout", "restart", "daemonset/kube-proxy")
    live.kubectl("-n", "kube-system", "rollout", "status", "daemonset/kube-proxy", "--timeout=600s", timeout_s=660)
    for node in boots:
        _wait_until(lambda node=node: live.shell(node, "curl -s --max-time 5 127.0.0.1:10249/proxyMode || true") == "ipvs", f"kube-proxy on {node}")
    assert [live.shell(node, question).split() for node in boots] == [["262144", "65536"]] * 2
    assert live.boots("cp-1", "worker-1") == boots


def test_a_larger_buffer_of_the_ingress_is_one_config_map_and_no_pod(live: Live) -> None:
    pods = live.pods()
    live.settings["ingress.nginx.proxy_buffer_size_kib"] = "16"
    seen = live.summary()
    assert seen.steps == {"lab-ingress-configmap-ingress-nginx-controller": "update"}
    assert (seen.code, seen.subjects()) == (IN_PLACE, {"ingress"})
    said = dict(re.findall(r"(?m)^(\S+) .* → (.+): NGINX reloads, no pod restarts$", seen.says("ingress")))
    assert said["proxy-buffer-size"] == "16k"
    live.up("a larger buffer of the ingress")
    data = json.loads(live.kubectl("-n", "ingress-nginx", "get", "configmap", "ingress-nginx-controller", "-o", "json"))["data"]
    assert {key: data.get(key, "its default") for key in said} == said
    assert live.pods() == pods


def test_another_router_is_sessions_alone_and_goes_as_it_came(live: Live) -> None:
    boots, pods = live.boots("cp-1", "worker-1"), live.pods()
    live.settings["pod_network.bgp.routers.tor2"] = "{address: 10.77.0.3, as_number: 64601}"
    seen = live.summary()
    assert (seen.steps, seen.code, seen.subjects()) == ({}, IN_PLACE, {"BGP tor2"})
    assert "sessions added: with 10.77.0.3 (AS 64601)" in seen.says("BGP tor2")
    live.up("another router")
    rows = [line.split() for line in live.run("status").splitlines() if line.startswith("tor2 ")]
    assert [(row[1], row[3]) for row in rows] == [("lab-cp-1", "Established"), ("lab-worker-1", "Established")]
    del live.settings["pod_network.bgp.routers.tor2"]
    seen = live.summary()
    assert (seen.steps, seen.code) == ({}, RESTARTS)
    assert "sessions lost: with 10.77.0.3 (AS 64601)" in seen.says("BGP tor2")
    live.up("the other router removed")
    assert "tor2" not in live.run("status")
    assert (live.boots("cp-1", "worker-1"), live.pods()) == (boots, pods)


def test_what_the_settings_refuse_changes_nothing(live: Live) -> None:
    pods, scheduler = live.pods(), live.settings["kube_proxy.ipvs.scheduler"]
    live.settings["kube_proxy.ipvs.scheduler"] = "fastest"
    refused = live.attempt("up", timeout_s=300)
    assert refused.returncode != 0
    assert "kube_proxy.ipvs.scheduler: is 'fastest', allowed: 'rr', " in refused.stdout + refused.stderr
    live.settings["kube_proxy.ipvs.scheduler"] = scheduler
    assert live.steps() == {}
    assert live.pods() == pods


def test_a_kubernetes_that_the_image_has_not_is_refused_by_the_nodes_and_nothing_breaks(live: Live) -> None:
    boots, pods = live.boots("cp-1", "worker-1"), live.pods()
    live.settings["cluster.kubernetes_version"] = "1.36.4"
    seen = live.summary()
    assert set(seen.steps) == {"lab", "lab-cp-1-prepare", "lab-worker-1-prepare"}
    assert seen.code == REFUSED
    assert "the node will refuse it and `up` will stop" in seen.says("lab-worker-1")
    assert live.attempt("up", timeout_s=600).returncode != 0
    assert "the image holds Kubernetes 1.36.3, cluster.kubernetes_version is 1.36.4" in live.log()
    del live.settings["cluster.kubernetes_version"]
    live.up("back to the image's Kubernetes after a refusal")
    assert live.steps() == {}
    assert live.nodes() == {"lab-cp-1": True, "lab-worker-1": True}
    assert (live.boots("cp-1", "worker-1"), live.pods()) == (boots, pods)


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 180
    while not holds():
        assert time.monotonic() < deadline, f"not after 180 s: {what}"
        time.sleep(2)


def test_more_memory_makes_a_new_domain_on_the_same_disk_after_a_drain(live: Live) -> None:
    live.shell("worker-1", "touch /root/still-here")
    before = int(live.shell("worker-1", "awk '/MemTotal/ {print $2}' /proc/meminfo"))
    boots, domain = live.boots("cp-1", "worker-1"), live.virsh("domuuid", "lab-worker-1")
    live.settings["workers.worker.memory_mib"] = "1792"
    seen = live.summary()
    assert set(seen.steps) == {"lab-worker-1-domain", "lab-worker-1-ready", "lab-worker-1-schedulable"}
    assert (seen.code, seen.subjects()) == (REPLACEMENTS, {"lab-worker-1"})
    assert seen.says("lab-worker-1") == "machine replaced because memory changed (1536 → 1792 MiB): it will be drained first; its disk stays"
    assert live.up("a worker with more memory: drained, made anew on its disk, Ready") < seen.summary["cost"]["at_most_s"]
    booted = live.boots("cp-1", "worker-1")
    assert {node for node in boots if boots[node] != booted[node]} == {"worker-1"}
    assert live.virsh("domuuid", "lab-worker-1") != domain
    assert "cordoned" in live.log()
    assert live.nodes() == {"lab-cp-1": True, "lab-worker-1": True}
    assert int(live.shell("worker-1", "awk '/MemTotal/ {print $2}' /proc/meminfo")) > before + 200_000
    live.shell("worker-1", "test -e /root/still-here")
    assert "unschedulable" not in json.loads(live.kubectl("get", "node", "lab-worker-1", "-o", "json"))["spec"]


def test_a_second_worker_is_its_own_resources_and_joins(live: Live) -> None:
    boots = live.boots("cp-1", "worker-1")
    live.settings["workers.worker.count"] = "2"
    seen = live.summary()
    assert set(seen.steps.values()) == {"create"}
    assert {name for name in seen.steps if not name.startswith("lab-worker-2")} == set()
    assert (seen.code, seen.subjects()) == (IN_PLACE, {"lab-worker-2"})
    assert seen.says("lab-worker-2") == "new node: made, prepared, joined to the cluster"
    assert live.up("a second worker") < seen.summary["cost"]["at_most_s"]
    assert live.boots("cp-1", "worker-1") == boots
    assert live.nodes() == {"lab-cp-1": True, "lab-worker-1": True, "lab-worker-2": True}
    assert live.scheduler_in_kernel("worker-2") == "lc"


def test_a_removed_worker_is_drained_and_leaves_nothing(live: Live) -> None:
    with_worker = live.volumes()
    boots = live.boots("cp-1", "worker-1")
    live.settings["workers.worker.count"] = "1"
    seen = live.summary()
    assert set(seen.steps.values()) == {"delete"}
    assert {name for name in seen.steps if not name.startswith("lab-worker-2")} == set()
    assert (seen.code, seen.subjects()) == (REPLACEMENTS, {"lab-worker-2"})
    assert "leaves the cluster: it will be drained first" in seen.says("lab-worker-2")
    live.up("the second worker removed")
    assert "cordoned" in live.log()
    assert live.boots("cp-1", "worker-1") == boots
    assert live.nodes() == {"lab-cp-1": True, "lab-worker-1": True}
    assert live.domains() == {"lab-cp-1", "lab-worker-1"}
    assert {name for name in with_worker if name not in live.volumes()} == {"lab-worker-2-root", "lab-worker-2-seed.iso"}


def test_down_leaves_nothing_behind(live: Live) -> None:
    if os.environ.get("UNDERLAY_KEEP"):
        pytest.skip("UNDERLAY_KEEP is set: the lab stays up")
    start = time.monotonic()
    live.run("down", timeout_s=300)
    live.note("down", time.monotonic() - start)
    namespaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert live.namespace not in namespaces
    assert not live.state.exists() or not any(live.state.iterdir())
    processes = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not [words for words in processes if b"guest=lab-" in words and b"/live/" in words]
