"""When an object is ready, how long that is waited for, and what is said when it is not."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from lab.plugins.base import PartialError, ProviderError
from lab.plugins.kubernetes import waiting
from lab.plugins.kubernetes.objects import Kind
from lab.plugins.kubernetes.ready import check_of, trouble
from lab.plugins.kubernetes.wanted import wanted
from tests.plugins.fake_kubernetes import Bench, refusal

PATCH = "kubernetes:apps/v1:DaemonSetPatch"
PROXY = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_POLL_S", 0.01)
    monkeypatch.setattr(waiting, "_LONGEST_POLL_S", 0.02)


def is_done(api_version: str, kind: str, spec: dict[str, Any], status: dict[str, Any]) -> bool:
    check = check_of(Kind(api_version, kind, patch=False))
    assert check is not None
    return check({"metadata": {"generation": 2}, "spec": spec, "status": status}).done


SEEN = {"observedGeneration": 2}
FULL = {**SEEN, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2, "currentRevision": "b", "updateRevision": "b"}
EVERYWHERE = {**SEEN, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "done"),
    [
        ("apps/v1 DaemonSet", {}, EVERYWHERE, True),
        ("apps/v1 DaemonSet", {}, {**SEEN, "desiredNumberScheduled": 0}, True),
        ("apps/v1 DaemonSet", {}, {}, False),
        ("apps/v1 DaemonSet", {}, {**EVERYWHERE, "observedGeneration": 1}, False),
        ("apps/v1 DaemonSet", {}, {**EVERYWHERE, "updatedNumberScheduled": 1}, False),
        ("apps/v1 DaemonSet", {}, {**EVERYWHERE, "numberAvailable": 1}, False),
        ("apps/v1 DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, {**EVERYWHERE, "updatedNumberScheduled": 0}, True),
        ("apps/v1 Deployment", {"replicas": 2}, FULL, True),
        ("apps/v1 Deployment", {"replicas": 2}, {**FULL, "replicas": 3}, False),
        ("apps/v1 Deployment", {"replicas": 2}, {**FULL, "availableReplicas": 1}, False),
        ("apps/v1 Deployment", {"replicas": 2}, {**FULL, "observedGeneration": 1}, False),
        ("apps/v1 Deployment", {"replicas": 0}, SEEN, True),
        ("apps/v1 StatefulSet", {"replicas": 2}, FULL, True),
        ("apps/v1 StatefulSet", {"replicas": 2}, {**FULL, "readyReplicas": 1}, False),
        ("apps/v1 StatefulSet", {"replicas": 2}, {**FULL, "updatedReplicas": 1, "currentRevision": "a"}, False),
        ("apps/v1 StatefulSet", {"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}}, {**FULL, "updatedReplicas": 1}, True),
        ("batch/v1 Job", {}, {"active": 1}, False),
        ("batch/v1 Job", {}, {"conditions": [{"type": "Complete", "status": "True"}]}, True),
        ("batch/v1 Job", {}, {"conditions": [{"type": "Failed", "status": "True"}]}, False),
        ("v1 Pod", {}, {"conditions": [{"type": "Ready", "status": "True"}]}, True),
        ("v1 Pod", {}, {"conditions": [{"type": "Ready", "status": "False"}]}, False),
        ("v1 Service", {"type": "LoadBalancer"}, {}, False),
        ("v1 Service", {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}, True),
        ("apiextensions.k8s.io/v1 CustomResourceDefinition", {}, {"conditions": [{"type": "Established", "status": "True"}]}, True),
        ("apiextensions.k8s.io/v1 CustomResourceDefinition", {}, {}, False),
    ],
)
def test_a_kind_is_ready_when_its_controller_says_so(kind: str, spec: dict[str, Any], status: dict[str, Any], done: bool) -> None:
    api_version, _, name = kind.partition(" ")
    assert is_done(api_version, name, spec, status) is done


def test_a_kind_without_controller_is_ready_at_once() -> None:
    assert check_of(Kind("v1", "ConfigMap", patch=False)) is None


@pytest.mark.parametrize(
    ("text", "status", "done"),
    [
        ("condition=Ready", {"conditions": [{"type": "Ready", "status": "True"}]}, True),
        ("condition=Ready", {"conditions": [{"type": "Other", "status": "True"}]}, False),
        ("condition=Ready=False", {"conditions": [{"type": "Ready", "status": "False"}]}, True),
        ("jsonpath={.status.phase}=Running", {"phase": "Running"}, True),
        ("jsonpath={.status.phase}=Running", {"phase": "Pending"}, False),
        ("jsonpath={.status.phase}", {"phase": "Pending"}, True),
        ("jsonpath={.status.phase}", {}, False),
        ("jsonpath={.status.list[1]['a.b']}=3", {"list": [{}, {"a.b": 3}]}, True),
        ('["condition=Ready", "jsonpath={.status.phase}=Running"]', {"phase": "Running"}, False),
    ],
)
def test_a_program_may_say_what_to_wait_for(text: str, status: dict[str, Any], done: bool) -> None:
    assert wanted(text)({"status": status}).done is done


def with_proxy(status: dict[str, Any]) -> Bench:
    bench = Bench()
    bench.server.put(PROXY, {"spec": {"selector": {"matchLabels": {"k8s-app": "kube-proxy"}}}, "status": status})
    return bench


def patch(**annotations: str) -> dict[str, Any]:
    metadata = {"name": "kube-proxy", "namespace": "kube-system", "annotations": {f"pulumi.com/{name}": text for name, text in annotations.items()}}
    return {"metadata": metadata, "spec": {"template": {"metadata": {"annotations": {"sum": "one"}}}}}


def pod(name: str, node: str, **state: Any) -> dict[str, Any]:
    entry = {"name": "kube-proxy", "ready": False, "state": state}
    conditions = [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]
    return {"metadata": {"name": name}, "spec": {"nodeName": node}, "status": {"conditions": conditions, "containerStatuses": [entry]}}


def test_a_rollout_that_does_not_end_names_the_node_the_pod_and_the_reason() -> None:
    bench = with_proxy({"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1})
    pods = "/api/v1/namespaces/kube-system/pods"
    bench.server.objects[f"{pods}/b"] = pod("kube-proxy-b", "w1", waiting={"reason": "CrashLoopBackOff", "message": "back-off 5s"})
    ready = pod("kube-proxy-a", "cp1")
    ready["status"]["conditions"][0]["status"] = "True"
    bench.server.objects[f"{pods}/a"] = ready
    started = time.monotonic()
    with pytest.raises(PartialError) as caught:
        bench.create(PATCH, patch(timeoutSeconds="1"))
    assert 0.9 < time.monotonic() - started < 5
    text = str(caught.value)
    assert "within 1 s: 1 of 2 pods are available" in text
    assert "pod kube-proxy-b on w1: kube-proxy waits: CrashLoopBackOff back-off 5s" in text
    assert "kube-proxy-a" not in text
    assert bench.server.asked("GET")[-1].url.params["labelSelector"] == "k8s-app=kube-proxy"
    assert caught.value.state.id == "kube-system/kube-proxy"
    assert caught.value.state.outputs["__fieldManager"]
    assert "1 of 2 pods are available" in bench.log.statuses


def test_the_resource_option_comes_before_the_annotation() -> None:
    bench = with_proxy({"observedGeneration": 0})
    with pytest.raises(PartialError, match="within 1 s: waiting for the controller"):
        bench.create(PATCH, patch(timeoutSeconds="6"), timeout_s=1)


def test_nothing_is_waited_for_when_the_annotation_says_so() -> None:
    bench = with_proxy({"observedGeneration": 0})
    assert bench.create(PATCH, patch(skipAwait="true")).id == "kube-system/kube-proxy"


def test_an_api_server_that_restarts_while_a_rollout_is_waited_for_is_no_failure() -> None:
    bench = with_proxy({"observedGeneration": 1})
    looks = 0

    def answer(request: httpx.Request) -> httpx.Response | None:
        nonlocal looks
        if not bench.server.asked("PATCH") or request.method != "GET":
            return None
        looks += 1
        if looks == 1:
            raise httpx.ConnectError("[Errno 111] Connection refused")
        if looks == 2:
            return refusal(503, "ServiceUnavailable", "apiserver not ready")
        if looks == 3:
            return refusal(403, "Forbidden", "RBAC is not ready")
        bench.server.objects[PROXY]["status"] = {"observedGeneration": 2, "desiredNumberScheduled": 0}
        return None

    bench.server.before = answer
    bench.create(PATCH, patch())
    assert looks >= 4
    assert any("Connection refused" in text for text in bench.log.statuses)


def test_a_server_that_stays_away_is_named_when_the_time_is_over() -> None:
    bench = with_proxy({"observedGeneration": 0})

    def answer(request: httpx.Request) -> httpx.Response | None:
        if bench.server.asked("PATCH") and request.method == "GET":
            raise httpx.ConnectError("[Errno 111] Connection refused")
        return None

    bench.server.before = answer
    with pytest.raises(PartialError, match=r"within 1 s: .*127\.0\.0\.1:1 does not answer.*refused"):
        bench.create(PATCH, patch(), timeout_s=1)


def test_what_can_never_become_ready_is_not_waited_for() -> None:
    bench = Bench()
    bench.server.put(
        "/api/v1/namespaces/default/pods/p", {"status": {"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory"}}
    )
    with pytest.raises(PartialError, match="the pod failed: Evicted the node was low on memory"):
        bench.create("kubernetes:core/v1:PodPatch", {"metadata": {"name": "p"}})


def test_an_object_that_somebody_deletes_meanwhile_is_an_error() -> None:
    bench = with_proxy({"observedGeneration": 0})
    bench.server.before = lambda request: (
        refusal(404, "NotFound", "gone") if bench.server.asked("PATCH") and request.method == "GET" and "/pods" not in request.url.path else None
    )
    with pytest.raises(ProviderError, match="deleted by somebody else"):
        bench.create(PATCH, patch())


@pytest.mark.parametrize(("ready", "works"), [(True, True), (None, True), (False, False)])
def test_a_service_is_ready_when_a_ready_pod_is_behind_it(ready: bool | None, works: bool) -> None:
    bench = Bench()
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    bench.server.put(f"{slices}/s-1", {"endpoints": [{"conditions": {"ready": ready}}]})
    service = {"metadata": {"name": "s"}, "spec": {"selector": {"a": "b"}}}
    if works:
        bench.create("kubernetes:core/v1:Service", service)
        assert bench.server.asked("GET")[-1].url.params["labelSelector"] == "kubernetes.io/service-name=s"
    else:
        with pytest.raises(PartialError, match="no ready pod is behind the service"):
            bench.create("kubernetes:core/v1:Service", service, timeout_s=1)
    bench.create("kubernetes:core/v1:Service", {"metadata": {"name": "t"}, "spec": {"clusterIP": "None"}}, timeout_s=1)


def test_a_pods_trouble_is_said_with_its_node() -> None:
    assert trouble(pod("p", "n", running={})) == "pod p on n: kube-proxy runs and is not ready"
    assert trouble(pod("p", "n", terminated={"exitCode": 3, "reason": "Error"})) == "pod p on n: kube-proxy ended with 3: Error"
    pending = {"metadata": {"name": "p"}, "status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}}
    assert trouble(pending) == "pod p on no node yet: Unschedulable"
