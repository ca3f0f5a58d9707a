"""What underlay knows of ingress-nginx' release, against its manifest as published."""

import hashlib
from typing import Any

import pytest
import yaml

from settings.ingress_versions import release_of
from tests.settings.documents import ROOT

RELEASE = release_of("ingress-nginx")
MANIFEST = ROOT.parent / "shared" / "data" / f"ingress-nginx-controller-v{RELEASE.version}-baremetal.yaml"


@pytest.fixture
def published() -> bytes:
    if not MANIFEST.exists():
        pytest.skip(f"{MANIFEST} is not here: ingress-nginx' manifest as published lies in shared/data beside the checkout")
    return MANIFEST.read_bytes()


def test_the_known_sum_is_that_of_the_published_manifest(published: bytes) -> None:
    assert hashlib.sha256(published).hexdigest() == RELEASE.sha256


def test_the_published_manifest_has_the_names_that_underlay_says(published: bytes) -> None:
    objects: list[dict[str, Any]] = [one for one in yaml.safe_load_all(published) if one]
    maps = [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in objects if one["kind"] == "ConfigMap"]
    assert maps == [(RELEASE.namespace, RELEASE.config_map)]
    containers = [container for one in objects if one["kind"] == "Deployment" for container in one["spec"]["template"]["spec"]["containers"]]
    assert {container["image"].split("@")[0].rpartition("/")[2] for container in containers} == {
        f"{image}:v{RELEASE.version}" for image in RELEASE.images
    }
