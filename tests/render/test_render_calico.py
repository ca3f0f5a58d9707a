"""Calico's objects as a reviewer sees them change: settings in projectcalico.org/v3, and what is set in the published manifests."""

from collections.abc import Callable

import pytest
from calico_plans import EVERYTHING, MESH, NETWORKS, VERSIONS, api_server_yaml, calico_yaml, plan
from golden_calico import changes

from plan import Plan
from render.calico import access, api_server, manifest, v3
from render.text import document, documents

Golden = Callable[[str, str], None]


def settings_text(network: Plan) -> str:
    return documents(
        {"kind": thing.kind, "name": thing.name, "made_by_calico": thing.made_by_calico, "spec": thing.spec} for thing in v3.objects(network)
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_settings_are_as_reviewed(name: str, golden: Golden) -> None:
    texts = {settings_text(plan(NETWORKS[name], version)) for version in VERSIONS}
    assert len(texts) == 1, "Calico's settings depend on its version"
    golden(f"calico-v3-{name}.yaml", texts.pop())


@pytest.mark.parametrize("name", ["mesh", "everything"])
@pytest.mark.parametrize("version", VERSIONS)
def test_changes_to_the_manifest_are_as_reviewed(name: str, version: str, golden: Golden) -> None:
    text = calico_yaml(version)
    golden(f"calico-manifest-{name}-{version}.yaml", document(changes(text, manifest.objects(plan(NETWORKS[name], version), text))))


@pytest.mark.parametrize("version", VERSIONS)
def test_changes_to_the_api_server_are_as_reviewed(version: str, golden: Golden) -> None:
    text = api_server_yaml(version)
    golden(f"calico-api-server-{version}.yaml", document(changes(text, api_server.objects(plan(EVERYTHING, version), text))))


def test_access_to_passwords_is_as_reviewed(golden: Golden) -> None:
    golden("calico-access.yaml", documents(access.objects(plan(NETWORKS["routers"]))))


def test_who_has_no_password_opens_no_secret() -> None:
    assert access.objects(plan(MESH)) == ()


def test_an_upgrade_keeps_the_identity_of_every_object_that_stays() -> None:
    old, new = (manifest.objects(plan(MESH, version), calico_yaml(version)) for version in VERSIONS)
    kept = {(thing["apiVersion"], thing["kind"], thing["metadata"].get("namespace"), thing["metadata"]["name"]) for thing in old}
    names = [(thing["apiVersion"], thing["kind"], thing["metadata"].get("namespace"), thing["metadata"]["name"]) for thing in new]
    assert len(names) == len(set(names))
    immutable = {"DaemonSet", "Deployment", "ConfigMap", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "PodDisruptionBudget"}
    assert {name for name in kept if name[1] in immutable} <= set(names)
    for kind, where in (("DaemonSet", "calico-node"), ("Deployment", "calico-kube-controllers")):
        before, after = (next(x for x in things if x["kind"] == kind and x["metadata"]["name"] == where) for things in (old, new))
        assert before["spec"]["selector"] == after["spec"]["selector"], "a changed selector means another DaemonSet"
