"""NGINX's values: inert, equal to the release's own, less than that, or at odds with CPUs and files."""

from collections.abc import Iterator
from dataclasses import dataclass

from settings.base import Problem
from settings.checks.ingress_view import View
from settings.nginx_defaults import DEFAULTS, Value
from settings.nginx_keys import knobs
from settings.nginx_profiles import PROFILES
from settings.nginx_tuned import OWN_FILES, Origin, is_on, number_of


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """Values that do nothing while another one is off."""

    on: str
    names: tuple[str, ...]


DEPENDENCES = (
    Dependence(on="proxy_buffering", names=("proxy_buffers_number", "proxy_busy_buffers_size_kib", "proxy_max_temp_file_size_mib")),
    Dependence(on="use_gzip", names=("gzip_level", "gzip_min_length_bytes", "gzip_types")),
    Dependence(on="use_http2", names=("http2_max_concurrent_streams",)),
)

BETTER_LARGER = {
    "upstream_keepalive_connections": "connections to applications are opened anew where idle ones were kept",
    "upstream_keepalive_requests": "connections to applications are opened anew more often",
    "keep_alive_requests": "clients open connections anew more often",
    "max_worker_connections": "fewer clients find room",
    "ssl_session_cache_size_mib": "fewer TLS sessions are resumed",
}
"""Values of which less than the release's own is a loss, and what is lost."""


def tuning_risks(found: View) -> Iterator[Problem]:
    """All warnings of NGINX's values."""
    for check in (_keys, _inert, _headers, _body, _reuse, _losses, _defaults, _workers, _files):
        yield from check(found)


def _said(name: str, value: Value) -> str:
    """A value as the stack file writes it."""
    text = str(value).lower() if isinstance(value, bool) else " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{name} {text}"


def _source(found: View, origin: Origin) -> str:
    return f" (profile {found.ingress.profile})" if origin == "profile" else ""


def _keys(found: View) -> Iterator[Problem]:
    lost = [name for name in PROFILES[found.ingress.profile] if name not in knobs(found.ingress.controller)]
    if lost:
        yield Problem(
            "ingress.profile", f"is {found.ingress.profile}, of which {found.release.name} has no key for {', '.join(lost)}: they stay as they are"
        )


def _inert(found: View) -> Iterator[Problem]:
    for dependence in DEPENDENCES:
        if is_on(found.values, dependence.on) or dependence.on not in found.values:
            continue
        reason = "by default" if found.values[dependence.on].origin == "default" else "here"
        for name in dependence.names:
            if name in found.values and found.values[name].origin == "declared":
                also = ", or declare expected_response_kib" if dependence.on == "proxy_buffering" else ""
                yield Problem(
                    f"ingress.nginx.{name}", f"does nothing: {dependence.on} is off {reason}; write {dependence.on}: true{also}, or remove it"
                )


def _headers(found: View) -> Iterator[Problem]:
    first, large = number_of(found.values, "client_header_buffer_size_kib"), found.values.get("large_client_header_buffers")
    if large is not None and isinstance(large.value, tuple) and isinstance(large.value[1], int) and large.value[1] < first:
        yield Problem(
            "ingress.nginx.large_client_header_buffers.size_kib",
            f"is {large.value[1]}, less than the {first} of client_header_buffer_size_kib: a header that outgrows the first buffer finds no larger one; raise it",
        )


def _body(found: View) -> Iterator[Problem]:
    if "proxy_body_size_mib" in found.values and number_of(found.values, "proxy_body_size_mib") == 0:
        stored = (
            ", which is written to the controller's disk before the application sees it" if is_on(found.values, "proxy_request_buffering") else ""
        )
        yield Problem("ingress.nginx.proxy_body_size_mib", f"is 0: a client may send a body of any size{stored}; name a limit")


