"""The ingress: what costs something, does nothing, or is less than the controller does by itself."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.ingress_tuning import tuning_risks
from settings.checks.ingress_view import View, view
from settings.nginx_capacity import mib
from settings.nginx_tuned import number_of
from settings.versions import spelt

if TYPE_CHECKING:
    from settings.environment import Environment

INSTALLERS_OWN = (
    "manifest",
    "registry",
    "digests",
    "default_class",
    "cpu_request_millis",
    "memory_request_mib",
    "drain_s",
    "ready_s",
)
"""What only a controller uses that underlay installs."""

IPVS_TCP_S = 900
"""How long the kernel's IPVS keeps an idle TCP connection by itself."""


def ingress_risks(environment: "Environment") -> Iterator[Problem]:
    """All warnings of the ingress."""
    found = view(environment)
    if found is None:
        return
    yield from _release(found, environment.cluster.minor)
    yield from _replicas(found) if found.is_ours else _ignored(found)
    yield from _exposure(found, environment)
    yield from _names(found)
    yield from _memory(found)
    yield from _table(found, environment.node.conntrack.max_entries)
    yield from _silence(found, environment)
    yield from tuning_risks(found)


def _release(found: View, minor: tuple[int, int]) -> Iterator[Problem]:
    release, version = found.release, found.ingress.used_version
    if found.ingress.controller == "ingress-nginx":
        yield Problem(
            "ingress.controller",
            f"is ingress-nginx, retired upstream in March 2026: {release.version} is its last release, holes that are found now stay open; "
            "plan the move to controller: f5-nginx",
        )
    if version != release.version:
        path = "ingress.version"
        yield Problem(
            path, f"is {version}: keys, defaults and objects are known of {release.version}; compare its release notes, and try it in a lab first"
        )
    elif found.is_ours and release.tested is not None and not release.tested[0] <= minor <= release.tested[1]:
        first, last = release.tested
        yield Problem(
            "ingress.controller",
            f"is {release.name} {version}, tested with Kubernetes {spelt(first)} to {spelt(last)}, not with {spelt(minor)}: "
            "choose a tested pair, or try it in a lab first",
        )


def _replicas(found: View) -> Iterator[Problem]:
    ingress, nodes = found.ingress, len(found.nodes)
    if ingress.replicas == 1 and nodes == 1 and ingress.exposure.kind == "host-network":
        yield Problem(
            "ingress.replicas",
            "is 1 on the ports of one node: nothing answers while it is replaced, or its node is missing; name more nodes, write 2",
        )
    elif ingress.replicas == 1:
        yield Problem("ingress.replicas", "is 1: nothing answers while its node is missing; write 2 or more")
    elif 0 < nodes < ingress.replicas and ingress.exposure.kind != "host-network":
        yield Problem(
            "ingress.replicas",
            f"is {ingress.replicas} on {nodes} node{'' if nodes == 1 else 's'} that may run one: {found.capacity.replicas_on_a_node} share a node and are "
            "lost with it; write fewer, or widen ingress.nodes",
        )
    expected, carried = ingress.expected_connections, (ingress.replicas - 1) * found.capacity.clients
    if expected is not None and carried < expected and ingress.replicas > 1:
        yield Problem(
            "ingress.expected_connections",
            f"is {expected}, but with one replica missing the others carry {carried}; add a replica, or raise nginx.max_worker_connections",
        )


def _ignored(found: View) -> Iterator[Problem]:
    for name in INSTALLERS_OWN:
        if name in found.ingress.model_fields_set:
            yield Problem(f"ingress.{name}", "is ignored: controller is configmap-only; remove it")


def _exposure(found: View, environment: "Environment") -> Iterator[Problem]:
    exposure, path = found.ingress.exposure, "ingress.exposure.proxy_protocol"
    if exposure.proxy_protocol and exposure.kind == "load-balancer" and found.is_ours:
        yield Problem(
            path,
            "is declared with kind load-balancer: clients that come to the announced address by themselves, pods among them, are refused; "
            "declare it where all come through a load balancer of yours",
        )
    for index, network in enumerate(exposure.proxy_protocol):
        if network.overlaps(environment.pod_network.cidr):
            yield Problem(
                f"{path}[{index}]",
                f"is {network}, which overlaps pod_network.cidr {environment.pod_network.cidr}: pods in it can claim any client's address; "
                "name the load balancers' own networks",
            )


def _names(found: View) -> Iterator[Problem]:
    if found.ingress.domain is None:
        yield Problem("ingress.domain", "is missing: applications are told no domain for their names; name one whose DNS points at the controller")


def _memory(found: View) -> Iterator[Problem]:
    clients, each, limit = found.clients_of_a_replica, found.response.of_a_connection_kib, found.ingress.memory_limit_mib
    needed, replicas = mib(clients * each), found.capacity.replicas_on_a_node
    remedy = "lower max_worker_connections or the buffers, or declare expected_connections"
    full = f"{clients} clients with a response of {each} KiB in buffers each"
    if limit is not None and needed > limit:
        yield Problem("ingress.memory_limit_mib", f"is {limit}: {full} take {needed} MiB; raise it, {remedy}")
    elif limit is None and found.nodes:
        node, shape = min(found.nodes, key=lambda entry: entry[1].memory_mib)
        if needed * replicas > shape.memory_mib:
            several = f"{replicas} times {full}" if replicas > 1 else full
            yield Problem(
                "ingress.memory_limit_mib",
                f"is unset: {several} take {needed * replicas} MiB of the {shape.memory_mib} of {node.name}; name one, {remedy}",
            )


def _table(found: View, entries: int) -> Iterator[Problem]:
    capacity = found.capacity
    if found.nodes and found.ingress.expected_connections is None and capacity.conntrack_entries > entries:
        replicas = f"{capacity.replicas_on_a_node} replicas" if capacity.replicas_on_a_node > 1 else "1 replica"
        yield Problem(
            "ingress.nginx.max_worker_connections",
            f"lets {capacity.conntrack_entries} connections onto a node ({replicas} of {capacity.workers} workers), whose table has {entries} entries "
            "(node.conntrack.max_entries): a full one drops everybody's packets; raise that, lower this or the workers, or declare expected_connections",
        )


def _silence(found: View, environment: "Environment") -> Iterator[Problem]:
    """Connections through a Service may be silent as long as NGINX keeps them; on the host's network nothing is translated that could be forgotten."""
    if found.ingress.exposure.kind == "host-network":
        return
    name, longest = max(((name, number_of(found.values, name)) for name in ("keep_alive_s", "proxy_read_timeout_s")), key=lambda entry: entry[1])
    path, tracked, proxy = f"ingress.nginx.{name}", environment.node.conntrack.tcp_established_s, environment.kube_proxy
    forgotten = "clients' silent connections are forgotten before NGINX ends them, and what comes then is lost; lower it, or raise that"
    if longest > tracked:
        yield Problem(path, f"is {longest}, more than node.conntrack.tcp_established_s {tracked}: {forgotten}")
    held = proxy.ipvs.tcp_timeout_s or IPVS_TCP_S
    if proxy.mode == "ipvs" and longest > held:
        yield Problem(path, f"is {longest}, more than the {held} that IPVS keeps (kube_proxy.ipvs.tcp_timeout_s): {forgotten}")
