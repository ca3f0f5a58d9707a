"""The ingress controllers as a reviewer sees them change: what is set in their manifests, and their ConfigMaps."""

from collections.abc import Callable

import pytest
from calico_plans import parsed
from f5_shape import F5_DAEMON_SET, F5_YAML
from golden_calico import changes
from ingress_plans import CONFIG_MAP_ONLY, EXTERNAL, F5_INGRESSES, INGRESSES, MANIFEST, f5_plan, ingress_plan_of, nginx, nginx_plan, nginx_yaml

from plan import Plan
from render.ingress import manifest
from render.text import document, documents

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", INGRESSES)
def test_changes_to_the_manifest_of_ingress_nginx_are_as_reviewed(name: str, golden: Golden) -> None:
    golden(f"ingress-nginx-{name}.yaml", document(changes(nginx_yaml(), manifest.objects(nginx_plan(name), nginx_yaml()))))


@pytest.mark.parametrize("name", F5_INGRESSES)
def test_changes_to_a_manifest_in_the_shape_of_f5s_are_as_reviewed(name: str, golden: Golden) -> None:
    golden(f"ingress-f5-{name}.yaml", document(changes(F5_YAML, manifest.objects(f5_plan(name), F5_YAML))))


def test_changes_to_a_daemon_set_in_the_shape_of_f5s_are_as_reviewed(golden: Golden) -> None:
    golden("ingress-f5-daemon-set.yaml", document(changes(F5_DAEMON_SET, manifest.objects(f5_plan("load-balancer"), F5_DAEMON_SET))))


def test_the_config_map_alone_is_as_reviewed(golden: Golden) -> None:
    golden("ingress-config-map-only.yaml", documents(manifest.objects(ingress_plan_of(EXTERNAL, CONFIG_MAP_ONLY), "")))


@pytest.mark.parametrize(("whole", "text"), [(nginx_plan, nginx_yaml), (f5_plan, lambda: F5_YAML)])
def test_a_reload_is_enough_for_another_tuning(whole: Callable[[str], Plan], text: Callable[[], str]) -> None:
    name = "load-balancer"
    network, ingress = (INGRESSES if whole is nginx_plan else F5_INGRESSES)[name]
    more = {**ingress, "expected_response_kib": 256}
    if whole is f5_plan:
        more |= {"controller": "f5-nginx", "manifest": MANIFEST}
    before, after = manifest.objects(whole(name), text()), manifest.objects(ingress_plan_of(network, more), text())
    differing = [one["kind"] for one, other in zip(before, after, strict=True) if one != other]
    assert differing == ["ConfigMap"]


def test_what_is_not_named_stays_as_published() -> None:
    before = {(thing["kind"], thing["metadata"]["name"]): thing for thing in parsed(nginx_yaml())}
    after = {(thing["kind"], thing["metadata"]["name"]): thing for thing in nginx(expected_response_kib=64)}
    same = {key for key in before.keys() & after.keys() if before[key] == after[key]}
    assert before.keys() & after.keys() - same == {
        ("ConfigMap", "ingress-nginx-controller"),
        ("Service", "ingress-nginx-controller"),
        ("Deployment", "ingress-nginx-controller"),
    }
    assert len(same) == 9
