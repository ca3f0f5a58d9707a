"""The ingress controller's ConfigMap, Service, NGINX and logs, against the stack."""

from typing import Any

import pytest
from made_nodes import CP, ONE, PLAN, TWO, all_passed, failures, found, listing, nodes, plan_of, said, seen, statuses, together, unreachable

from ops.verify.checks import ingress_clients, ingress_config
from ops.verify.model import Check, Seen, Status
from ops.verify.programs import ingress as program
from ops.verify.reading.controllers import DIRECTIVES, directive
from plan import Plan
from render.ingress import config
from render.ingress.server import nginx_conf

CONFIG, EFFECTIVE, FILES = ingress_config.CHECKS
(CLIENTS,) = ingress_clients.CHECKS
KNOBS: dict[str, Any] = {"proxy_body_size_mib": 10, "proxy_read_timeout_s": 120, "worker_processes": 2}
NETWORK: dict[str, Any] = {"kind": "calico", "services": {"load_balancer": ["10.20.128.0/24"]}}
FRONT = plan_of(pod_network=NETWORK, ingress={"expected_response_kib": 64, "nginx": KNOBS, "exposure": {"address": "10.20.128.10"}})
OTHERS = plan_of(ingress={"controller": "configmap-only", "namespace": "edge", "config_map": "edge-nginx", "nginx": KNOBS})


def config_map(plan: Plan, **data: str | None) -> dict[str, Any]:
    assert plan.ingress is not None
    entries: dict[str, str | None] = {**config.entries(plan.ingress), **{key.replace("_", "-"): value for key, value in data.items()}}
    kept = {key: value for key, value in entries.items() if value is not None}
    return {"/api/v1/configmaps": listing({"metadata": {"namespace": plan.ingress.namespace, "name": plan.ingress.config_map}, "data": kept})}


def test_a_config_map_as_declared_passes() -> None:
    assert all_passed(CONFIG, seen(plan=FRONT, api=config_map(FRONT)))
    assert all_passed(CONFIG, seen(plan=OTHERS, api=config_map(OTHERS)))


def test_a_key_that_differs_or_is_missing_is_named() -> None:
    assert failures(CONFIG, seen(plan=FRONT, api=config_map(FRONT, proxy_body_size="1m"))) == {"cluster": "proxy-body-size is '1m', declared '10m'"}
    assert failures(CONFIG, seen(plan=FRONT, api=config_map(FRONT, proxy_body_size=None))) == {
        "cluster": "proxy-body-size is 'unset', declared '10m'"
    }


def test_a_further_key_is_named_where_the_controller_is_ours() -> None:
    assert "use-gzip is 'true'" in failures(CONFIG, seen(plan=FRONT, api=config_map(FRONT, use_gzip="true")))["cluster"]
    assert failures(CONFIG, seen(plan=OTHERS, api=config_map(OTHERS, use_gzip="true"))) == {}


def test_a_config_map_that_is_gone_is_named_and_an_api_that_is_silent_is_not_checked() -> None:
    assert failures(CONFIG, seen(plan=FRONT, api={"/api/v1/configmaps": listing()})) == {"cluster": "it is not there"}
    assert statuses(CONFIG, seen(plan=FRONT)) == {"cluster": Status.NOT_CHECKED}


def controller(plan: Plan, *further: str, without: str = "") -> dict[str, Any]:
    """A node's answer of a controller that runs with the plan's values."""
    assert plan.ingress is not None
    lines = [line for line in nginx_conf(plan.ingress).splitlines() if not without or without not in line]
    directives = program.directives("\n".join([*lines, *further]), set(DIRECTIVES), 400)
    return {"controllers": [{"id": "abc", "directives": directives}], "logs": 1, "counts": {"responses": 0, "requests": 0}}


def on_worker(plan: Plan, answer: Any) -> Seen:
    nothing: dict[str, Any] = {"controllers": [], "logs": 0, "counts": {}}
    return seen(together(nodes("ingress-controller", nothing, plan), {ONE: {"ingress-controller": said(answer)}}), plan=plan)


def test_a_controller_with_the_declared_values_passes() -> None:
    assert statuses(EFFECTIVE, on_worker(FRONT, controller(FRONT))) == {ONE: Status.PASSED}
    assert statuses(EFFECTIVE, on_worker(OTHERS, controller(OTHERS))) == {ONE: Status.PASSED}


def test_an_application_may_have_values_of_its_own_beside_them() -> None:
    assert failures(EFFECTIVE, on_worker(FRONT, controller(FRONT, "  client_max_body_size 99m;"))) == {}


def test_a_value_that_is_not_in_force_is_named() -> None:
    old = controller(FRONT, "    client_max_body_size    1m;", without="client_max_body_size")
    assert failures(EFFECTIVE, on_worker(FRONT, old)) == {ONE: f"client_max_body_size is {1024**2}, declared {10 * 1024**2}"}


