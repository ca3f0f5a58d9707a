"""Plans whose configuration a real NGINX runs."""

from typing import Any

from plan import make
from plan.ingress import IngressPlan
from settings import load
from tests.settings.documents import minimal

F5_MANIFEST = {"source": "/manifests/f5.yaml", "sha256": "0" * 64}
ON: dict[str, Any] = {"proxy_buffering": True}

BUFFERED: dict[str, dict[str, Any]] = {
    "default, buffering on": {"nginx": ON},
    "reference, buffering on": {"profile": "reference", "nginx": ON},
    "api": {"profile": "api"},
    "downloads": {"profile": "downloads"},
    "response of 1 KiB": {"expected_response_kib": 1},
    "response of 64 KiB": {"expected_response_kib": 64},
    "response of 256 KiB": {"expected_response_kib": 256},
    "response of 1000 KiB": {"expected_response_kib": 1000},
    "1000 KiB, buffers of 16": {"expected_response_kib": 1000, "nginx": {"proxy_buffer_size_kib": 16}},
    "two buffers, one busy": {"nginx": {**ON, "proxy_buffers_number": 2, "proxy_busy_buffers_size_kib": 4}},
    "F5, default": {"controller": "f5-nginx", "manifest": F5_MANIFEST},
    "F5, response of 64 KiB": {"controller": "f5-nginx", "manifest": F5_MANIFEST, "expected_response_kib": 64},
}
"""Responses are buffered."""

UNBUFFERED: dict[str, dict[str, Any]] = {"default": {}, "reference": {"profile": "reference"}}
"""They are passed on as they come."""

PLANS = {**BUFFERED, **UNBUFFERED}

EVERY_KNOB: dict[str, Any] = {
    "proxy_body_size_mib": 12,
    "proxy_buffer_size_kib": 16,
    "proxy_buffers_number": 9,
    "proxy_busy_buffers_size_kib": 48,
    "proxy_buffering": True,
    "proxy_max_temp_file_size_mib": 100,
    "proxy_request_buffering": False,
    "client_body_buffer_size_kib": 96,
    "client_header_buffer_size_kib": 3,
    "large_client_header_buffers": {"number": 5, "size_kib": 24},
    "worker_processes": 3,
    "max_worker_connections": 4096,
    "max_worker_open_files": 20000,
    "keep_alive_s": 31,
    "keep_alive_requests": 501,
    "upstream_keepalive_connections": 33,
    "upstream_keepalive_requests": 502,
    "upstream_keepalive_timeout_s": 32,
    "proxy_connect_timeout_s": 7,
    "proxy_read_timeout_s": 61,
    "proxy_send_timeout_s": 62,
    "client_header_timeout_s": 63,
    "client_body_timeout_s": 64,
    "worker_shutdown_timeout_s": 120,
    "reuse_port": False,
    "enable_multi_accept": False,
    "use_http2": False,
    "http2_max_concurrent_streams": 65,
    "ssl_protocols": ["TLSv1.3"],
    "ssl_buffer_size_kib": 8,
    "ssl_session_cache_size_mib": 11,
    "ssl_session_timeout_s": 900,
    "ssl_session_tickets": True,
    "use_gzip": True,
    "gzip_level": 5,
    "gzip_min_length_bytes": 1000,
    "gzip_types": ["application/json", "text/css"],
    "log_format_upstream": '{"client": "$remote_addr", "of": "$namespace/$ingress_name", "id": "$req_id", "status": $status}',
    "log_format_escape_json": True,
}
"""All of them away from their defaults."""


def planned(**ingress: Any) -> IngressPlan:
    """The ingress of a small environment; one worker, so that limits of a worker are the server's."""
    nginx = {"worker_processes": 1, **ingress.pop("nginx", {})}
    plan = make(load(minimal(ingress={"exposure": {"kind": "host-network"}, "nginx": nginx, **ingress}))).ingress
    assert plan is not None
    return plan
