"""NGINX's own knobs: ingress-nginx' ConfigMap keys, with their units; F5's controller gets the same by its own keys."""

from typing import Annotated, Literal

from pydantic import Field

from settings.base import Settings
from settings.forms import Distinct, Flag, Whole, Words, text

ConfigKey = Annotated[str, text(r"[a-z][a-z0-9-]*", "expected a key of the controller's ConfigMap", "proxy-next-upstream", 100), Words("key")]
MimeType = Annotated[str, text(r"[\w.+-]+/[\w.+*-]+", "expected a MIME type", "application/json", 100), Words("MIME type")]
LogFormat = Annotated[
    str,
    text(r"[^'\x00-\x1f\x7f]+", "expected one line without single quotes, which NGINX puts around it", "'$remote_addr \"$request\" $status'", 4096),
    Words("log format"),
]
TlsProtocol = Literal["TLSv1.2", "TLSv1.3"]


class HeaderBuffers(Settings):
    """Buffers for request lines and headers that outgrow client_header_buffer_size_kib. A change is made in place: NGINX reloads."""

    number: Whole = Field(default=4, ge=1, le=64)
    """Buffers a connection may take."""
    size_kib: Whole = Field(default=8, ge=1, le=1024)
    """Size of each, KiB: the longest request line and the longest single header."""


