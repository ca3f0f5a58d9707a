"""Calico's component under the real engine: told once, looked at from many sides."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.calico_story import MISSING, NEEDED, NEW, OLD, PASSWORD, Story, Teller, environment, prepare
from tests.plugins.native_cluster import native_cluster
from tests.plugins.pulumi_project import CHECKOUT, Project, engine

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(engine() is None, reason="no pulumi CLI"),
    pytest.mark.skipif(bool(MISSING), reason=f"Calico's manifests as published are not here: {', '.join(map(str, MISSING))}"),
]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("calico")
    with native_cluster() as cluster:
        prepare(cluster)
        teller = Teller(folder, cluster)
        told = teller.story
        teller.declare(OLD, "mesh")
        teller.keep_passwords()
        teller.reach(1)
        told.plans["without a cluster"] = teller.project.planned()
        teller.reach(cluster.port)
        teller.up("old")
        teller.declare(NEW, "mesh")
        teller.up("new")
        teller.declare(NEW, "route-reflectors")
        teller.up("reflectors")
        teller.declare(NEW, "mesh")
        teller.up("back")
        told.secret = cluster.get("secret", "underlay-bgp-passwords", "-n", "kube-system")
        told.state = teller.project.raw_state()
        teller.declare(OLD, "mesh")
        teller.up("old again")
        cluster.stop_api()
        told.said["gone"] = teller.project.run("destroy", "--yes", "--skip-preview")
        yield told


def test_a_preview_shows_every_object_without_a_cluster(story: Story) -> None:
    planned = story.plans["without a cluster"]
    assert planned == story.plans["old"]
    assert set(planned.values()) == {"create"}
    manifest = [thing for thing in yaml.safe_load_all(NEEDED[0].read_text()) if thing]
    names = {f"oslo-calico-{thing['kind'].lower()}-{thing['metadata']['name']}" for thing in manifest}
    assert names <= planned.keys()
    assert {"oslo-calico-bgpconfiguration-default", "oslo-calico-bgppeer-router-tor-osl1a"} <= planned.keys()


def test_a_second_preview_finds_nothing_to_do(story: Story) -> None:
    for stage in ("old", "new", "reflectors", "back", "old again"):
        assert story.plans[f"after {stage}"] == {}, stage


def test_an_upgrade_updates_in_place_and_no_object_is_made_anew(story: Story) -> None:
    planned = story.plans["new"]
    assert {"oslo-calico-daemonset-calico-node", "oslo-calico-deployment-calico-kube-controllers"} <= planned.keys()
    dropped = {name for name, step in planned.items() if step not in {"update", "create"}}
    assert {planned[name] for name in dropped} <= {"delete"}
    # the two definitions that 3.32 no longer has leave the state and stay in the cluster
    assert dropped == {
        f"oslo-calico-customresourcedefinition-{name}.policy.networking.k8s.io" for name in ("adminnetworkpolicies", "baselineadminnetworkpolicies")
    }
    created = {name for name, step in planned.items() if step == "create"}
    assert created == {"oslo-calico-customresourcedefinition-clusternetworkpolicies.policy.networking.k8s.io"}
    before, after = story.identities["old"], story.identities["new"]
    assert len(before) > 50
    assert {name: after.get(name) for name in before.keys() - dropped} == {name: before[name] for name in before.keys() - dropped}


def test_definitions_that_a_new_version_lacks_stay_with_their_objects(story: Story) -> None:
    said = story.said["new"].text
    assert "baselineadminnetworkpolicies" in said
    assert "retain" in said


def test_the_way_back_to_the_old_version_takes_over_what_was_left(story: Story) -> None:
    planned = story.plans["old again"]
    assert {name for name, step in planned.items() if step == "create"} == {
        f"oslo-calico-customresourcedefinition-{name}.policy.networking.k8s.io" for name in ("adminnetworkpolicies", "baselineadminnetworkpolicies")
    }
    kept = story.identities["old"]
    assert {name: uid for name, uid in story.identities["old again"].items() if name in kept} == kept


def order(text: str, *events: tuple[str, str]) -> list[int]:
    """Where each event, a name and a word, first stands in what the engine said."""
    lines = text.splitlines()
    found = [next((index for index, line in enumerate(lines) if name in line and word in line), -1) for name, word in events]
    assert -1 not in found, f"{events}: {found}\n{text}"
    return found


def test_the_mesh_goes_when_peers_and_reflectors_are_there(story: Story) -> None:
    planned = story.plans["reflectors"]
    reflectors = {f"oslo-calico-node-oslo-cp-{number}" for number in (1, 2, 3)}
    assert {name for name, step in planned.items() if step == "create"} >= {*reflectors, "oslo-calico-bgppeer-clients-of-osl"}
    assert {name: step for name, step in planned.items() if step != "create"} == {"oslo-calico-bgpconfiguration-default": "update"}
    made = [(name, "created") for name, step in planned.items() if step == "create"]
    *before, switched = order(story.said["reflectors"].text, *made, ("bgpconfiguration-default", "updating"))
    assert max(before) < switched
    assert story.live["new"]["nodeToNodeMeshEnabled"] is True
    assert story.live["reflectors"]["nodeToNodeMeshEnabled"] is False
    assert story.nodes["reflectors"]["labels"]["underlay.dev/route-reflector"] == "osl"
    assert story.nodes["reflectors"]["annotations"]["projectcalico.org/RouteReflectorClusterID"] == "10.20.0.250"


def test_the_mesh_is_back_before_its_reflectors_are_none_any_more(story: Story) -> None:
    gone = [(name, "deleting") for name, step in story.plans["back"].items() if step == "delete"]
    assert len(gone) >= 4
    switched, *after = order(story.said["back"].text, ("bgpconfiguration-default", "updated"), *gone)
    assert switched < min(after)
    assert story.live["back"]["nodeToNodeMeshEnabled"] is True
    assert "underlay.dev/route-reflector" not in story.nodes["back"].get("labels", {})
    assert "projectcalico.org/RouteReflectorClusterID" not in story.nodes["back"].get("annotations", {})


def test_passwords_reach_the_cluster_and_are_in_no_state_and_no_output(story: Story) -> None:
    found = {name: base64.b64decode(value).decode() for name, value in story.secret["data"].items()}
    assert found == {name: PASSWORD.format(name) for name in found}
    assert len(found) == 6
    forms = ["hush-hush", *story.secret["data"].values()]
    for text in (story.state, *(outcome.text for outcome in story.said.values())):
        assert [form for form in forms if form in text] == []


def test_an_environment_goes_without_asking_its_dead_api_server(story: Story) -> None:
    assert story.said["gone"].code == 0, story.said["gone"].text


@pytest.mark.parametrize(
    ("sha256", "expected"),
    [
        ("0" * 64, (f"pod_network.calico.manifest: {NEEDED[1]} has SHA-256", "nothing was changed")),
        ("", ("underlay:bgp_passwords.tor-osl1a is missing", "pulumi config set --secret --path underlay:bgp_passwords.tor-osl3b`")),
    ],
    ids=["a wrong sum", "no passwords"],
)
def test_a_mistake_beside_the_settings_stops_the_program_before_anything_changes(tmp_path: Path, sha256: str, expected: tuple[str, str]) -> None:
    project = Project(tmp_path / "project")
    project.write(
        f"import runpy, sys\nsys.path.insert(0, {str(CHECKOUT)!r})\nrunpy.run_path({str(CHECKOUT / '__main__.py')!r}, run_name='__main__')\n"
    )
    declared = environment(tmp_path, NEW, "mesh")
    declared["pod_network"]["calico"]["manifest"]["sha256"] = sha256 or declared["pod_network"]["calico"]["manifest"]["sha256"]
    stack = project.folder / "Pulumi.test.yaml"
    kept: dict[str, Any] = yaml.safe_load(stack.read_text()) if stack.exists() else {}
    stack.write_text(yaml.safe_dump({**kept, "config": {"underlay:environment": declared}}))
    for words in (("preview",), ("up", "--yes", "--skip-preview")):
        outcome = project.run(*words)
        assert outcome.code != 0
        assert [text for text in expected if text not in outcome.text] == [], outcome.text
        assert "Traceback" not in outcome.text
    assert [resource for resource in project.state().values() if resource["type"] != "pulumi:pulumi:Stack"] == []
