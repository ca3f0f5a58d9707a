"""The sums that underlay knows, against the manifests as published."""

import hashlib

import pytest

from settings.calico_versions import API_SERVER_MANIFEST, MANIFEST, SUMS
from tests.settings.documents import ROOT

PUBLISHED = ROOT.parent / "shared" / "data"
NAMES = {MANIFEST: "calico", API_SERVER_MANIFEST: "calico-apiserver"}


@pytest.mark.parametrize(("version", "file"), SUMS, ids=lambda value: value)
def test_a_known_sum_is_that_of_the_published_manifest(version: str, file: str) -> None:
    path = PUBLISHED / f"{NAMES[file]}-v{version}.yaml"
    if not path.exists():
        pytest.skip(f"{path} is not here: Calico's manifests as published lie in shared/data beside the checkout")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SUMS[version, file]
