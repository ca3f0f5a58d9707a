"""What the arithmetic says of a stack's ingress controller, for people."""

import textwrap
from collections.abc import Iterator, Sequence

from ops.columns import aligned
from plan import Plan
from plan.ingress import IngressPlan, Value
from settings.ingress_versions import release_of
from settings.nginx_defaults import DEFAULTS

WIDTH = 100
UNITS = {"kib": "KiB", "mib": "MiB", "s": "s", "bytes": "bytes"}
VALUE_WIDTH = 22
HEAD = ("NGINX'S VALUE", "", "FROM", "RELEASE'S OWN")
EXPOSURES = {
    "load-balancer": "load balancer, announced by BGP from the nodes that run a controller",
    "host-network": "ports 80 and 443 of the nodes that run a controller",
    "node-port": "two ports of every node that runs a controller",
}


def report(plan: Plan, ingress: IngressPlan, response_kib: int | None = None) -> str:
    """The whole page; `response_kib` is a response to be told of instead of the expected one."""
    asked = response_kib or ingress.settings.expected_response_kib
    parts = (_controller(ingress), _values(ingress), _responses(ingress, asked), _capacity(plan, ingress))
    return "\n".join("".join(f"{line}\n" for line in part) for part in parts)


def _controller(ingress: IngressPlan) -> Iterator[str]:
    settings = ingress.settings
    name = release_of(ingress.controller).name
    if ingress.controller == "configmap-only":
        yield f"the ConfigMap of a controller that somebody else installs, by the keys of {name} {ingress.version}"
    else:
        retired = ", retired upstream in March 2026" if ingress.controller == "ingress-nginx" else ""
        yield f"{name} {ingress.version}{retired}"
        yield from _wrapped("runs", f"{settings.replicas} replica{'' if settings.replicas == 1 else 's'} on {', '.join(ingress.nodes)}")
        yield from _wrapped(
            "reached", f"{EXPOSURES[settings.exposure.kind]}: {', '.join(map(str, ingress.addresses)) or 'an address that it is given'}"
        )
        domain = f", names below {settings.domain}" if settings.domain else ""
        yield from _wrapped("class", f"{settings.class_name}{', also for objects that name none' if settings.default_class else ''}{domain}")
        if settings.exposure.proxy_protocol:
            yield from _wrapped("PROXY", f"protocol expected of everybody, believed to {', '.join(map(str, settings.exposure.proxy_protocol))}")
    yield from _wrapped("ConfigMap", f"{ingress.namespace}/{ingress.config_map}, profile {settings.profile}")


def _wrapped(head: str, text: str) -> Sequence[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"  {head:9}  ", subsequent_indent=" " * 13, break_on_hyphens=False)


def _values(ingress: IngressPlan) -> Iterator[str]:
    own = DEFAULTS[ingress.controller]
    rows: list[tuple[str, ...]] = [HEAD]
    for name, tuned in ingress.tuned.items():
        rows.append((name, _spelt(name, tuned.value), tuned.origin, _spelt(name, own[name]) if name in own else "NGINX's"))
    for key, value in sorted(ingress.settings.nginx.further.items()):
        rows.append((key, _short(value), "declared", ""))
    yield from aligned(rows)


def _spelt(name: str, value: Value) -> str:
    """A value with its unit."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if name == "large_client_header_buffers" and isinstance(value, tuple):
        return f"{value[0]} of {value[1]} KiB"
    if isinstance(value, tuple):
        return _short(", ".join(map(str, value)))
    if value == "auto":
        return "one for each CPU"
    if name == "max_worker_open_files" and value == 0:
        return "container's less 1024"
    return _short(f"{value} {UNITS.get(name.rpartition('_')[2], '')}".rstrip())


def _short(text: str) -> str:
    return text if len(text) <= VALUE_WIDTH else f"{text[: VALUE_WIDTH - 3]}..."


def fate(ingress: IngressPlan, response_kib: int) -> str:
    """What becomes of a response whose client takes nothing."""
    fits, file_mib = ingress.response.fits_kib, ingress.tuned["proxy_max_temp_file_size_mib"].value
    assert isinstance(file_mib, int)  # noqa: S101 - by the setting's type
    if not fits:
        return "is passed on as the client takes it, and the application waits as long (proxy_buffering off)"
    if response_kib <= fits:
        return "fits memory: the application is free as soon as it has written it"
    if not file_mib:
        return f"does not fit memory ({fits} KiB): the application waits for the client (no temporary files)"
    rest = " and the application waits with the rest" if response_kib - fits > file_mib * 1024 else ""
    return f"does not fit memory ({fits} KiB): NGINX writes a temporary file on the node's disk{rest}"


def _responses(ingress: IngressPlan, asked: int | None) -> Iterator[str]:
    response, capacity = ingress.response, ingress.capacity
    number, size = ingress.tuned["proxy_buffers_number"].value, ingress.tuned["proxy_buffer_size_kib"].value
    yield "RESPONSES TO A CLIENT THAT TAKES NOTHING MEANWHILE"
    if asked is not None:
        yield from _wrapped("asked", f"a response of {asked} KiB {fate(ingress, asked)}")
    if response.fits_kib:
        yield from _wrapped("fits", f"up to {response.fits_kib} KiB: {number} buffers of {size} KiB, and one for its headers")
    else:
        yield from _wrapped("fits", f"nothing is kept: one buffer of {size} KiB")
    replica = response.of_a_worker_mib * capacity.workers
    limit = ingress.settings.memory_limit_mib
    limited = f"; limit {limit} MiB" if limit is not None else ""
    memory = f"{response.of_a_connection_kib} KiB a response, {response.of_a_worker_mib} MiB a full worker, {replica} MiB a full replica"
    yield from _wrapped("memory", f"{memory}{limited}")


def _capacity(plan: Plan, ingress: IngressPlan) -> Iterator[str]:
    capacity, settings = ingress.capacity, ingress.settings
    expected = f"; {settings.expected_connections} are expected" if settings.expected_connections is not None else ""
    together = f", {capacity.clients * settings.replicas} of all {settings.replicas}" if settings.replicas > 1 else ""
    table = plan.conntrack.max_entries
    yield "CONNECTIONS"
    on_a_node = f"{capacity.replicas_on_a_node} replica{'s' if capacity.replicas_on_a_node > 1 else ''}"
    yield from _wrapped("workers", f"{capacity.workers} of a replica, {on_a_node} on a node at most")
    yield from _wrapped("clients", f"{capacity.clients} of a replica (half of {capacity.connections} connections){together}{expected}")
    yield from _wrapped("files", f"{capacity.open_files} a full worker")
    share = f"{capacity.conntrack_entries / table:.0%}"
    yield from _wrapped("conntrack", f"{capacity.conntrack_entries} entries of a node's {table} ({share}) when its replicas are full")
