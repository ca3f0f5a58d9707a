"""services.mode, .configuration, .sync and conntrack.kube-proxy: what kube-proxy says of itself."""

import json
from dataclasses import replace
from typing import Any

import pytest

from ops.verify.checks import conntrack_kube_proxy, services_configuration, services_mode, services_sync
from ops.verify.model import Check, Seen
from ops.verify.reading.kube_proxy import CONFIG_MAP
from plan import Plan
from render.kube_proxy import config, config_document
from tests.ops.verify.made_seen import CP, WORKER, findings, found, lab_plan, recorded, recorded_json, seen_with, statuses, unreachable

MODE, CONFIGURATION, SYNC = services_mode.CHECKS[0], services_configuration.CHECKS[0], services_sync.CHECKS[0]
CONNTRACK = conntrack_kube_proxy.CHECKS[0]
GROUP = "kubeproxy.config.k8s.io"
PASSED = {CP: "passed", WORKER: "passed"}


def running(plan: Plan, **changes: Any) -> str:
    """configz of a kube-proxy with the plan's configuration, laid over what a real one answered."""
    document = recorded_json("configz-nftables.json")
    for layer in (config_document(plan), changes):
        for name, value in layer.items():
            under = document[GROUP].get(name)
            document[GROUP][name] = {**under, **value} if isinstance(value, dict) and isinstance(under, dict) else value
    return json.dumps(document)


def parts(plan: Plan, **changes: str | None) -> dict[str, str | None]:
    own = {"mode": plan.settings.kube_proxy.mode, "configz": running(plan), "metrics": recorded("metrics-nftables.txt"), "now": "1795448563.1"}
    return {**own, **changes}


def seen(plan: Plan | None = None, given: str | None = None, **changes: str | None) -> Seen:
    """The worker says what is changed; the control plane is as declared."""
    plan = plan or lab_plan()
    data = {"data": {"config.conf": config(plan) if given is None else given, "kubeconfig.conf": "..."}}
    return seen_with(plan, "kube-proxy", parts(plan), others={WORKER: parts(plan, **changes)}, api={CONFIG_MAP: data})


@pytest.mark.parametrize("mode", ["ipvs", "nftables", "iptables"])
def test_the_declared_mode_and_configuration_pass(mode: str) -> None:
    plan = lab_plan(kube_proxy__mode=mode)
    assert statuses(MODE, seen(plan)) == PASSED
    for check in (CONFIGURATION, CONNTRACK):
        assert statuses(check, seen(plan)) == {**PASSED, "cluster": "passed"}


def test_another_mode_is_named_on_its_node_alone() -> None:
    assert statuses(MODE, seen(mode="iptables")) == {CP: "passed", WORKER: "failed"}
    assert found(MODE, seen(mode="iptables"), WORKER) == "kube-proxy reports 'iptables'"
    # what the configuration says of the mode is the same mistake, not one more
    assert statuses(CONFIGURATION, seen(configz=running(lab_plan(), mode="iptables"))) == {**PASSED, "cluster": "passed"}


def test_a_real_kube_proxys_defaults_and_spellings_are_not_differences() -> None:
    plan = lab_plan(kube_proxy__mode="nftables", pod_network__cidr="10.32.0.0/14")
    own = lab_plan(kube_proxy__mode="nftables", pod_network__cidr="10.32.0.0/14", kube_proxy__rules={"sync_period_s": 120})
    real = recorded("configz-nftables.json")
    assert statuses(CONFIGURATION, seen(plan, configz=real)) == {**PASSED, "cluster": "passed"}
    assert statuses(CONNTRACK, seen(plan, configz=real)) == {**PASSED, "cluster": "passed"}
    assert found(CONFIGURATION, seen(own, configz=real), WORKER) == 'the running kube-proxy\'s nftables.syncPeriod is "30s", declared "120s"'
    assert statuses(CONFIGURATION, seen(own, configz=real.replace('"30s"', '"2m0s"')))[WORKER] == "passed"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ipvs": {"scheduler": "lc"}}, 'the running kube-proxy\'s ipvs.scheduler is "lc", declared "rr"'),
        ({"ipvs": {"strictARP": False}}, "the running kube-proxy's ipvs.strictARP is false, declared true"),
        ({"clusterCIDR": "10.0.0.0/8"}, 'the running kube-proxy\'s clusterCIDR is "10.0.0.0/8", declared "192.168.0.0/16"'),
    ],
)
def test_a_kube_proxy_that_did_not_restart_is_named(changes: dict[str, Any], says: str) -> None:
    said = seen(configz=running(lab_plan(), **changes))
    assert found(CONFIGURATION, said, WORKER) == says
    assert statuses(CONNTRACK, said) == {**PASSED, "cluster": "passed"}