class Nginx(Settings):
    """The server's tuning; what is unset is derived, the profile's, or the release's own and not written. A change is made in place: NGINX reloads."""

    proxy_body_size_mib: Whole | None = Field(default=None, ge=0, le=1024 * 1024)
    """Largest request body, MiB (proxy-body-size, default 1); 0: any."""
    proxy_buffer_size_kib: Whole | None = Field(default=None, ge=1, le=1024)
    """Buffer for a response's headers, and size of each buffer for its body, KiB (proxy-buffer-size, default 4)."""
    proxy_buffers_number: Whole | None = Field(default=None, ge=2, le=65536)
    """Buffers a response's body may take (proxy-buffers-number, default 4); NGINX refuses fewer than two. Used where proxy_buffering is on."""
    proxy_busy_buffers_size_kib: Whole | None = Field(default=None, ge=1, le=1024 * 1024)
    """Part of the buffers that may be on its way to the client while the rest is read, KiB (proxy-busy-buffers-size); unset: NGINX's, two buffers."""
    proxy_buffering: Flag | None = None
    """Take a response from the application as fast as it gives it (proxy-buffering, default off): frees the application early, costs memory."""
    proxy_max_temp_file_size_mib: Whole | None = Field(default=None, ge=0, le=1024 * 1024)
    """Largest temporary file for what does not fit the buffers, MiB (proxy-max-temp-file-size, default 1024); 0: none, the application waits instead."""
    proxy_request_buffering: Flag | None = None
    """Take a whole request body before the application sees it (proxy-request-buffering, default on)."""
    client_body_buffer_size_kib: Whole | None = Field(default=None, ge=1, le=1024 * 1024)
    """Part of a request body kept in memory, KiB (client-body-buffer-size, default 8); the rest goes to a file."""
    client_header_buffer_size_kib: Whole | None = Field(default=None, ge=1, le=1024)
    """First buffer for a request's headers, KiB (client-header-buffer-size, default 1)."""
    large_client_header_buffers: HeaderBuffers | None = None
    """Further buffers for large headers (large-client-header-buffers, default 4 of 8 KiB)."""
    worker_processes: Whole | None = Field(default=None, ge=1, le=512)
    """NGINX's worker processes (worker-processes); unset takes one for each CPU of cpu_limit_millis, and without a limit one for each CPU of the node."""
    max_worker_connections: Whole | None = Field(default=None, ge=512, le=1_048_576)
    """Connections of a worker, to clients and to applications together (max-worker-connections, default 16384)."""
    max_worker_open_files: Whole | None = Field(default=None, ge=1024, le=16_777_216)
    """Files and sockets of a worker (max-worker-open-files; unset: what the container allows, less 1024)."""
    keep_alive_s: Whole | None = Field(default=None, ge=0, le=3600)
    """How long an idle client connection stays, s (keep-alive, default 75); 0: closed after each answer."""
    keep_alive_requests: Whole | None = Field(default=None, ge=1, le=10_000_000)
    """Requests on one client connection (keep-alive-requests, default 1000)."""
    upstream_keepalive_connections: Whole | None = Field(default=None, ge=0, le=1_048_576)
    """Idle connections to applications that a worker keeps (upstream-keepalive-connections, default 320); 0: none."""
    upstream_keepalive_requests: Whole | None = Field(default=None, ge=1, le=10_000_000)
    """Requests on one connection to an application (upstream-keepalive-requests, default 10000)."""
    upstream_keepalive_timeout_s: Whole | None = Field(default=None, ge=1, le=3600)
    """How long an idle connection to an application stays, s (upstream-keepalive-timeout, default 60)."""
    proxy_connect_timeout_s: Whole | None = Field(default=None, ge=1, le=75)
    """Connecting to an application, s (proxy-connect-timeout, default 5)."""
    proxy_read_timeout_s: Whole | None = Field(default=None, ge=1, le=86400)
    """Silence of an application, s (proxy-read-timeout, default 60)."""
    proxy_send_timeout_s: Whole | None = Field(default=None, ge=1, le=86400)
    """Sending to an application, s (proxy-send-timeout, default 60)."""
    client_header_timeout_s: Whole | None = Field(default=None, ge=1, le=3600)
    """A client's headers, s (client-header-timeout, default 60)."""
    client_body_timeout_s: Whole | None = Field(default=None, ge=1, le=3600)
    """Silence of a client within its body, s (client-body-timeout, default 60)."""
    worker_shutdown_timeout_s: Whole | None = Field(default=None, ge=1, le=3600)
    """How long old workers finish their connections after a reload or before they stop, s (worker-shutdown-timeout, default 240)."""
    reuse_port: Flag | None = None
    """A listening socket for each worker, so that the kernel spreads connections (reuse-port, default on)."""
    enable_multi_accept: Flag | None = None
    """A worker takes all waiting connections at once (enable-multi-accept, default on)."""
    use_http2: Flag | None = None
    """HTTP/2 with clients (use-http2, default on)."""
    http2_max_concurrent_streams: Whole | None = Field(default=None, ge=1, le=65536)
    """Requests at the same time on one HTTP/2 connection (http2-max-concurrent-streams, default 128)."""
    ssl_protocols: Annotated[tuple[TlsProtocol, ...], Distinct] | None = Field(default=None, min_length=1)
    """TLS versions (ssl-protocols, default TLSv1.2 and TLSv1.3)."""
    ssl_buffer_size_kib: Whole | None = Field(default=None, ge=1, le=1024)
    """TLS records at most, KiB (ssl-buffer-size, default 4): small ones arrive early, large ones cost less."""
    ssl_session_cache_size_mib: Whole | None = Field(default=None, ge=1, le=1024)
    """Cache of TLS sessions that all workers share, MiB, some 4000 sessions each (ssl-session-cache-size, default 10)."""
    ssl_session_timeout_s: Whole | None = Field(default=None, ge=1, le=86400)
    """How long a TLS session can be resumed, s (ssl-session-timeout, default 600)."""
    ssl_session_tickets: Flag | None = None
    """TLS session tickets (ssl-session-tickets, default off)."""
    use_gzip: Flag | None = None
    """Compress answers (use-gzip, default off): costs CPU."""
    gzip_level: Whole | None = Field(default=None, ge=1, le=9)
    """Compression level (gzip-level, default 1)."""
    gzip_min_length_bytes: Whole | None = Field(default=None, ge=0, le=1024 * 1024)
    """Shortest answer that is compressed, bytes (gzip-min-length, default 256)."""
    gzip_types: Annotated[tuple[MimeType, ...], Distinct] | None = Field(default=None, min_length=1)
    """MIME types that are compressed beside text/html (gzip-types)."""
    log_format_upstream: LogFormat | None = None
    """Format of the access log (log-format-upstream)."""
    log_format_escape_json: Flag | None = None
    """Escape the access log's variables as JSON wants it (log-format-escape-json, default off)."""
    further: dict[ConfigKey, str] = {}
    """Further keys of the controller's ConfigMap, as it writes them; those above, unknown ones and ones that run code are refused."""
