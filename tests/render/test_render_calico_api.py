"""A real API server with Calico's own definitions: it takes every object and keeps every field, and what it refuses our settings refuse before."""

import json
from typing import Any

import pytest
from calico_plans import EVERYTHING, MESH, NETWORKS, REFLECTORS, VERSIONS, api_server_yaml, calico_yaml, listed, plan, written
from kept_fields import lost
from render_plans import FULL

from render.calico import access, api_server, manifest, v3
from tests.plugins.native_cluster import NativeCluster

pytestmark = pytest.mark.engine


FURTHER: dict[str, dict[str, Any]] = {
    "vxlan": {**MESH, "encapsulation": {"protocol": "vxlan", "when": "always"}, "bgp": {"restart_time_s": 120}},
    "nftables": REFLECTORS,
    "many pods": MESH,
    "largest AS": {**MESH, "bgp": {"as_number": 2147483647, "routers": {"tor": {"address": "10.20.0.231", "as_number": 2147483646}}}},
}
AREAS: dict[str, dict[str, Any]] = {
    "nftables": {"kube_proxy": {"mode": "nftables"}},
    "many pods": {"cluster": {**FULL["cluster"], "kubelet": {"maxPods": 2000}, "api_server": {"args": {"service-node-port-range": "20000-22767"}}}},
}


@pytest.mark.parametrize("name", [*NETWORKS, *FURTHER])
def test_the_server_takes_every_setting_and_keeps_every_field(calico_cluster: NativeCluster, name: str) -> None:
    things = [written(thing) for thing in v3.objects(plan({**NETWORKS, **FURTHER}[name], "3.32.1", **AREAS.get(name, {})))]
    sent = listed(things)
    calico_cluster.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=sent)
    try:
        kept = json.loads(calico_cluster.kubectl("get", "-o", "json", "-f", "-", stdin=sent))["items"]
        assert [(thing["kind"], thing["metadata"]["name"]) for thing in kept] == [(thing["kind"], thing["metadata"]["name"]) for thing in things]
        assert [loss for one, other in zip(things, kept, strict=True) for loss in lost(one["spec"], other["spec"], one["metadata"]["name"])] == []
    finally:
        calico_cluster.kubectl("delete", "-f", "-", stdin=sent)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_server_takes_every_object_of_the_manifests_and_keeps_every_field(calico_cluster: NativeCluster, version: str) -> None:
    network = plan(EVERYTHING, version)
    things = [*manifest.objects(network, calico_yaml(version)), *access.objects(network), *api_server.objects(network, api_server_yaml(version))]
    service = next(thing for thing in things if thing["kind"] == "APIService")  # it would take the group from the definitions
    spaces = [thing for thing in things if thing["kind"] == "Namespace"]
    others = [thing for thing in things if thing not in (service, *spaces)]
    calico_cluster.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=listed(spaces))
    answer = calico_cluster.kubectl("apply", "--server-side", "--validate=strict", "--force-conflicts", "-o", "json", "-f", "-", stdin=listed(others))
    kept: list[dict[str, Any]] = json.loads(answer)["items"]
    assert [(thing["kind"], thing["metadata"]["name"]) for thing in kept] == [(thing["kind"], thing["metadata"]["name"]) for thing in others]
    losses = [loss for one, other in zip(others, kept, strict=True) for loss in lost(one, other, f"{one['kind']}/{one['metadata']['name']}")]
    unsaid = ".readOnly: False became '(nothing)'"  # as published; Kubernetes leaves a mount's default out
    assert [loss for loss in losses if not loss.endswith(unsaid)] == []
    answer = calico_cluster.kubectl(
        "apply", "--server-side", "--validate=strict", "--force-conflicts", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(service)
    )
    assert lost(service, json.loads(answer)) == []
