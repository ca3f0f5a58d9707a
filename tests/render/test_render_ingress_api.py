"""A real API server takes every object of the ingress controllers and keeps every field; what it keeps in another form would differ for ever."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from calico_plans import listed
from f5_shape import F5_DAEMON_SET, F5_YAML
from ingress_plans import CONFIG_MAP_ONLY, EXTERNAL, F5_INGRESSES, INGRESSES, f5_plan, ingress_plan_of, nginx_plan, nginx_yaml
from kept_fields import lost

from render.ingress import manifest
from tests.plugins.native_cluster import NativeCluster, native_cluster

pytestmark = pytest.mark.engine
APPLY = ("apply", "--server-side", "--validate=strict", "--force-conflicts", "-o", "json", "-f", "-")
FIRST = ("Namespace", "CustomResourceDefinition")


@pytest.fixture(scope="module")
def cluster() -> Iterator[NativeCluster]:
    with native_cluster() as made:
        yield made


def losses(cluster: NativeCluster, things: tuple[dict[str, Any], ...]) -> list[str]:
    """What the server did not keep of these objects, after it took them all."""
    cluster.kubectl("delete", "ingressclass", "--all")  # a class never changes its controller
    found: list[str] = []
    groups = ([thing for thing in things if thing["kind"] in FIRST], [thing for thing in things if thing["kind"] not in FIRST])
    for group in filter(None, groups):
        answer = json.loads(cluster.kubectl(*APPLY, stdin=listed(group)))
        kept: list[dict[str, Any]] = answer.get("items", [answer])  # kubectl prints one object as it is
        assert [(thing["kind"], thing["metadata"]["name"]) for thing in kept] == [(thing["kind"], thing["metadata"]["name"]) for thing in group]
        found += [loss for one, other in zip(group, kept, strict=True) for loss in lost(one, other, f"{one['kind']}/{one['metadata']['name']}")]
    return found


@pytest.mark.parametrize("name", INGRESSES)
def test_the_server_takes_every_object_of_ingress_nginx_and_keeps_every_field(cluster: NativeCluster, name: str) -> None:
    things = manifest.objects(nginx_plan(name), nginx_yaml())
    assert losses(cluster, things) == []


@pytest.mark.parametrize("name", F5_INGRESSES)
@pytest.mark.parametrize("text", [F5_YAML, F5_DAEMON_SET], ids=["Deployment", "DaemonSet"])
def test_the_server_takes_every_object_in_f5s_shape_and_keeps_every_field(cluster: NativeCluster, name: str, text: str) -> None:
    things = manifest.objects(f5_plan(name), text)
    assert losses(cluster, things) == []


def test_the_server_takes_the_config_map_alone(cluster: NativeCluster) -> None:
    assert losses(cluster, manifest.objects(ingress_plan_of(EXTERNAL, CONFIG_MAP_ONLY), "")) == []


def test_a_class_never_changes_its_controller(cluster: NativeCluster) -> None:
    """Why the component ends one class before it makes the next of that name."""
    classes = [
        next(thing for thing in things if thing["kind"] == "IngressClass")
        for things in (manifest.objects(nginx_plan("load-balancer"), nginx_yaml()), manifest.objects(f5_plan("load-balancer"), F5_YAML))
    ]
    assert classes[0]["metadata"]["name"] == classes[1]["metadata"]["name"]
    assert losses(cluster, (classes[0],)) == []
    said = cluster.refused(*APPLY, stdin=json.dumps(classes[1]))
    assert "spec.controller" in said
    assert "immutable" in said


def test_every_exposure_can_become_every_other_in_place(cluster: NativeCluster) -> None:
    """A Service's fields depend on its type: what one type leaves behind must not stop the next."""
    for name in ("load-balancer", "node-port", "load-balancer"):
        service = [thing for thing in manifest.objects(nginx_plan(name), nginx_yaml()) if thing["kind"] == "Service"]
        spaces = [thing for thing in manifest.objects(nginx_plan(name), nginx_yaml()) if thing["kind"] == "Namespace"]
        assert losses(cluster, (*spaces, *service)) == []
        kept = cluster.get("service", "ingress-nginx-controller", "-n", "ingress-nginx")["spec"]
        ports = {port["name"]: port.get("nodePort") for port in kept["ports"]}
        if name == "node-port":
            assert ports == {"http": 30080, "https": 30443}
            assert "allocateLoadBalancerNodePorts" not in kept
        assert kept["healthCheckNodePort"] if name == "load-balancer" else "healthCheckNodePort" not in kept
