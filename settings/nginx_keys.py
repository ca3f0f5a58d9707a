"""Keys of the controllers' ConfigMaps: which knobs F5's controller has one for, which stand behind settings, and which are never written."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from settings.base import Problem
from settings.nginx import Nginx
from settings.nginx_defaults import Controller
from settings.nginx_further import F5_KEYS, INGRESS_NGINX_KEYS

F5_KNOBS = frozenset(
    {
        "proxy_body_size_mib",
        "proxy_buffer_size_kib",
        "proxy_buffers_number",
        "proxy_busy_buffers_size_kib",
        "proxy_buffering",
        "proxy_max_temp_file_size_mib",
        "client_body_buffer_size_kib",
        "worker_processes",
        "max_worker_connections",
        "max_worker_open_files",
        "keep_alive_s",
        "keep_alive_requests",
        "upstream_keepalive_connections",
        "proxy_connect_timeout_s",
        "proxy_read_timeout_s",
        "proxy_send_timeout_s",
        "worker_shutdown_timeout_s",
        "use_http2",
        "ssl_protocols",
        "log_format_upstream",
        "log_format_escape_json",
    }
)
"""Names of settings.nginx.Nginx (nginx/kubernetes-ingress, internal/configs/configmaps.go, ParseConfigMap)."""

CODE = re.compile(r".*-snippets?|.*-template|allow-snippet-annotations|plugins")
"""Keys whose value is configuration that NGINX runs as it is, or that let applications write such."""
SECRET = frozenset({"ssl-session-ticket-key", "otel-exporter-header-value", "app-protect-cookie-seed"})
"""Keys whose value is a secret: a ConfigMap and a stack file are read by many."""

F5_NAMES: Mapping[str, str] = {
    "proxy_body_size_mib": "client-max-body-size",
    "proxy_buffers_number": "proxy-buffers",
    "max_worker_connections": "worker-connections",
    "max_worker_open_files": "worker-rlimit-nofile",
    "keep_alive_s": "keepalive-timeout",
    "keep_alive_requests": "keepalive-requests",
    "upstream_keepalive_connections": "keepalive",
    "use_http2": "http2",
    "log_format_upstream": "log-format",
    "log_format_escape_json": "log-format-escaping",
}
"""F5's keys where they differ from ingress-nginx' own."""


def _key(name: str) -> str:
    return re.sub(r"_(kib|mib|s|bytes)$", "", name).replace("_", "-")


TYPED = frozenset(Nginx.model_fields) - {"further"}
PROXY_PROTOCOL = "ingress.exposure.proxy_protocol"

OWNED: Mapping[Controller, Mapping[str, str]] = {
    "ingress-nginx": {_key(name): f"ingress.nginx.{name}" for name in TYPED}
    | dict.fromkeys(("use-proxy-protocol", "proxy-real-ip-cidr"), PROXY_PROTOCOL),
    "f5-nginx": {F5_NAMES.get(name, _key(name)): f"ingress.nginx.{name}" for name in F5_KNOBS}
    | dict.fromkeys(("proxy-protocol", "real-ip-header", "set-real-ip-from"), PROXY_PROTOCOL),
}
"""Keys that stand behind settings of their own, and which."""
FURTHER: Mapping[Controller, frozenset[str]] = {"ingress-nginx": INGRESS_NGINX_KEYS, "f5-nginx": F5_KEYS}


def contract(controller: Controller) -> Controller:
    """The controller whose keys are written: configmap-only writes ingress-nginx' own."""
    return "ingress-nginx" if controller == "configmap-only" else controller


def knobs(controller: Controller) -> frozenset[str]:
    """Names of the typed settings that the controller has a key for."""
    return F5_KNOBS if controller == "f5-nginx" else TYPED


def mistakes(controller: Controller, further: Mapping[str, str]) -> Iterator[Problem]:
    """Keys that the release does not have, that have a setting, that run code or hold a secret; empty values. Values are never shown."""
    known, owned = FURTHER[contract(controller)], OWNED[contract(controller)]
    for key, value in further.items():
        if key in owned:
            yield Problem(key, f"has a setting of its own; remove it and use {owned[key]}")
        elif CODE.fullmatch(key):
            yield Problem(
                key,
                "runs configuration of NGINX as it is written, and with it code; remove it, and use a setting or an annotation made for the purpose",
            )
        elif key in SECRET:
            yield Problem(key, "holds a secret, which has no place in a stack file and a ConfigMap; remove it")
        elif key not in known:
            close = get_close_matches(key, [*known, *owned], 1)
            remedy = f"did you mean {close[0]}?" if close else "see the controller's list of ConfigMap keys"
            yield Problem(key, f"is no key of {contract(controller)}; {remedy}")
        elif not value.strip():
            yield Problem(key, "is empty, which the controller reads in its own way; give it a value, or remove it")
