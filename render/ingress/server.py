"""NGINX's own configuration, as far as the ConfigMap's knobs reach it: for reading, and for trying it on a real NGINX.

It follows the controllers' templates (ingress-nginx: rootfs/etc/nginx/template/nginx.tmpl; F5: internal/configs/version1) for one host and one location.
What they have beside it (Lua, errors, statistics, TLS certificates of hosts) is left out, and so are the declared further keys.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from plan.ingress import IngressPlan, Value

INDENT = "    "
IDENTITY = ("namespace", "ingress_name", "service_name", "service_port", "proxy_upstream_name", "proxy_alternative_upstream_name")
"""Variables that ingress-nginx sets in each location, and that log formats may use."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the server listens, asks and writes. What is set here is the controller's own."""

    http: str = "80"
    https: str = "443"
    socket: str = ""
    """Further options of HTTP's socket."""
    server: str = "0.0.0.1"
    """The application; ingress-nginx' Lua chooses one for each request."""
    folder: str = "/tmp/nginx"  # noqa: S108 - the controller's, in its container
    """Process ID and temporary files."""
    certificate: str = "/etc/ingress-controller/ssl/default-fake-certificate.pem"
    error_log: str = "/var/log/nginx/error.log notice"
    access_log: str = "/var/log/nginx/access.log"


CONTROLLER = Places()


def nginx_conf(ingress: IngressPlan, places: Places = CONTROLLER) -> str:
    """The whole file. Values that NGINX or the controller choose by themselves are not in it."""
    return "".join(f"{line}\n" for line in _Server(ingress, places).lines())


