"""The ConfigMap of F5's NGINX Ingress Controller, which has keys of its own and fewer of them (settings.nginx_keys)."""

from collections.abc import Mapping

from plan.ingress import IngressPlan, Value
from render.ingress.config import Form, flag, is_written, kib, mib, plain, seconds, words


def entries(ingress: IngressPlan) -> dict[str, str]:
    """The ConfigMap's data, sorted. What the controller has no key for is not in it: the settings refuse that before."""
    written = {key: form(ingress.tuned[name].value) for name, (key, form) in KEYS.items() if is_written(ingress, name)}
    further = ingress.settings.nginx.further
    return dict(sorted({**written, **_buffers(ingress), **_proxy_protocol(ingress), **_reported(ingress), **further}.items()))


def _buffers(ingress: IngressPlan) -> Mapping[str, str]:
    """Number and size of the buffers, which are one key here: if either is set, both are what the arithmetic reckoned with."""
    number, size = "proxy_buffers_number", "proxy_buffer_size_kib"
    if not is_written(ingress, number) and not is_written(ingress, size):
        return {}
    return {"proxy-buffers": f"{ingress.tuned[number].value} {ingress.tuned[size].value}k"}


def _proxy_protocol(ingress: IngressPlan) -> Mapping[str, str]:
    networks = ingress.settings.exposure.proxy_protocol
    if not networks:
        return {}
    return {"proxy-protocol": "true", "real-ip-header": "proxy_protocol", "set-real-ip-from": ",".join(map(str, networks))}


def _reported(ingress: IngressPlan) -> Mapping[str, str]:
    """The address that Ingress objects show where no Service has one; the controller can show one only."""
    if ingress.settings.exposure.kind == "load-balancer" or not ingress.addresses:
        return {}
    return {"external-status-address": str(ingress.addresses[0])}


def escaping(value: Value) -> str:
    """How the access log escapes variables."""
    return "json" if value else "default"


KEYS: Mapping[str, tuple[str, Form]] = {
    "proxy_body_size_mib": ("client-max-body-size", mib),
    "proxy_buffer_size_kib": ("proxy-buffer-size", kib),
    "proxy_busy_buffers_size_kib": ("proxy-busy-buffers-size", kib),
    "proxy_buffering": ("proxy-buffering", flag),
    "proxy_max_temp_file_size_mib": ("proxy-max-temp-file-size", mib),
    "client_body_buffer_size_kib": ("client-body-buffer-size", kib),
    "worker_processes": ("worker-processes", plain),
    "max_worker_connections": ("worker-connections", plain),
    "max_worker_open_files": ("worker-rlimit-nofile", plain),
    "keep_alive_s": ("keepalive-timeout", seconds),
    "keep_alive_requests": ("keepalive-requests", plain),
    "upstream_keepalive_connections": ("keepalive", plain),
    "proxy_connect_timeout_s": ("proxy-connect-timeout", seconds),
    "proxy_read_timeout_s": ("proxy-read-timeout", seconds),
    "proxy_send_timeout_s": ("proxy-send-timeout", seconds),
    "worker_shutdown_timeout_s": ("worker-shutdown-timeout", seconds),
    "use_http2": ("http2", flag),
    "ssl_protocols": ("ssl-protocols", words),
    "log_format_upstream": ("log-format", plain),
    "log_format_escape_json": ("log-format-escaping", escaping),
}
"""Key and form of the knobs that have one, by the settings' names; proxy_buffers_number is half of a key."""