def _reuse(found: View) -> Iterator[Problem]:
    replicas = found.ingress.replicas
    if "keep_alive_s" in found.values and number_of(found.values, "keep_alive_s") == 0:
        yield Problem("ingress.nginx.keep_alive_s", "is 0: each request of a client costs a connection, with TLS a handshake too; write some seconds")
    if is_on(found.values, "ssl_session_tickets") and replicas > 1:
        yield Problem(
            "ingress.nginx.ssl_session_tickets",
            f"is true with {replicas} replicas: each makes a key of its own, and the others' tickets are worth nothing to it; leave it out",
        )


def _losses(found: View) -> Iterator[Problem]:
    for name, loss in BETTER_LARGER.items():
        own = DEFAULTS[found.ingress.controller].get(name)
        chosen = found.values.get(name)
        if chosen is None or chosen.origin == "default" or not isinstance(own, int):
            continue
        value = number_of(found.values, name)
        if value < own:
            remedy = f"write {own}, or choose another profile" if chosen.origin == "profile" else "leave it out"
            yield Problem(
                f"ingress.nginx.{name}",
                f"is {value}{_source(found, chosen.origin)}, less than the {own} that {_release(found)} has by itself: {loss}; {remedy}",
            )


def _defaults(found: View) -> Iterator[Problem]:
    own = DEFAULTS[found.ingress.controller]
    same = [
        f"{_said(name, tuned.value)}{_source(found, tuned.origin)}"
        for name, tuned in found.values.items()
        if tuned.origin in ("declared", "profile") and own.get(name) == tuned.value
    ]
    if same:
        yield Problem("ingress.nginx", f"says what {_release(found)} does by itself: {', '.join(same)}; it changes nothing")


def _workers(found: View) -> Iterator[Problem]:
    ingress, workers, millis = found.ingress, found.capacity.workers, found.ingress.cpu_limit_millis
    declared = found.values["worker_processes"].origin in ("declared", "profile")
    path, source = "ingress.nginx.worker_processes", _source(found, found.values["worker_processes"].origin)
    if millis is not None:
        cpus = -(-millis // 1000)
        if declared and workers > cpus:
            yield Problem(
                path, f"is {workers}{source} on {millis / 1000:g} CPUs (cpu_limit_millis): they stop each other; leave it out, or raise the limit"
            )
        elif declared and workers < millis // 1000:
            yield Problem(
                path, f"is {workers}{source} on {millis / 1000:g} CPUs (cpu_limit_millis): the others idle; leave it out, or lower the limit"
            )
        elif not declared and millis % 1000:
            yield Problem(
                "ingress.cpu_limit_millis",
                f"is {millis}: {cpus} workers share {millis / 1000:g} CPUs and are stopped when they are spent; write a multiple of 1000",
            )
    elif declared and found.nodes:
        node, shape = min(found.nodes, key=lambda entry: entry[1].vcpus)
        if workers * found.capacity.replicas_on_a_node > shape.vcpus:
            several = f" times {found.capacity.replicas_on_a_node} replicas" if found.capacity.replicas_on_a_node > 1 else ""
            yield Problem(
                path, f"is {workers}{source}{several} on {shape.vcpus} vCPUs of {node.name}: they wait for each other; lower it, or leave it out"
            )
    if ingress.cpu_limit_millis is None and not declared and found.capacity.replicas_on_a_node > 1:
        yield Problem(
            "ingress.cpu_limit_millis",
            f"is unset with {found.capacity.replicas_on_a_node} replicas on a node: each starts a worker for every CPU of it; write nginx.worker_processes",
        )


def _files(found: View) -> Iterator[Problem]:
    files, needed = number_of(found.values, "max_worker_open_files"), found.capacity.open_files
    if number_of(found.values, "max_worker_connections") <= files < needed:
        yield Problem(
            "ingress.nginx.max_worker_open_files",
            f"is {files}, less than the {needed} that a full worker may need (connections, temporary files, {OWN_FILES} of its own); raise it, or leave it out",
        )


def _release(found: View) -> str:
    return f"{found.release.name} {found.release.version}"