def test_connection_tracking_that_kube_proxy_would_set_is_named_by_its_own_check() -> None:
    taken = seen(configz=running(lab_plan(), conntrack={"maxPerCore": 32768, "tcpEstablishedTimeout": "24h0m0s"}))
    assert statuses(CONFIGURATION, taken) == {**PASSED, "cluster": "passed"}
    assert found(CONNTRACK, taken, WORKER) == (
        "the running kube-proxy's conntrack.maxPerCore is 32768, declared 0; the running kube-proxy's conntrack.tcpEstablishedTimeout is \"24h0m0s\", "
        'declared "0s"'
    )
    given = config(lab_plan()).replace("maxPerCore: 0", "maxPerCore: 32768")
    assert found(CONNTRACK, seen(given=given), "cluster") == "the ConfigMap's conntrack.maxPerCore is 32768, declared 0"
    assert statuses(CONFIGURATION, seen(given=given))["cluster"] == "passed"


def test_a_field_that_the_config_map_lost_is_named() -> None:
    given = config(lab_plan()).replace("  maxPerCore: 0\n", "").replace("  scheduler: rr\n", "")
    assert found(CONNTRACK, seen(given=given), "cluster") == "the ConfigMap's conntrack.maxPerCore is absent, declared 0"
    assert found(CONFIGURATION, seen(given=given), "cluster") == 'the ConfigMap\'s ipvs.scheduler is absent, declared "rr"'


def test_syncs_in_time_pass_with_their_figures() -> None:
    said = findings(SYNC, seen())[CP]
    assert (said.status, said.found) == ("passed", "1 syncs took 0.067 s on average")
    assert {(figure.name, figure.limit) for figure in said.figures} == {("Service sync, mean", 300), ("Service sync, 99 of 100 within", None)}
    assert {figure.name: figure.value for figure in said.figures}["Service sync, 99 of 100 within"] == 0.128


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'duration_seconds_sum{ip_family="IPv4"} 0.06724021',
            'duration_seconds_sum{ip_family="IPv4"} 445',
            "a sync takes 445 s on average, limit 300",
        ),
        ('last_timestamp_seconds{ip_family="IPv4"} 1.7954485571126356e+09', 'last_timestamp_seconds{ip_family="IPv4"} 1795448000', ""),
        (
            'last_timestamp_seconds{ip_family="IPv6"}',
            'iptables_restore_failures_total{ip_family="IPv4"} 3\nx{ip_family="IPv6"}',
            "3 syncs failed since",
        ),
    ],
)
def test_late_and_failed_syncs_are_named(old: str, new: str, says: str) -> None:
    text = recorded("metrics-nftables.txt")
    assert old in text
    changed = seen(metrics=text.replace(old, new))
    if says:
        assert found(SYNC, changed, WORKER).startswith(says)
        return
    # queued, not done: in time for six seconds, late after a hundred minutes
    assert statuses(SYNC, changed) == PASSED
    late = seen(metrics=text.replace(old, new), now="1795454556.9")
    assert found(SYNC, late, WORKER) == "a change waits since 6000 s, limit 600"


def test_only_emulated_nodes_may_take_ten_times_as_long() -> None:
    slow = recorded("metrics-nftables.txt").replace(
        'duration_seconds_sum{ip_family="IPv4"} 0.06724021', 'duration_seconds_sum{ip_family="IPv4"} 44.5'
    )
    assert statuses(SYNC, seen(metrics=slow)) == PASSED
    real = lab_plan(hypervisors__local__domain_type="kvm")
    assert found(SYNC, seen(real, metrics=slow), WORKER) == "a sync takes 44.5 s on average, limit 30"


def test_metrics_without_families_as_older_ones_have_them_are_read() -> None:
    old = "kubeproxy_sync_proxy_rules_duration_seconds_count 2\nkubeproxy_sync_proxy_rules_duration_seconds_sum 5\n"
    assert findings(SYNC, seen(metrics=old))[WORKER].found == "2 syncs took 2.5 s on average"


@pytest.mark.parametrize("check", [MODE, CONFIGURATION, CONNTRACK, SYNC])
def test_a_kube_proxy_that_does_not_answer_is_not_checked(check: Check) -> None:
    silent = seen(mode=None, configz=None, metrics=None)
    assert statuses(check, silent)[WORKER] == "not checked"
    assert "no such thing" in findings(check, silent)[WORKER].found
    assert findings(check, unreachable(seen(), WORKER))[WORKER].found == "no route to host"
    assert statuses(check, seen(mode="", configz="<html>", metrics="<html>"))[WORKER] in ("not checked", "failed")


@pytest.mark.parametrize("check", [CONFIGURATION, CONNTRACK])
def test_a_config_map_that_cannot_be_read_is_not_checked(check: Check) -> None:
    blind = replace(seen(), api={}, api_errors={CONFIG_MAP: "403 Forbidden"})
    said = findings(check, blind)["cluster"]
    assert (said.status, said.found) == ("not checked", "403 Forbidden")
    for data in ("", "- a list", "\t{"):
        assert findings(check, seen(given=data))["cluster"].status == "not checked"