def test_a_controller_that_is_mute_and_one_that_is_not_there_are_not_checked() -> None:
    mute: dict[str, Any] = {**controller(FRONT), "controllers": [{"id": "abc", "directives": {}}]}
    assert statuses(EFFECTIVE, on_worker(FRONT, mute)) == {ONE: Status.NOT_CHECKED}
    nobody = seen(nodes("ingress-controller", {"controllers": []}, FRONT), plan=FRONT)
    assert statuses(EFFECTIVE, nobody) == {"cluster": Status.NOT_CHECKED}
    assert statuses(
        EFFECTIVE, seen(together(nodes("ingress-controller", controller(FRONT), FRONT), {TWO: {"ingress-controller": unreachable()}}), plan=FRONT)
    ) == {
        ONE: Status.PASSED,
        TWO: Status.NOT_CHECKED,
    }


@pytest.mark.parametrize("check", [EFFECTIVE, FILES])
def test_where_only_the_config_map_is_ours_and_nothing_runs_it_does_not_apply(check: Check) -> None:
    assert statuses(check, seen(nodes("ingress-controller", {"controllers": []}, OTHERS), plan=OTHERS)) == {"cluster": Status.SKIPPED}


def test_temporary_files_are_counted() -> None:
    assert statuses(FILES, on_worker(FRONT, controller(FRONT))) == {ONE: Status.PASSED}
    spilling = {**controller(FRONT), "counts": {"responses": 12, "requests": 0}}
    assert failures(FILES, on_worker(FRONT, spilling))[ONE].startswith("12 responses and 0 requests went to temporary files")
    (finding,) = found(FILES, on_worker(FRONT, spilling))
    assert [figure.value for figure in finding.figures] == [12, 0]
    assert statuses(FILES, on_worker(FRONT, {**controller(FRONT), "logs": 0})) == {ONE: Status.NOT_CHECKED}


def test_nodes_that_run_no_controller_are_not_asked() -> None:
    (probe,) = EFFECTIVE.probes
    assert probe.script(FRONT, FRONT.nodes[0]) == "echo '{}'", "control planes take no ordinary pods"
    assert "nginx" in probe.script(FRONT, FRONT.nodes[1])
    assert probe.script(PLAN, PLAN.nodes[1]) == "echo '{}'"
    assert CP not in (FRONT.ingress.nodes if FRONT.ingress else ())


def service(**spec: Any) -> dict[str, Any]:
    item = {
        "metadata": {"namespace": "ingress-nginx", "name": "ingress-nginx-controller"},
        "spec": {"type": "LoadBalancer", "externalTrafficPolicy": "Local", **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": spec.get("given", "10.20.128.10")}]}},
    }
    return {"/api/v1/services": listing(item)}


def test_a_service_that_keeps_clients_addresses_passes() -> None:
    assert all_passed(CLIENTS, seen(plan=FRONT, api=service()))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"externalTrafficPolicy": "Cluster"}, "externalTrafficPolicy is Cluster"),
        ({"type": "NodePort"}, "type is NodePort"),
        ({"given": "10.20.128.77"}, "its address is 10.20.128.77, declared 10.20.128.10"),
    ],
)
def test_a_service_that_differs_is_named(spec: dict[str, Any], words: str) -> None:
    assert failures(CLIENTS, seen(plan=FRONT, api=service(**spec))) == {"cluster": words}


def test_a_service_that_is_gone_is_named_and_other_exposures_have_none() -> None:
    assert failures(CLIENTS, seen(plan=FRONT, api={"/api/v1/services": listing()})) == {"cluster": "it is not there"}
    assert statuses(CLIENTS, seen(plan=FRONT)) == {"cluster": Status.NOT_CHECKED}
    assert not CLIENTS.applies(OTHERS)
    assert not CLIENTS.applies(PLAN)


def test_sizes_and_times_are_compared_and_not_their_spelling() -> None:
    assert directive("  proxy_buffers   8 16k;") == directive("proxy_buffers 8 16384;")
    assert directive("keepalive_timeout 75s;") == ("keepalive_timeout", "75")
    assert directive("proxy_read_timeout 2m;") == directive("proxy_read_timeout 120s;")
    assert directive("client_max_body_size 1m;") != directive("client_max_body_size 10m;")


def test_the_program_counts_lines_and_not_their_indentation() -> None:
    text = "http {\n  proxy_buffers  8 16k;\n\tproxy_buffers 8 16k;\n  proxy_pass http://x;\n}\n"
    assert program.directives(text, {"proxy_buffers"}, 10) == {"proxy_buffers 8 16k;": 2}
