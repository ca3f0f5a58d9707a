"""Plans of the ingress controller that its tests share, and the manifest of ingress-nginx as published."""

from typing import Any

from calico_plans import MESH, plan, published
from f5_shape import F5_YAML

from plan import Plan
from plan.ingress import IngressPlan
from render.ingress import manifest
from settings.nginx import Nginx
from settings.nginx_keys import F5_KNOBS

NGINX_MANIFEST = "ingress-nginx-controller-v1.15.1-baremetal.yaml"
BALANCED: dict[str, Any] = {**MESH, "services": {"load_balancer": ["10.20.128.0/24"]}}
EXTERNAL: dict[str, Any] = {"kind": "external", "cidr": "10.32.0.0/14", "node_prefix": 26}
WEB: dict[str, Any] = {"nodes": {"example.net/tier": "web"}}
DIGEST = f"sha256:{'e' * 64}"

EVERY_KNOB: dict[str, Any] = {
    "proxy_body_size_mib": 10,
    "proxy_buffer_size_kib": 16,
    "proxy_buffers_number": 8,
    "proxy_busy_buffers_size_kib": 32,
    "proxy_buffering": True,
    "proxy_max_temp_file_size_mib": 0,
    "proxy_request_buffering": False,
    "client_body_buffer_size_kib": 64,
    "client_header_buffer_size_kib": 2,
    "large_client_header_buffers": {"number": 4, "size_kib": 16},
    "worker_processes": 2,
    "max_worker_connections": 8192,
    "max_worker_open_files": 32768,
    "keep_alive_s": 30,
    "keep_alive_requests": 5000,
    "upstream_keepalive_connections": 256,
    "upstream_keepalive_requests": 2000,
    "upstream_keepalive_timeout_s": 45,
    "proxy_connect_timeout_s": 3,
    "proxy_read_timeout_s": 120,
    "proxy_send_timeout_s": 90,
    "client_header_timeout_s": 20,
    "client_body_timeout_s": 25,
    "worker_shutdown_timeout_s": 200,
    "reuse_port": False,
    "enable_multi_accept": False,
    "use_http2": False,
    "http2_max_concurrent_streams": 64,
    "ssl_protocols": ["TLSv1.2", "TLSv1.3"],
    "ssl_buffer_size_kib": 16,
    "ssl_session_cache_size_mib": 50,
    "ssl_session_timeout_s": 3600,
    "ssl_session_tickets": True,
    "use_gzip": True,
    "gzip_level": 4,
    "gzip_min_length_bytes": 1024,
    "gzip_types": ["application/json", "text/css"],
    "log_format_upstream": '{"client": "$remote_addr", "status": $status}',
    "log_format_escape_json": True,
    "further": {"hsts": "false", "proxy-next-upstream": "error"},
}

F5_KNOBS_DECLARED: dict[str, Any] = {
    **{name: EVERY_KNOB[name] for name in sorted(F5_KNOBS)},
    "proxy_buffering": True,
    "use_http2": True,
    "further": {"lb-method": "least_conn"},
}

PROXIES = ["10.20.0.230/32", "192.0.2.0/24"]
EVERYTHING: dict[str, Any] = {
    **WEB,
    "registry": "registry.example:5000/front",
    "digests": {"controller": DIGEST},
    "class_name": "front",
    "default_class": True,
    "replicas": 2,
    "cpu_request_millis": 1500,
    "cpu_limit_millis": 2000,
    "memory_request_mib": 1024,
    "memory_limit_mib": 8192,
    "drain_s": 240,
    "ready_s": 900,
    "exposure": {"kind": "host-network", "proxy_protocol": PROXIES},
    "nginx": EVERY_KNOB,
}

INGRESSES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "load-balancer": (BALANCED, {**WEB, "exposure": {"address": "10.20.128.10"}, "expected_response_kib": 64}),
    "node-port": (BALANCED, {**WEB, "replicas": 1, "exposure": {"kind": "node-port", "http_node_port": 30080, "https_node_port": 30443}}),
    "everything": (BALANCED, EVERYTHING),
}
MANIFEST = {"source": "/manifests/f5.yaml", "sha256": "0" * 64}
F5_INGRESSES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "load-balancer": (BALANCED, {**WEB, "exposure": {"address": "10.20.128.10"}, "expected_response_kib": 64}),
    "everything": (
        BALANCED,
        {**EVERYTHING, "digests": {"nginx-ingress": DIGEST}, "nginx": F5_KNOBS_DECLARED},
    ),
}
CONFIG_MAP_ONLY: dict[str, Any] = {"controller": "configmap-only", "namespace": "edge", "config_map": "edge-nginx", "expected_response_kib": 64}

Things = tuple[dict[str, Any], ...]


def ingress_plan_of(network: dict[str, Any], ingress: dict[str, Any]) -> Plan:
    """The plan of an environment with this network and ingress."""
    return plan(network, ingress=ingress)


def nginx_plan(name: str) -> Plan:
    """One of ingress-nginx' plans."""
    return ingress_plan_of(*INGRESSES[name])


def f5_plan(name: str) -> Plan:
    """One of the plans of F5's controller."""
    network, ingress = F5_INGRESSES[name]
    return ingress_plan_of(network, {**ingress, "controller": "f5-nginx", "manifest": MANIFEST})


def planned(whole: Plan) -> IngressPlan:
    """The ingress of a plan that has one."""
    assert whole.ingress is not None
    return whole.ingress


def nginx_yaml() -> str:
    """The manifest of ingress-nginx 1.15.1 as published."""
    return published(NGINX_MANIFEST)


def knobs() -> set[str]:
    """Names of all knobs that have a key of their own."""
    return set(Nginx.model_fields) - {"further"}


def one(things: Things, kind: str, name: str = "") -> dict[str, Any]:
    found = [thing for thing in things if thing["kind"] == kind and name in {"", thing["metadata"]["name"]}]
    assert len(found) == 1, [thing["metadata"]["name"] for thing in found]
    return found[0]


def nginx(network: dict[str, Any] = BALANCED, **ingress: Any) -> Things:
    return manifest.objects(ingress_plan_of(network, {**WEB, **ingress}), nginx_yaml())


def f5(text: str = F5_YAML, network: dict[str, Any] = BALANCED, **ingress: Any) -> Things:
    return manifest.objects(ingress_plan_of(network, {**WEB, "controller": "f5-nginx", "manifest": MANIFEST, **ingress}), text)
