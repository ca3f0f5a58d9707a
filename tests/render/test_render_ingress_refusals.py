"""Manifests of ingress controllers that do not look as underlay knows them: named, and never skipped."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from calico_plans import parsed
from f5_shape import F5_YAML
from ingress_plans import f5, nginx_plan, nginx_yaml, one

from render.ingress import manifest
from render.published import ManifestError
from render.text import documents

Spoil = Callable[[dict[str, Any]], object]
PLACES: dict[str, tuple[str, str, Spoil, str]] = {
    "preStop": ("Deployment", "ingress-nginx-controller", lambda pod: pod["containers"][0].pop("lifecycle"), "[controller].lifecycle is not there"),
    "container": ("Deployment", "ingress-nginx-controller", lambda pod: pod["containers"][0].update(name="x"), "containers[controller] is not there"),
    "flags": ("Deployment", "ingress-nginx-controller", lambda pod: pod["containers"][0].pop("args"), "[controller].args is not there"),
    "ports": ("Deployment", "ingress-nginx-controller", lambda pod: pod["containers"][0].pop("ports"), "[controller].ports is not there"),
    "probe": ("Deployment", "ingress-nginx-controller", lambda pod: pod["containers"][0].pop("livenessProbe"), "livenessProbe is not there"),
    "image": ("Deployment", "ingress-nginx-controller", lambda pod: pod["containers"][0].pop("image"), "[controller].image is not there"),
    "grace": (
        "Deployment",
        "ingress-nginx-controller",
        lambda pod: pod.pop("terminationGracePeriodSeconds"),
        "spec.terminationGracePeriodSeconds is not there",
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_is_missing_is_named_and_never_skipped(place: str) -> None:
    kind, name, spoil, message = PLACES[place]
    things = parsed(nginx_yaml())
    spoil(one(tuple(things), kind, name)["spec"]["template"]["spec"])
    with pytest.raises(ManifestError, match=re.escape(message)):
        manifest.objects(nginx_plan("load-balancer"), documents(things))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ConfigMap", "ingress-nginx-controller"),
        ("Service", "ingress-nginx-controller"),
        ("Service", "ingress-nginx-controller-admission"),
        ("IngressClass", "nginx"),
        ("Job", "ingress-nginx-admission-create"),
        ("ClusterRole", "ingress-nginx-admission"),
        ("ValidatingWebhookConfiguration", "ingress-nginx-admission"),
        ("Namespace", "ingress-nginx"),
    ],
)
def test_an_object_that_is_missing_is_named(kind: str, name: str) -> None:
    things = parsed(nginx_yaml())
    things.remove(one(tuple(things), kind, name))
    with pytest.raises(ManifestError, match=re.escape(f"ingress-nginx' manifest: has 0 objects {kind}/{name}, needed 1")):
        manifest.objects(nginx_plan("load-balancer"), documents(things))


@pytest.mark.parametrize(("kind", "name"), [("ConfigMap", "nginx-config"), ("Namespace", "nginx-ingress"), ("Deployment", "nginx-ingress")])
def test_an_object_that_a_manifest_in_f5s_shape_lacks_is_named(kind: str, name: str) -> None:
    things = parsed(F5_YAML)
    things.remove(one(tuple(things), kind, name))
    with pytest.raises(ManifestError, match=re.escape(f"the manifest of F5's controller: has 0 objects {kind}/{name}, needed 1")):
        f5(documents(things))


def test_a_manifest_of_another_version_is_refused_with_the_setting_to_change() -> None:
    with pytest.raises(ManifestError, match=re.escape("wanted v1.15.1 (ingress.version); name the manifest of that version")):
        manifest.objects(nginx_plan("load-balancer"), nginx_yaml().replace("controller:v1.15.1", "controller:v1.14.0"))
    with pytest.raises(ManifestError, match=re.escape("wanted 5.5.4 (ingress.version)")):
        f5(F5_YAML.replace(":5.5.4", ":5.4.0"))


def test_the_wrong_controllers_manifest_is_refused() -> None:
    with pytest.raises(ManifestError, match=re.escape("has 0 objects Deployment/ingress-nginx-controller")):
        manifest.objects(nginx_plan("load-balancer"), F5_YAML)
    with pytest.raises(ManifestError, match=re.escape("has 0 objects Deployment/nginx-ingress")):
        f5(nginx_yaml())
