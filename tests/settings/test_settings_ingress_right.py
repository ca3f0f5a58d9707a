"""The ingress: choices that are right and warn of nothing, on each controller."""

import pytest
import yaml

from tests.settings.documents import Tree
from tests.settings.ingress_environments import F5, warnings


def test_f5_says_what_a_profile_cannot_give_it() -> None:
    assert warnings({**F5, "profile": "downloads", "expected_connections": 500}) == [
        (
            "ingress.profile: is downloads, of which F5's NGINX Ingress Controller has no key for proxy_request_buffering, client_body_timeout_s, "
            "ssl_buffer_size_kib: they stay as they are"
        ),
        "ingress.nginx: says what F5's NGINX Ingress Controller 5.5.4 does by itself: proxy_buffering true (profile downloads); it changes nothing",
    ]


def test_the_tuning_of_2019_is_no_loss_on_f5() -> None:
    assert warnings({**F5, "profile": "reference"}) == [
        "ingress.nginx: says what F5's NGINX Ingress Controller 5.5.4 does by itself: keep_alive_s 75 (profile reference); it changes nothing"
    ]


RIGHT: dict[str, str] = {
    "as it comes": "{}",
    "many small answers": "{ profile: api }",
    "large ones, for as many clients as there are": "{ profile: downloads, expected_connections: 20000, memory_limit_mib: 4096 }",
    "two workers on two CPUs": "{ cpu_limit_millis: 2000, nginx: { worker_processes: 2 } }",
    "a response that fits exactly": "{ expected_response_kib: 64, nginx: { proxy_buffers_number: 16 } }",
    "two buffers, one of them busy": "{ nginx: { proxy_buffering: true, proxy_buffers_number: 2, proxy_busy_buffers_size_kib: 4 } }",
    "all buffers busy but one": "{ nginx: { proxy_buffering: true, proxy_buffer_size_kib: 16, proxy_busy_buffers_size_kib: 48 } }",
    "as long as NGINX needs and ten seconds": "{ drain_s: 610, nginx: { worker_shutdown_timeout_s: 600 } }",
    "ports of the nodes": "{ exposure: { kind: host-network } }",
    "ports for a load balancer that speaks PROXY": "{ exposure: { kind: node-port, http_node_port: 30080, https_node_port: 30443, proxy_protocol: [10.30.0.0/24] } }",
    "more idle connections": "{ nginx: { upstream_keepalive_connections: 1024 } }",
    "further keys": "{ nginx: { further: { use-forwarded-headers: 'true', hsts: 'false' } } }",
    "somebody else's controller": "{ controller: configmap-only, namespace: ingress-nginx, config_map: ingress-nginx-controller, profile: api }",
    "control planes too": "{ nodes: { kubernetes.io/os: linux }, replicas: 3, expected_connections: 10000 }",
}


@pytest.mark.parametrize("ingress", RIGHT.values(), ids=RIGHT.keys())
def test_a_right_choice_of_the_ingress_warns_of_nothing(ingress: str) -> None:
    assert warnings(yaml.safe_load(ingress)) == []


def test_a_network_of_somebody_elses_gives_addresses_by_itself() -> None:
    assert warnings({"exposure": {"address": "10.88.0.1"}}, pod_network={"kind": "external"}) == []


@pytest.mark.parametrize(
    ("exposure", "ipvs"),
    [("host-network", {}), ("load-balancer", {"tcp_timeout_s": 3600})],
    ids=["IPVS has no part in it", "IPVS keeps them as long"],
)
def test_a_long_silence_is_no_loss_where_nobody_forgets(exposure: str, ipvs: Tree) -> None:
    tuning: Tree = {"nginx": {"proxy_read_timeout_s": 3600}, "exposure": {"kind": exposure}}
    assert warnings(tuning, kube_proxy={"mode": "ipvs", "ipvs": ipvs}, cluster={"kubernetes_version": "1.34.1"}) == []


def test_an_announced_range_gives_the_address() -> None:
    said = warnings(
        {"exposure": {"address": "10.88.0.255"}},
        pod_network={
            "kind": "calico",
            "services": {"load_balancer": ["10.88.0.0/24"]},
            "bgp": {"routers": {"tor": {"address": "10.20.0.2", "as_number": 64600}}},
        },
    )
    assert said == []
