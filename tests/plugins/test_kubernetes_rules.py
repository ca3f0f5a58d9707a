"""The kubernetes stand-in's check and diff: what is asked of a program, and which changes replace."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lab.plugins.base import UNKNOWN, ProviderError, Secret, State
from lab.plugins.kubernetes.objects import kind_of
from lab.plugins.kubernetes.provider import KubernetesProvider
from tests.plugins.fake_kubernetes import KUBECONFIG, Bench, FakeServer

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
PATCH = "kubernetes:core/v1:ConfigMapPatch"
DAEMON_SET = "kubernetes:apps/v1:DaemonSet"


def refuse_all(_: Any) -> Any:
    raise AssertionError("check and diff must ask no server")


def bench(**settings: Any) -> Bench:
    return Bench(FakeServer(before=refuse_all), settings)


def inputs(token: str, **fields: Any) -> dict[str, Any]:
    kind = kind_of(token)
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "thing"}, **fields}


def changed(values: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with the value at a dotted path set; None removes it."""
    result = copy.deepcopy(values)
    *way, last = path.split(".")
    place = result
    for name in way:
        place = place.setdefault(name, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return result


@pytest.mark.parametrize(
    ("token", "meant"),
    [
        ("kubernetes:core/v1:ConfigMap", ("v1", "ConfigMap", False)),
        ("kubernetes:apps/v1:DaemonSetPatch", ("apps/v1", "DaemonSet", True)),
        ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", ("rbac.authorization.k8s.io/v1", "ClusterRole", False)),
    ],
)
def test_a_type_means_a_kind(token: str, meant: tuple[str, str, bool]) -> None:
    kind = kind_of(token)
    assert (kind.api_version, kind.kind, kind.patch) == meant


def test_a_custom_kind_may_be_called_a_patch() -> None:
    kind = kind_of("kubernetes:example.com/v1:FilterPatch").of({"apiVersion": "example.com/v1", "kind": "FilterPatch"})
    assert (kind.kind, kind.patch) == ("FilterPatch", False)


@pytest.mark.parametrize("token", ["kubernetes:helm.sh/v3:Release", "kubernetes:yaml:ConfigFile", "kubernetes:kustomize:Directory"])
def test_charts_and_files_are_refused_by_name(token: str) -> None:
    with pytest.raises(ProviderError, match="no charts"):
        KubernetesProvider().resource(token)


def test_a_patch_must_name_its_object() -> None:
    _, failures = bench().resource(PATCH).check({"metadata": {"namespace": "a"}}, {})
    assert [failure.property for failure in failures] == ["metadata.name"]
    assert bench().resource(PATCH).check({"metadata": {"name": UNKNOWN}}, {})[1] == []
    assert bench().resource(PATCH).check({"metadata": UNKNOWN}, {})[1] == []


@pytest.mark.parametrize(
    ("annotation", "value", "part"),
    [
        ("timeoutSeconds", "soon", "whole number"),
        ("waitFor", "Ready", "condition=TYPE"),
        ("waitFor", '["jsonpath={.a}", 3]', "JSON list"),
        ("replaceUnready", "true", "does not take"),
    ],
)
def test_an_annotation_that_makes_no_sense_is_refused_before_anything_is_made(annotation: str, value: str, part: str) -> None:
    _, failures = bench().resource(CONFIG_MAP).check({"metadata": {"annotations": {f"pulumi.com/{annotation}": value}}}, {})
    assert len(failures) == 1
    assert part in failures[0].reason


def test_the_providers_namespace_is_for_objects_that_have_one() -> None:
    there = bench(namespace="apps")
    assert there.resource(CONFIG_MAP).check({"metadata": {"name": "a"}}, {})[0]["metadata"]["namespace"] == "apps"
    assert there.resource(CONFIG_MAP).check({"metadata": {"name": "a", "namespace": "b"}}, {})[0]["metadata"]["namespace"] == "b"
    assert "namespace" not in there.resource("kubernetes:core/v1:Namespace").check({"metadata": {"name": "a"}}, {})[0]["metadata"]
    assert "namespace" not in bench(namespace=UNKNOWN).resource(CONFIG_MAP).check({"metadata": {"name": "a"}}, {})[0]["metadata"]


def test_a_secrets_data_is_secret_though_the_program_does_not_say_so() -> None:
    checked, _ = bench().resource("kubernetes:core/v1:Secret").check({"metadata": {"name": "a"}, "stringData": {"key": "x"}, "type": "Opaque"}, {})
    assert checked["stringData"] == Secret({"key": "x"})
    assert checked["type"] == "Opaque"


WORKLOAD = {"spec": {"selector": {"matchLabels": {"a": "b"}}, "replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}}}


CHANGES: list[tuple[str, dict[str, Any], str, Any, bool]] = [
    (CONFIG_MAP, {"data": {"a": "b"}}, "metadata.name", "other", True),
    (CONFIG_MAP, {"data": {"a": "b"}}, "metadata.namespace", "other", True),
    (CONFIG_MAP, {"data": {"a": "b"}}, "metadata.labels", {"a": "b"}, False),
    (CONFIG_MAP, {"data": {"a": "b"}}, "data.a", "c", True),
    (CONFIG_MAP, {"data": {"a": "b"}}, "data", None, True),
    (PATCH, {"data": {"a": "b"}}, "data.a", "c", False),
    (PATCH, {"data": {"a": "b"}}, "metadata.name", "other", True),
    ("kubernetes:core/v1:Secret", {"stringData": {"a": "b"}}, "stringData.a", "c", True),
    ("kubernetes:core/v1:Secret", {"type": "Opaque"}, "type", "other", True),
    (DAEMON_SET, WORKLOAD, "spec.selector.matchLabels.a", "c", True),
    (DAEMON_SET, WORKLOAD, "spec.template.spec.containers", [{"name": "c", "image": "i:2"}], False),
    ("kubernetes:apps/v1:DaemonSetPatch", WORKLOAD, "spec.selector.matchLabels.a", "c", False),
    ("kubernetes:apps/v1:Deployment", WORKLOAD, "spec.replicas", 2, False),
    ("kubernetes:apps/v1:StatefulSet", WORKLOAD, "spec.serviceName", "other", True),
    ("kubernetes:batch/v1:Job", WORKLOAD, "spec.template.spec.containers", [{"name": "c", "image": "i:2"}], True),
    ("kubernetes:core/v1:Service", {"spec": {"clusterIP": "10.0.0.1"}}, "spec.clusterIP", "10.0.0.2", True),
    ("kubernetes:core/v1:Service", {"spec": {"clusterIP": "10.0.0.1"}}, "spec.ports", [{"port": 1}], False),
    ("kubernetes:core/v1:Pod", {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}, "spec.nodeName", "n", True),
    ("kubernetes:core/v1:Pod", {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}, "spec.tolerations", [{}], False),
    ("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", {"roleRef": {"name": "a"}}, "roleRef.name", "b", True),
]


@pytest.mark.parametrize(("token", "fields", "path", "value", "replaces"), CHANGES)
def test_a_change_replaces_what_the_server_would_not_change(token: str, fields: dict[str, Any], path: str, value: Any, replaces: bool) -> None:
    before = inputs(token, **fields)
    difference = bench().resource(token).diff(State("default/thing", {}, before), changed(before, path, value))
    assert difference.changes
    assert bool(difference.replaces) is replaces


@pytest.mark.parametrize(("token", "setting"), [(CONFIG_MAP, "enableConfigMapMutable"), ("kubernetes:core/v1:Secret", "enableSecretMutable")])
def test_data_changes_in_place_where_the_provider_allows_it_and_the_object_does_not_forbid_it(token: str, setting: str) -> None:
    mutable = bench(**{setting: "true"}).resource(token)
    before = inputs(token, data={"a": "b"})
    assert not mutable.diff(State("default/thing", {}, before), changed(before, "data.a", "c")).replaces
    fixed = {**before, "immutable": True}
    assert mutable.diff(State("default/thing", {}, fixed), changed(fixed, "data.a", "c")).replaces == {("data", "a")}


def test_what_is_unchanged_differs_in_nothing_and_the_default_namespace_is_no_change() -> None:
    before = inputs(CONFIG_MAP, data={"a": "b"})
    assert not bench().resource(CONFIG_MAP).diff(State("default/thing", {}, before), copy.deepcopy(before)).changes
    named = changed(before, "metadata.namespace", "default")
    assert not bench().resource(CONFIG_MAP).diff(State("default/thing", {}, before), named).changes


def test_a_fixed_name_is_freed_before_it_is_used_again() -> None:
    before = inputs(CONFIG_MAP, data={"a": "b"})
    resource, state = bench().resource(CONFIG_MAP), State("default/thing", {}, inputs(CONFIG_MAP, data={"a": "b"}))
    assert resource.diff(state, changed(before, "data.a", "c")).delete_before_replace
    assert not resource.diff(state, changed(before, "metadata.name", "other")).delete_before_replace
    unnamed = changed(before, "metadata.name", None)
    assert not resource.diff(State("default/thing-1", {}, unnamed), changed(unnamed, "data.a", "c")).delete_before_replace


def test_an_unknown_counts_as_a_change_and_breaks_nothing() -> None:
    before = inputs(CONFIG_MAP, data={"a": "b"})
    resource, state = bench(enableConfigMapMutable="true").resource(CONFIG_MAP), State("default/thing", {}, before)
    assert dict(resource.diff(state, changed(before, "data.a", UNKNOWN)).changes) == {("data", "a"): "update"}
    assert resource.diff(state, changed(before, "metadata.namespace", UNKNOWN)).replaces
    assert resource.diff(state, {**before, "metadata": UNKNOWN}).changes


def test_another_cluster_replaces_and_another_certificate_does_not() -> None:
    provider = KubernetesProvider()
    renewed = KUBECONFIG.replace("hush-hush", "another")
    moved = KUBECONFIG.replace("127.0.0.1", "127.0.0.2")
    assert not provider.diff_config({"kubeconfig": KUBECONFIG}, {"kubeconfig": KUBECONFIG}).changes
    assert not provider.diff_config({"kubeconfig": KUBECONFIG}, {"kubeconfig": renewed}).replaces
    assert provider.diff_config({"kubeconfig": KUBECONFIG}, {"kubeconfig": moved}).replaces
    assert provider.diff_config({"kubeconfig": KUBECONFIG}, {"kubeconfig": UNKNOWN}).replaces
    same = {"clusterIdentifier": "one"}
    assert not provider.diff_config({"kubeconfig": KUBECONFIG, **same}, {"kubeconfig": moved, **same}).replaces
    assert not provider.diff_config({"kubeconfig": KUBECONFIG, **same}, {"kubeconfig": UNKNOWN, **same}).replaces
    assert provider.diff_config({"kubeconfig": KUBECONFIG, **same}, {"kubeconfig": KUBECONFIG, "clusterIdentifier": "two"}).replaces


def test_a_setting_that_only_the_vendors_plugin_has_is_refused() -> None:
    provider = KubernetesProvider()
    assert [failure.property for failure in provider.check_config({"renderYamlToDirectory": "out", "kubeconfig": "x"})] == ["renderYamlToDirectory"]
    assert [failure.property for failure in provider.check_config({"kubeconf": "x"})] == ["kubeconf"]