def spelt(name: str, value: Value) -> str:
    """A value in NGINX's words; `name` is the setting's, with its unit."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if name == "large_client_header_buffers" and isinstance(value, tuple):
        return f"{value[0]} {value[1]}k"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    units = {"kib": "k", "mib": "m", "s": "s"}
    return f"{value}{units.get(name.rpartition('_')[2], '')}"


class _Server:
    """Lines of the file, block by block."""

    def __init__(self, ingress: IngressPlan, places: Places) -> None:
        self.ingress = ingress
        self.places = places
        self.f5 = ingress.controller == "f5-nginx"

    def value(self, name: str) -> Value | None:
        return self.ingress.tuned[name].value if name in self.ingress.tuned else None

    def say(self, directive: str, name: str) -> Iterator[str]:
        """The directive with the setting's value; nothing where that is not known."""
        value = self.value(name)
        if value is not None:
            yield f"{directive} {spelt(name, value)};"

    def lines(self) -> Iterator[str]:
        yield f"pid {self.places.folder}/nginx.pid;"
        yield "daemon off;"
        yield from self.say("worker_processes", "worker_processes")
        if self.value("max_worker_open_files"):  # 0: what the container allows, less 1024
            yield from self.say("worker_rlimit_nofile", "max_worker_open_files")
        yield from self.say("worker_shutdown_timeout", "worker_shutdown_timeout_s")
        yield from (f"error_log {self.places.error_log};",) if self.f5 else ()
        yield from _block("events", self.events())
        yield from _block("http", self.http())

    def events(self) -> Iterator[str]:
        yield from self.say("multi_accept", "enable_multi_accept")
        yield from self.say("worker_connections", "max_worker_connections")
        if not self.f5:
            yield "use epoll;"

    def http(self) -> Iterator[str]:
        yield from (
            ("sendfile on;",) if self.f5 else ("aio threads;", "aio_write on;", "tcp_nopush on;", "tcp_nodelay on;", "reset_timedout_connection on;")
        )
        yield f"client_body_temp_path {self.places.folder}/client-body;"
        yield f"proxy_temp_path {self.places.folder}/proxy-temp;"
        yield from self.proxy_protocol() if not self.f5 else ()
        yield from self.clients()
        yield from self.compression()
        yield from self.log()
        yield from self.tls()
        yield from _block("map $http_upgrade $connection_upgrade", self.connections())
        if not self.f5:
            yield from _block("map $http_x_request_id $req_id", ("default $http_x_request_id;", '"" $request_id;'))
        yield from _block("upstream upstream_balancer", self.upstream())
        yield from _block("server", self.default_server())
        yield from _block("server", self.server())

    def proxy_protocol(self) -> Iterator[str]:
        networks = self.ingress.settings.exposure.proxy_protocol
        if networks:
            yield "real_ip_header proxy_protocol;"
            yield from ("real_ip_recursive on;",) if not self.f5 else ()
            yield from (f"set_real_ip_from {network};" for network in networks)

    def clients(self) -> Iterator[str]:
        yield from self.say("keepalive_timeout", "keep_alive_s")
        yield from self.say("keepalive_requests", "keep_alive_requests")
        yield from self.say("client_header_buffer_size", "client_header_buffer_size_kib")
        yield from self.say("client_header_timeout", "client_header_timeout_s")
        yield from self.say("large_client_header_buffers", "large_client_header_buffers")
        yield from self.say("client_body_buffer_size", "client_body_buffer_size_kib")
        yield from self.say("client_body_timeout", "client_body_timeout_s")
        yield from self.say("http2_max_concurrent_streams", "http2_max_concurrent_streams")

    def compression(self) -> Iterator[str]:
        if self.value("use_gzip"):
            yield "gzip on;"
            yield from self.say("gzip_comp_level", "gzip_level")
            yield "gzip_http_version 1.1;"
            yield from self.say("gzip_min_length", "gzip_min_length_bytes")
            yield from self.say("gzip_types", "gzip_types")
            yield "gzip_proxied any;"
            yield "gzip_vary on;"

    def log(self) -> Iterator[str]:
        text, name = self.value("log_format_upstream"), "main" if self.f5 else "upstreaminfo"
        if text is not None:
            escaped = "escape=json " if self.value("log_format_escape_json") else ""
            yield f"log_format {name} {escaped}'{text}';"
        yield f"access_log {self.places.access_log}{'' if text is None else f' {name}'};"
        yield from (f"error_log {self.places.error_log};",) if not self.f5 else ()

    def tls(self) -> Iterator[str]:
        yield from self.say("ssl_protocols", "ssl_protocols")
        if not self.f5:
            yield f"ssl_session_cache shared:SSL:{spelt('_mib', self.ingress.tuned['ssl_session_cache_size_mib'].value)};"
        yield from self.say("ssl_session_timeout", "ssl_session_timeout_s")
        yield from self.say("ssl_session_tickets", "ssl_session_tickets")
        yield from self.say("ssl_buffer_size", "ssl_buffer_size_kib")
        yield f"ssl_certificate {self.places.certificate};"
        yield f"ssl_certificate_key {self.places.certificate};"

    def connections(self) -> Iterator[str]:
        yield "default upgrade;"
        yield "'' '';" if self.value("upstream_keepalive_connections") else "'' close;"

    def upstream(self) -> Iterator[str]:
        yield f"server {self.places.server};"
        if self.value("upstream_keepalive_connections"):
            yield from self.say("keepalive", "upstream_keepalive_connections")
            yield from self.say("keepalive_timeout", "upstream_keepalive_timeout_s")
            yield from self.say("keepalive_requests", "upstream_keepalive_requests")

    def default_server(self) -> Iterator[str]:
        """Who asks for no known host; its sockets' options are those of all hosts."""
        shared = f" default_server{' reuseport' if self.value('reuse_port') else ''}"
        yield "server_name _;"
        yield f"listen {self.places.http}{self.protocol}{shared}{self.places.socket};"
        yield f"listen {self.places.https}{self.protocol}{shared} ssl;"
        yield "return 404;"

    @property
    def protocol(self) -> str:
        return " proxy_protocol" if self.ingress.settings.exposure.proxy_protocol else ""

    def server(self) -> Iterator[str]:
        yield "server_name app.example;"
        yield f"listen {self.places.http}{self.protocol};"
        yield f"listen {self.places.https}{self.protocol} ssl;"
        if self.value("use_http2"):
            yield "http2 on;"
        yield from self.proxy_protocol() if self.f5 else ()
        yield from _block("location /", self.location())

    def location(self) -> Iterator[str]:
        if not self.f5:
            yield from (f'set ${name} "";' for name in IDENTITY)
        yield from self.say("client_max_body_size", "proxy_body_size_mib")
        yield from self.say("proxy_connect_timeout", "proxy_connect_timeout_s")
        yield from self.say("proxy_send_timeout", "proxy_send_timeout_s")
        yield from self.say("proxy_read_timeout", "proxy_read_timeout_s")
        yield from self.say("proxy_buffering", "proxy_buffering")
        yield from self.say("proxy_buffer_size", "proxy_buffer_size_kib")
        size = spelt("_kib", self.ingress.tuned["proxy_buffer_size_kib"].value)
        yield f"proxy_buffers {self.ingress.tuned['proxy_buffers_number'].value} {size};"
        yield from self.say("proxy_busy_buffers_size", "proxy_busy_buffers_size_kib")
        yield from self.say("proxy_max_temp_file_size", "proxy_max_temp_file_size_mib")
        yield from self.say("proxy_request_buffering", "proxy_request_buffering")
        yield "proxy_http_version 1.1;"
        yield "proxy_set_header Host $http_host;"
        yield "proxy_set_header Upgrade $http_upgrade;"
        yield "proxy_set_header Connection $connection_upgrade;"
        yield "proxy_set_header X-Real-IP $remote_addr;"
        yield "proxy_set_header X-Forwarded-For $remote_addr;"
        yield "proxy_pass http://upstream_balancer;"


def _block(head: str, lines: "Iterator[str] | tuple[str, ...]") -> Iterator[str]:
    yield f"{head} {{"
    yield from (f"{INDENT}{line}" for line in lines)
    yield "}"
