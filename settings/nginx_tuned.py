"""Every value of NGINX with where it comes from: declared, derived, the profile's, or the release's own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from settings.nginx import HeaderBuffers, Nginx
from settings.nginx_buffers import Buffers, busy_for, needed_for
from settings.nginx_defaults import DEFAULTS, Value
from settings.nginx_keys import knobs
from settings.nginx_profiles import PROFILES

if TYPE_CHECKING:
    from settings.ingress import Ingress

Origin = Literal["declared", "profile", "derived", "default"]

OWN_FILES = 1024
"""Files that ingress-nginx keeps back for what is no connection: sockets to listen on, logs, channels (controller/nginx.go)."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """One value of NGINX in the unit of its setting."""

    value: Value
    origin: Origin
    """`default` is the release's own and is not written."""


Values = Mapping[str, Tuned]


def tuned(ingress: "Ingress") -> Values:
    """All values that are known and that the controller has a key for, by the settings' names: declared, else derived, else the profile's, else the release's."""
    values = {name: Tuned(value=value, origin="default") for name, value in DEFAULTS[ingress.controller].items()}
    values |= {name: Tuned(value=choice.value, origin="profile") for name, choice in PROFILES[ingress.profile].items()}
    declared = {name: Tuned(value=value, origin="declared") for name, value in _declared(ingress.nginx)}
    values |= declared
    values |= {name: Tuned(value=value, origin="derived") for name, value in _derived(ingress, values) if name not in declared}
    allowed = knobs(ingress.controller)
    return {name: values[name] for name in Nginx.model_fields if name in values and name in allowed}


def _declared(nginx: Nginx) -> Iterator[tuple[str, Value]]:
    for name in Nginx.model_fields:
        value = getattr(nginx, name)
        if name != "further" and value is not None:
            yield name, (value.number, value.size_kib) if isinstance(value, HeaderBuffers) else value


def _derived(ingress: "Ingress", values: Values) -> Iterator[tuple[str, Value]]:
    if ingress.cpu_limit_millis is not None:
        yield "worker_processes", -(-ingress.cpu_limit_millis // 1000)
    if ingress.expected_response_kib is not None:
        size = number_of(values, "proxy_buffer_size_kib")
        needed = needed_for(ingress.expected_response_kib, size)
        declared = ingress.nginx.proxy_buffers_number
        yield "proxy_buffering", True
        yield "proxy_buffers_number", needed
        yield "proxy_busy_buffers_size_kib", busy_for(declared or needed, size)
    if ingress.controller == "f5-nginx" and values["max_worker_connections"].origin != "default":
        # F5's controller leaves the container's soft limit as it is, often 1024
        yield "max_worker_open_files", files_of(values)


def number_of(values: Values, name: str) -> int:
    """A value that is a number; 0 where it is none (`auto`) or not known."""
    found = values[name].value if name in values else 0
    return found if isinstance(found, int) else 0


def is_on(values: Values, name: str) -> bool:
    """Whether a value is true."""
    return name in values and values[name].value is True


def buffers_of(values: Values) -> Buffers:
    """The buffers of a response."""
    return Buffers(
        number=number_of(values, "proxy_buffers_number"),
        size_kib=number_of(values, "proxy_buffer_size_kib"),
        busy_kib=number_of(values, "proxy_busy_buffers_size_kib") or None,
    )


def files_of(values: Values) -> int:
    """Files and sockets that a full worker may need: its connections, a temporary file for each buffered request and response, and its own."""
    connections = number_of(values, "max_worker_connections")
    responses = is_on(values, "proxy_buffering") and number_of(values, "proxy_max_temp_file_size_mib") > 0
    requests = "proxy_request_buffering" not in values or is_on(values, "proxy_request_buffering")
    return connections + (responses + requests) * (connections // 2) + OWN_FILES
