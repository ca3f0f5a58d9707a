"""ingress-nginx' ConfigMap: each knob under its key, in the unit that the key is written in."""

from collections.abc import Callable, Mapping

from plan.ingress import IngressPlan, Value

Form = Callable[[Value], str]


def entries(ingress: IngressPlan) -> dict[str, str]:
    """The ConfigMap's data, sorted: what differs from the release's defaults, the PROXY protocol, and further keys as they were declared."""
    written = {key: form(ingress.tuned[name].value) for name, (key, form) in KEYS.items() if is_written(ingress, name)}
    return dict(sorted({**written, **_proxy_protocol(ingress), **ingress.settings.nginx.further}.items()))


def is_written(ingress: IngressPlan, name: str) -> bool:
    """Whether a knob is set to anything by the stack, its profile or the arithmetic."""
    return name in ingress.tuned and ingress.tuned[name].origin != "default"


def _proxy_protocol(ingress: IngressPlan) -> Mapping[str, str]:
    """Clients' addresses out of the PROXY protocol, believed only to the declared networks: the key's own default is everybody."""
    networks = ingress.settings.exposure.proxy_protocol
    return {"use-proxy-protocol": "true", "proxy-real-ip-cidr": ",".join(map(str, networks))} if networks else {}


def plain(value: Value) -> str:
    """A number or a text as it is."""
    return str(value)


def kib(value: Value) -> str:
    """A size that NGINX reads."""
    return f"{value}k"


def mib(value: Value) -> str:
    """A size that NGINX reads."""
    return f"{value}m"


def seconds(value: Value) -> str:
    """A time that NGINX reads."""
    return f"{value}s"


def flag(value: Value) -> str:
    """A flag that Go reads."""
    return "true" if value else "false"


def switch(value: Value) -> str:
    """A flag that NGINX reads."""
    return "on" if value else "off"


def words(value: Value) -> str:
    """Several words in a row."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def number_and_kib(value: Value) -> str:
    """How many, and how large each is."""
    assert isinstance(value, tuple)  # noqa: S101 - by the setting's type
    number, size = value
    return f"{number} {size}k"


# The controller's Go struct (internal/ingress/controller/config, .../defaults) says which keys are numbers, where a unit is an error and the whole ConfigMap is
# not read any further, and which are texts that reach nginx.conf as they are, where a flag must be on or off.
KEYS: Mapping[str, tuple[str, Form]] = {
    "proxy_body_size_mib": ("proxy-body-size", mib),
    "proxy_buffer_size_kib": ("proxy-buffer-size", kib),
    "proxy_buffers_number": ("proxy-buffers-number", plain),
    "proxy_busy_buffers_size_kib": ("proxy-busy-buffers-size", kib),
    "proxy_buffering": ("proxy-buffering", switch),
    "proxy_max_temp_file_size_mib": ("proxy-max-temp-file-size", mib),
    "proxy_request_buffering": ("proxy-request-buffering", switch),
    "client_body_buffer_size_kib": ("client-body-buffer-size", kib),
    "client_header_buffer_size_kib": ("client-header-buffer-size", kib),
    "large_client_header_buffers": ("large-client-header-buffers", number_and_kib),
    "worker_processes": ("worker-processes", plain),
    "max_worker_connections": ("max-worker-connections", plain),
    "max_worker_open_files": ("max-worker-open-files", plain),
    "keep_alive_s": ("keep-alive", plain),
    "keep_alive_requests": ("keep-alive-requests", plain),
    "upstream_keepalive_connections": ("upstream-keepalive-connections", plain),
    "upstream_keepalive_requests": ("upstream-keepalive-requests", plain),
    "upstream_keepalive_timeout_s": ("upstream-keepalive-timeout", plain),
    "proxy_connect_timeout_s": ("proxy-connect-timeout", plain),
    "proxy_read_timeout_s": ("proxy-read-timeout", plain),
    "proxy_send_timeout_s": ("proxy-send-timeout", plain),
    "client_header_timeout_s": ("client-header-timeout", plain),
    "client_body_timeout_s": ("client-body-timeout", plain),
    "worker_shutdown_timeout_s": ("worker-shutdown-timeout", seconds),
    "reuse_port": ("reuse-port", flag),
    "enable_multi_accept": ("enable-multi-accept", flag),
    "use_http2": ("use-http2", flag),
    "http2_max_concurrent_streams": ("http2-max-concurrent-streams", plain),
    "ssl_protocols": ("ssl-protocols", words),
    "ssl_buffer_size_kib": ("ssl-buffer-size", kib),
    "ssl_session_cache_size_mib": ("ssl-session-cache-size", mib),
    "ssl_session_timeout_s": ("ssl-session-timeout", seconds),
    "ssl_session_tickets": ("ssl-session-tickets", flag),
    "use_gzip": ("use-gzip", flag),
    "gzip_level": ("gzip-level", plain),
    "gzip_min_length_bytes": ("gzip-min-length", plain),
    "gzip_types": ("gzip-types", words),
    "log_format_upstream": ("log-format-upstream", plain),
    "log_format_escape_json": ("log-format-escape-json", flag),
}
"""Key and form of every knob, by the settings' names."""
