"""The life of one environment, in order: broken off, up, unchanged, changed, grown, shrunk, gone. Real machines, real engine."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from environment import Live, files_with, secrets_of

pytestmark = pytest.mark.live


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
    assert live.steps() == {}
    live.note("preview of a running environment", time.monotonic() - start)
    live.run("pulumi", "--", "up", "--yes", "--skip-preview", "--expect-no-changes", "--non-interactive")
    live.run("pulumi", "--", "refresh", "--yes", "--skip-preview", "--expect-no-changes", "--non-interactive")


def test_both_nodes_say_ipvs_and_the_kernel_has_the_declared_scheduler(live: Live) -> None:
    for node in ("cp-1", "worker-1"):
        assert live.shell(node, "curl -s 127.0.0.1:10249/proxyMode") == "ipvs"
        assert live.scheduler_in_kernel(node) == "rr"


def test_secrets_at_rest_are_encrypted(live: Live) -> None:
    live.kubectl("create", "secret", "generic", "probe", "--from-literal=word=swordfish-7731")
    found = live.shell(
        "cp-1", "grep -rlaF k8s:enc:secretbox:v1:key1: /var/lib/etcd/member | head -n 1; grep -rlaF swordfish-7731 /var/lib/etcd/member || true"
    )
    assert found.count("\n") == 0
    assert found
    live.kubectl("delete", "secret", "probe")


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


def test_a_new_scheduler_is_one_patch_and_one_rollout_and_reaches_the_kernel(live: Live) -> None:
    live.settings["kube_proxy.ipvs.scheduler"] = "lc"
    assert live.steps() == {"lab-kube-proxy-config": "update", "lab-kube-proxy-rollout": "update"}
    live.up("scheduler rr to lc")
    start = time.monotonic()
    for node in ("cp-1", "worker-1"):
        _wait_until(lambda node=node: live.scheduler_in_kernel(node) == "lc", f"lc in the kernel of {node}")
    live.note("until both kernels say lc", time.monotonic() - start)


def test_a_larger_connection_table_is_set_in_place_and_kube_proxy_does_not_lower_it(live: Live) -> None:
    boots = {node: live.shell(node, "cat /proc/sys/kernel/random/boot_id") for node in ("cp-1", "worker-1")}
    live.settings["node.conntrack.max_entries"] = "262144"
    assert live.steps() == {"lab-cp-1-prepare": "update", "lab-worker-1-prepare": "update"}
    live.up("connection tracking 131072 to 262144")
    question = "cat /proc/sys/net/netfilter/nf_conntrack_max /sys/module/nf_conntrack/parameters/hashsize"
    assert [live.shell(node, question).split() for node in boots] == [["262144", "65536"]] * 2
    live.kubectl("-n", "kube-system", "rollout", "restart", "daemonset/kube-proxy")
    live.kubectl("-n", "kube-system", "rollout", "status", "daemonset/kube-proxy", "--timeout=600s", timeout_s=660)
    for node in boots:
        _wait_until(lambda node=node: live.shell(node, "curl -s --max-time 5 127.0.0.1:10249/proxyMode || true") == "ipvs", f"kube-proxy on {node}")
    assert [live.shell(node, question).split() for node in boots] == [["262144", "65536"]] * 2
    assert boots == {node: live.shell(node, "cat /proc/sys/kernel/random/boot_id") for node in boots}


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 180
    while not holds():
        assert time.monotonic() < deadline, f"not after 180 s: {what}"
        time.sleep(2)


def test_more_memory_makes_a_new_domain_on_the_same_disk_after_a_drain(live: Live) -> None:
    live.shell("worker-1", "touch /root/still-here")
    before = int(live.shell("worker-1", "awk '/MemTotal/ {print $2}' /proc/meminfo"))
    live.settings["workers.worker.memory_mib"] = "1792"
    assert set(live.steps()) == {"lab-worker-1-domain", "lab-worker-1-ready", "lab-worker-1-schedulable"}
    live.up("a worker with more memory: drained, made anew on its disk, Ready")
    assert "cordoned" in live.log()
    assert live.nodes() == {"lab-cp-1": True, "lab-worker-1": True}
    assert int(live.shell("worker-1", "awk '/MemTotal/ {print $2}' /proc/meminfo")) > before + 200_000
    live.shell("worker-1", "test -e /root/still-here")
    assert "unschedulable" not in json.loads(live.kubectl("get", "node", "lab-worker-1", "-o", "json"))["spec"]


def test_a_second_worker_is_its_own_resources_and_joins(live: Live) -> None:
    live.settings["workers.worker.count"] = "2"
    steps = live.steps()
    assert set(steps.values()) == {"create"}
    assert {name for name in steps if not name.startswith("lab-worker-2")} == set()
    live.up("a second worker")
    assert live.nodes() == {"lab-cp-1": True, "lab-worker-1": True, "lab-worker-2": True}
    assert live.scheduler_in_kernel("worker-2") == "lc"


def test_a_removed_worker_is_drained_and_leaves_nothing(live: Live) -> None:
    with_worker = live.volumes()
    live.settings["workers.worker.count"] = "1"
    steps = live.steps()
    assert set(steps.values()) == {"delete"}
    assert {name for name in steps if not name.startswith("lab-worker-2")} == set()
    live.up("the second worker removed")
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
