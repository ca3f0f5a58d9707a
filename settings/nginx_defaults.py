"""What each controller's release does where nothing is written, in the settings' units."""

from collections.abc import Mapping
from typing import Literal

Controller = Literal["ingress-nginx", "f5-nginx", "configmap-only"]
Value = int | bool | str | tuple[str, ...] | tuple[int, int]

INGRESS_NGINX: Mapping[str, Value] = {
    "proxy_body_size_mib": 1,
    "proxy_buffer_size_kib": 4,
    "proxy_buffers_number": 4,
    "proxy_buffering": False,
    "proxy_max_temp_file_size_mib": 1024,
    "proxy_request_buffering": True,
    "client_body_buffer_size_kib": 8,
    "client_header_buffer_size_kib": 1,
    "large_client_header_buffers": (4, 8),
    "worker_processes": "auto",
    "max_worker_connections": 16384,
    "max_worker_open_files": 0,
    "keep_alive_s": 75,
    "keep_alive_requests": 1000,
    "upstream_keepalive_connections": 320,
    "upstream_keepalive_requests": 10000,
    "upstream_keepalive_timeout_s": 60,
    "proxy_connect_timeout_s": 5,
    "proxy_read_timeout_s": 60,
    "proxy_send_timeout_s": 60,
    "client_header_timeout_s": 60,
    "client_body_timeout_s": 60,
    "worker_shutdown_timeout_s": 240,
    "reuse_port": True,
    "enable_multi_accept": True,
    "use_http2": True,
    "http2_max_concurrent_streams": 128,
    "ssl_protocols": ("TLSv1.2", "TLSv1.3"),
    "ssl_buffer_size_kib": 4,
    "ssl_session_cache_size_mib": 10,
    "ssl_session_timeout_s": 600,
    "ssl_session_tickets": False,
    "use_gzip": False,
    "gzip_level": 1,
    "gzip_min_length_bytes": 256,
    "log_format_escape_json": False,
}
"""ingress-nginx 1.15.1 (internal/ingress/controller/config/config.go, NewDefault). worker_processes `auto`: the CPU limit's CPUs, or the node's;
max_worker_open_files 0: what the container allows less 1024."""

F5: Mapping[str, Value] = {
    "proxy_body_size_mib": 1,
    "proxy_buffer_size_kib": 4,
    "proxy_buffers_number": 8,
    "proxy_buffering": True,
    "proxy_max_temp_file_size_mib": 1024,
    "worker_processes": "auto",
    "max_worker_connections": 1024,
    "keep_alive_s": 75,
    "keep_alive_requests": 1000,
    "proxy_connect_timeout_s": 60,
    "proxy_read_timeout_s": 60,
    "proxy_send_timeout_s": 60,
    "use_http2": False,
    "ssl_protocols": ("TLSv1.2", "TLSv1.3"),
    "log_format_escape_json": False,
}
"""F5's NGINX Ingress Controller 5.5.4 (internal/configs/config_params.go, NewDefaultConfigParams), else NGINX's own with pages of 4 KiB. Not in it:
upstream_keepalive_connections, where F5 writes nothing and NGINX has kept 32 since 1.29.7; client_body_buffer_size_kib, of which its sources (16, NGINX's own)
and its pull request 8548 (8) differ; and what has no end by itself (worker_shutdown_timeout_s)."""

DEFAULTS: Mapping[Controller, Mapping[str, Value]] = {"ingress-nginx": INGRESS_NGINX, "configmap-only": INGRESS_NGINX, "f5-nginx": F5}
"""By controller; configmap-only has ingress-nginx' keys."""
