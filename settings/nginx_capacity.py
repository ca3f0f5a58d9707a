"""Memory, connections and files of a controller with the values that it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings.nginx_tuned import Values, buffers_of, files_of, is_on, number_of

if TYPE_CHECKING:
    from settings.ingress import Ingress


@dataclass(frozen=True, kw_only=True)
class ResponsePlan:
    """What a response may be and stay in memory (ngx_event_pipe.c, ngx_http_upstream.c)."""

    fits_kib: int
    """Largest body that no temporary file is written for even if the client takes nothing meanwhile, KiB; 0 where responses are not buffered.

    It holds for bodies with a Content-Length, and for those that end with the connection. It counts NGINX's own buffers only: what the kernel's socket
    buffers take towards the client (net.ipv4.tcp_wmem) comes on top, and so does what the headers leave of the first buffer. A body in chunks spends of
    that the chunks' own lines. Where it comes in small chunks with pauses, each that NGINX reads alone takes a whole buffer
    (ngx_http_proxy_chunked_filter): measured with 4 buffers of 4 KiB and chunks of 10 bytes, the file begins after 3,260 bytes.
    """
    of_a_connection_kib: int
    """Memory that the buffers of one response may take, KiB: those, and the one for its headers."""
    of_a_worker_mib: int
    """Memory for the buffers of a worker that is full of clients with such a response each, MiB. Clients of HTTP/2 with many requests at a time can take
    nearly twice that; request bodies and TLS come on top."""


@dataclass(frozen=True, kw_only=True)
class CapacityPlan:
    """Connections of one replica, and what they need of its node. Workers of before a reload may keep as many again until worker_shutdown_timeout_s."""

    workers: int
    """Without a CPU limit the least that a node gives it."""
    connections: int
    """Of all workers, to clients and applications together."""
    clients: int
    """Proxied clients at the same time: each takes two connections."""
    replicas_on_a_node: int
    """Most replicas on one node, spread evenly."""
    open_files: int
    """Files and sockets that a worker may need."""
    conntrack_entries: int
    """Entries of a node's connection table when its replicas are full: one for each client, and one for each connection to an application. Connections that
    have just ended stay in the table for up to two minutes."""


def capacity_of(ingress: "Ingress", values: Values, vcpus: Sequence[int]) -> CapacityPlan:
    """The capacity of one replica on nodes with these CPUs."""
    workers = number_of(values, "worker_processes") or min(vcpus, default=1)
    connections = workers * number_of(values, "max_worker_connections")
    on_a_node = -(-ingress.replicas // len(vcpus)) if vcpus else 1
    return CapacityPlan(
        workers=workers,
        connections=connections,
        clients=connections // 2,
        replicas_on_a_node=on_a_node,
        open_files=files_of(values),
        conntrack_entries=on_a_node * connections,
    )


def response_of(values: Values, capacity: CapacityPlan) -> ResponsePlan:
    """What a response may be with these buffers."""
    buffers = buffers_of(values)
    fits = buffers.fits_kib if is_on(values, "proxy_buffering") else 0
    of_a_connection = fits + buffers.size_kib
    return ResponsePlan(
        fits_kib=fits,
        of_a_connection_kib=of_a_connection,
        of_a_worker_mib=mib(of_a_connection * (capacity.clients // capacity.workers)),
    )


def mib(kib: int) -> int:
    """KiB in MiB, rounded up."""
    return -(-kib // 1024)
