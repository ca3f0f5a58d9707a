"""Profiles: values for what a stack leaves unset, each with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from settings.nginx_defaults import Value

Profile = Literal["default", "reference", "api", "downloads"]


@dataclass(frozen=True)
class Choice:
    """A value of a profile."""

    value: Value
    reason: str


REFERENCE: Mapping[str, Choice] = {
    "proxy_body_size_mib": Choice(10, "uploads of documents and pictures, which the default of 1 MiB refuses"),
    "proxy_buffer_size_kib": Choice(16, "headers with large cookies and tokens, which the default of 4 KiB refuses with 502"),
    "worker_processes": Choice(4, "as in 2019, whatever the node has"),
    "keep_alive_s": Choice(75, "as in 2019; it is the default"),
    "upstream_keepalive_connections": Choice(32, "as in 2019, when there were none by default; today's default is 320"),
}

API: Mapping[str, Choice] = {
    "proxy_buffering": Choice(value=True, reason="an application is free once it has answered, however slowly the client reads"),
    "proxy_buffer_size_kib": Choice(8, "headers with tokens, and most answers whole beside them"),
    "proxy_buffers_number": Choice(8, "answers up to 64 KiB never wait for their client"),
    "proxy_max_temp_file_size_mib": Choice(0, "a larger answer waits for its client; a disk would make all others wait"),
    "client_body_buffer_size_kib": Choice(64, "requests up to 64 KiB never touch a disk"),
    "client_header_timeout_s": Choice(15, "a client that sends no request gives its connection back"),
    "keep_alive_requests": Choice(10_000, "clients that call often keep their connection; the default closes it after 1000 calls"),
}

DOWNLOADS: Mapping[str, Choice] = {
    "proxy_body_size_mib": Choice(1024, "uploads up to 1 GiB"),
    "proxy_request_buffering": Choice(value=False, reason="an upload goes straight to the application, with no copy on the node's disk"),
    "proxy_buffering": Choice(value=True, reason="the application writes ahead of the client, as far as the buffers go"),
    "proxy_buffer_size_kib": Choice(16, "as much as a full TLS record: fewer reads and writes for the same bytes"),
    "proxy_buffers_number": Choice(16, "256 KiB ahead of each client; more would be 8192 times that in a full worker"),
    "proxy_max_temp_file_size_mib": Choice(0, "the application waits for a slow client; a copy of each download on the node's disk helps nobody"),
    "proxy_read_timeout_s": Choice(300, "an application may prepare a large answer for minutes"),
    "proxy_send_timeout_s": Choice(300, "an application may take minutes to store what it has"),
    "client_body_timeout_s": Choice(120, "clients with a bad link pause within an upload"),
    "ssl_buffer_size_kib": Choice(16, "full TLS records cost less than the small ones that start a page early"),
}

PROFILES: Mapping[Profile, Mapping[str, Choice]] = {"default": {}, "reference": REFERENCE, "api": API, "downloads": DOWNLOADS}
"""By the settings' names (settings.nginx.Nginx)."""
