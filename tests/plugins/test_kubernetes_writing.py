"""Creating, patching, reading and deleting objects, as the API server sees it."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from lab.plugins.base import UNKNOWN, Properties, ProviderError, State
from lab.plugins.kubernetes import api
from tests.plugins.fake_kubernetes import Bench, FakeServer, refusal

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
PATCH = "kubernetes:core/v1:ConfigMapPatch"
MAPS = "/api/v1/namespaces/kube-system/configmaps"
PROXY = f"{MAPS}/kube-proxy"


def patch(value: str = "new", **annotations: str) -> Properties:
    metadata = {"name": "kube-proxy", "namespace": "kube-system", "annotations": {f"pulumi.com/{name}": text for name, text in annotations.items()}}
    return {"metadata": metadata, "data": {"config.conf": value}}


def with_proxy(**settings: Any) -> Bench:
    bench = Bench(settings=settings)
    bench.server.put(PROXY, {"data": {"config.conf": "old", "other": "stays"}})
    return bench


def body(request: httpx.Request) -> Any:
    return json.loads(request.content)


def test_a_patch_is_one_server_side_apply_to_the_object_that_is_there() -> None:
    bench = with_proxy()
    state = bench.create(PATCH, patch())
    (request,) = bench.server.asked("PATCH")
    assert request.url.path == PROXY
    assert request.headers["Content-Type"] == "application/apply-patch+yaml"
    assert request.headers["Authorization"] == "Bearer hush-hush"
    assert request.url.params["force"] == "false"
    assert body(request)["metadata"]["uid"] == f"uid-of-{PROXY}"
    assert (body(request)["apiVersion"], body(request)["kind"], body(request)["data"]) == ("v1", "ConfigMap", {"config.conf": "new"})
    assert state.id == "kube-system/kube-proxy"
    assert state.outputs["data"] == {"config.conf": "new"}, "a patch records what it owns, not what others do"
    assert state.outputs["__fieldManager"] == request.url.params["fieldManager"]
    assert state.outputs["__fieldManager"].startswith("pulumi-kubernetes-")


@pytest.mark.parametrize(
    ("annotation", "settings", "forced"), [("true", {}, "true"), ("false", {}, "false"), ("", {"enablePatchForce": "true"}, "true")]
)
def test_a_patch_takes_fields_over_when_told_to(annotation: str, settings: Any, forced: str) -> None:
    bench = with_proxy(**settings)
    bench.create(PATCH, patch(patchForce=annotation))
    assert bench.server.asked("PATCH")[0].url.params["force"] == forced


def test_the_field_manager_stays_the_same_unless_the_annotation_names_another() -> None:
    bench = with_proxy()
    first = bench.create(PATCH, patch())
    second = bench.update(PATCH, first, patch("newer"))
    assert second.outputs["__fieldManager"] == first.outputs["__fieldManager"]
    third = bench.update(PATCH, second, patch("newer", patchFieldManager="ops"))
    assert third.outputs["__fieldManager"] == "ops"
    given_up = bench.server.asked("PATCH")[-1]
    assert given_up.url.params["fieldManager"] == first.outputs["__fieldManager"]
    assert "data" not in body(given_up)


def test_a_patch_of_what_is_not_there_is_an_error_and_makes_nothing() -> None:
    bench = Bench()
    with pytest.raises(ProviderError, match="ConfigMap kube-system/kube-proxy is not there"):
        bench.create(PATCH, patch())
    assert bench.server.objects == {}


def test_a_patch_needs_server_side_apply() -> None:
    with pytest.raises(ProviderError, match="enableServerSideApply"):
        with_proxy(enableServerSideApply="false").create(PATCH, patch())


def test_a_conflict_says_who_owns_the_field_and_what_to_do() -> None:
    def conflict(request: httpx.Request) -> httpx.Response | None:
        cause = {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl" using v1', "field": ".data.config.conf"}
        message = 'Apply failed with 1 conflict: conflict with "kubectl" using v1:\n- .data.config.conf'
        return refusal(409, "Conflict", message, causes=[cause]) if request.method == "PATCH" else None

    bench = with_proxy()
    bench.server.before = conflict
    with pytest.raises(ProviderError, match="patchForce") as caught:
        bench.create(PATCH, patch())
    assert '"kubectl"' in str(caught.value)
    assert "\n" not in str(caught.value)


def test_deleting_a_patch_gives_up_its_fields_and_leaves_the_object() -> None:
    bench = with_proxy()
    state = bench.create(PATCH, patch())
    bench.delete(PATCH, state)
    request = bench.server.asked("PATCH")[-1]
    assert request.url.params["fieldManager"] == state.outputs["__fieldManager"]
    assert body(request) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kube-proxy", "namespace": "kube-system", "uid": f"uid-of-{PROXY}"},
    }
    assert bench.server.asked("DELETE") == []


def test_deleting_a_patch_of_what_is_gone_makes_nothing() -> None:
    bench = with_proxy()
    state = bench.create(PATCH, patch())
    bench.server.objects.clear()
    asked = len(bench.server.asked("PATCH"))
    bench.delete(PATCH, state)
    assert len(bench.server.asked("PATCH")) == asked


def test_an_object_is_made_once_and_another_of_its_name_is_an_error() -> None:
    bench = Bench()
    bench.create(CONFIG_MAP, patch())
    assert bench.server.objects[PROXY]["data"] == {"config.conf": "new"}
    with pytest.raises(ProviderError, match="already exists"):
        bench.create(CONFIG_MAP, patch("newer"))
    assert bench.server.objects[PROXY]["data"] == {"config.conf": "new"}


def test_the_provider_may_take_up_objects_that_exist() -> None:
    bench = with_proxy(upsertExistingObjects="true")
    bench.create(CONFIG_MAP, patch())
    assert bench.server.objects[PROXY]["data"]["config.conf"] == "new"


def test_an_object_without_a_name_gets_one() -> None:
    bench = Bench()
    state = bench.create(CONFIG_MAP, {"data": {"a": "b"}})
    (path,) = bench.server.objects
    name = path.rsplit("/", 1)[1]
    assert state.id == f"default/{name}"
    assert name.startswith("name-")
    assert bench.server.objects[path]["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
    updated = bench.update(CONFIG_MAP, state, {"data": {"a": "c"}})
    assert updated.outputs["metadata"]["name"] == name


def test_without_server_side_apply_objects_are_posted_and_merged() -> None:
    bench = Bench(settings={"enableServerSideApply": "false"})
    made: list[Any] = []

    def post(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST":
            return None
        made.append(body(request))
        bench.server.put(f"{MAPS}/kube-proxy", body(request))
        return httpx.Response(201, json=bench.server.objects[PROXY])

    bench.server.before = post
    state = bench.create(CONFIG_MAP, {**patch(), "binaryData": {"a": "YQ=="}})
    assert made[0]["data"] == {"config.conf": "new"}
    bench.update(CONFIG_MAP, state, patch("newer"))
    (request,) = bench.server.asked("PATCH")
    assert request.headers["Content-Type"] == "application/merge-patch+json"
    assert body(request) == {"binaryData": None, "data": {"config.conf": "newer"}}


def test_a_secret_in_the_servers_answer_is_not_shown() -> None:
    bench = Bench()
    bench.server.before = lambda request: refusal(422, "Invalid", 'data.key: Invalid value: "swordfish\\n"') if request.method == "PATCH" else None
    inputs = {"metadata": {"name": "a"}, "data": {"key": "swordfish\n", "open": "Invalid"}}
    with pytest.raises(ProviderError, match=r"\[secret\]") as caught:
        bench.create(CONFIG_MAP, inputs, secrets=frozenset({("data", "key")}))
    assert "swordfish" not in str(caught.value)


def test_a_refresh_of_a_patch_sees_its_own_fields_only() -> None:
    bench = with_proxy()
    state = bench.create(PATCH, patch())
    bench.server.objects[PROXY]["data"]["other"] = "moved"
    same = bench.read(PATCH, state)
    assert same is not None
    assert same.inputs == state.inputs
    bench.server.objects[PROXY]["data"]["config.conf"] = "edited"
    drifted = bench.read(PATCH, state)
    assert drifted is not None
    assert (drifted.inputs or {})["data"] == {"config.conf": "edited"}
    assert dict(bench.resource(PATCH).diff(drifted, state.inputs or {}).changes) == {("data", "config.conf"): "update"}
    del bench.server.objects[PROXY]
    assert bench.read(PATCH, state) is None


def test_a_secrets_text_is_compared_with_what_is_stored() -> None:
    bench = Bench()
    state = bench.create("kubernetes:core/v1:Secret", {"metadata": {"name": "s"}, "stringData": {"key": "one"}})
    path = "/api/v1/namespaces/default/secrets/s"
    bench.server.objects[path]["data"] = {"key": "b25l"}
    same = bench.read("kubernetes:core/v1:Secret", state)
    assert same is not None
    assert (same.inputs or {})["stringData"] == {"key": "one"}
    bench.server.objects[path]["data"] = {"key": "dHdv"}
    drifted = bench.read("kubernetes:core/v1:Secret", state)
    assert drifted is not None
    assert (drifted.inputs or {})["stringData"] == {"key": "two"}


def test_an_object_is_deleted_by_its_uid_and_waited_for() -> None:
    bench = Bench()
    state = bench.create(CONFIG_MAP, patch())
    bench.delete(CONFIG_MAP, state)
    (request,) = bench.server.asked("DELETE")
    assert body(request)["preconditions"] == {"uid": f"uid-of-{PROXY}"}
    assert body(request)["propagationPolicy"] == "Foreground"
    bench.delete(CONFIG_MAP, state)
    assert len(bench.server.asked("DELETE")) == 1, "what is gone is not deleted again"


def test_another_object_of_the_same_name_is_not_deleted() -> None:
    bench = Bench()
    state = bench.create(CONFIG_MAP, patch())
    bench.server.put(PROXY, {"metadata": {"uid": "somebody's"}})
    bench.delete(CONFIG_MAP, state)
    assert bench.server.asked("DELETE") == []
    assert "another object" in bench.log.messages[0][1]


def test_a_deletion_that_does_not_end_says_what_holds_it() -> None:
    bench = Bench()
    state = bench.create("kubernetes:core/v1:Namespace", {"metadata": {"name": "n"}})
    held = {"status": "True", "message": "Some resources are remaining: pods. has 1 resource instances"}
    bench.server.put("/api/v1/namespaces/n", {"metadata": {"finalizers": ["mine/keep"]}, "status": {"conditions": [held]}})
    bench.server.before = lambda request: httpx.Response(200, json={}) if request.method == "DELETE" else None
    with pytest.raises(ProviderError, match=r"was not gone within 1 s: .*mine/keep.*has 1 resource instances"):
        bench.delete("kubernetes:core/v1:Namespace", state, timeout_s=1)


def test_a_server_that_restarts_meanwhile_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_PAUSE_S", 0.01)
    failures = iter(
        [httpx.ConnectError("Connection refused"), refusal(503, "ServiceUnavailable", "busy"), refusal(500, "", "etcdserver: request timed out")]
    )

    def fail(_: httpx.Request) -> httpx.Response | None:
        failure = next(failures, None)
        if isinstance(failure, Exception):
            raise failure
        return failure

    bench = with_proxy()
    bench.server.before = fail
    bench.create(PATCH, patch())
    assert bench.server.objects[PROXY]["data"]["config.conf"] == "new"


def test_a_server_with_another_certificate_is_not_asked_again() -> None:
    def fail(_: httpx.Request) -> httpx.Response | None:
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate")

    bench = with_proxy()
    bench.server.before = fail
    with pytest.raises(ProviderError, match="is not the kubeconfig's"):
        bench.create(PATCH, patch())
    assert len(bench.server.requests) == 1


def unreachable(_: httpx.Request) -> httpx.Response | None:
    raise httpx.ConnectError("[Errno 111] Connection refused")


def test_a_cluster_that_is_gone_is_an_error_unless_the_provider_says_what_to_do() -> None:
    state = with_proxy().create(PATCH, patch())
    gone = FakeServer(before=unreachable)
    with pytest.raises(ProviderError, match="PULUMI_K8S_DELETE_UNREACHABLE"):
        Bench(gone, patience_s=0.1).read(PATCH, state)
    assert Bench(gone, {"deleteUnreachable": "true"}, patience_s=0.1).read(PATCH, state) is None
    assert Bench(gone, {"skipUpdateUnreachable": "true"}, patience_s=0.1).read(PATCH, state) == state
    Bench(gone, {"deleteUnreachable": "true"}, patience_s=0.1).delete(PATCH, state)
    with pytest.raises(ProviderError, match="does not answer"):
        Bench(gone, patience_s=0.1).delete(PATCH, state)


def test_a_preview_without_a_cluster_shows_the_inputs_and_asks_once() -> None:
    bench = Bench(FakeServer(before=unreachable), patience_s=0.1)
    state = State("kube-system/kube-proxy", {"metadata": {"uid": "u"}, "__fieldManager": "m"}, patch())
    resource = bench.resource(CONFIG_MAP)
    shown = resource.planned(patch())
    assert (shown["data"], shown["metadata"]["uid"]) == ({"config.conf": "new"}, UNKNOWN)
    asked = len(bench.server.requests)
    started = time.monotonic()
    assert resource.planned_update(state, patch("newer"))["metadata"]["uid"] == "u"
    assert resource.planned(patch("another"))["data"] == {"config.conf": "another"}
    assert (asked, len(bench.server.requests)) == (1, 1)
    assert time.monotonic() - started < 1
    assert bench.patience == [api.PREVIEW_PATIENCE_S]
    assert api.PREVIEW_PATIENCE_S <= 3


def test_a_preview_with_an_unknown_kubeconfig_or_unknown_inputs_asks_nobody() -> None:
    unknown = Bench(settings={"kubeconfig": UNKNOWN})
    assert unknown.resource(CONFIG_MAP).planned(patch())["data"] == {"config.conf": "new"}
    bench = Bench()
    assert bench.resource("kubernetes:apps/v1:Deployment").planned({"metadata": {"name": "a"}, "spec": UNKNOWN})["status"] is UNKNOWN
    assert bench.resource(PATCH).planned(patch())["data"] == {"config.conf": "new"}
    assert bench.server.requests == unknown.server.requests == []


def test_a_preview_changes_nothing_and_reports_what_the_server_would_refuse() -> None:
    bench = with_proxy()
    state = bench.create(PATCH, patch())
    before = json.dumps(bench.server.objects)
    bench.resource(PATCH).planned_update(state, patch("newer"))
    assert bench.server.asked("PATCH")[-1].url.params["dryRun"] == "All"
    assert json.dumps(bench.server.objects) == before
    causes = [{"reason": "FieldValueInvalid", "message": 'Invalid value: "swordfish"', "field": "data[a]"}]
    bench.server.before = lambda request: refusal(422, "Invalid", 'Invalid value: "swordfish"', causes=causes) if request.method == "PATCH" else None
    with pytest.raises(ProviderError, match=r"data\[a\] \(FieldValueInvalid\)") as caught:
        bench.resource(PATCH).planned_update(state, patch("newer"))
    assert "swordfish" not in str(caught.value)


def test_a_preview_of_what_needs_something_that_is_still_to_come_succeeds() -> None:
    bench = Bench()
    assert bench.resource("kubernetes:example.com/v1:Widget").planned({"metadata": {"name": "a"}})["kind"] == "Widget"
    bench.server.before = lambda request: refusal(404, "NotFound", 'namespaces "n" not found') if request.method == "PATCH" else None
    bench.resource(CONFIG_MAP).planned(patch())
    bench.server.before = lambda _: None
    bench.server.put(PROXY, {})
    bench.resource(CONFIG_MAP).planned(patch())
