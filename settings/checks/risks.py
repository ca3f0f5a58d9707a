"""Legal choices that an operator should know about: what they cost, or that they do nothing."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.dependencies import distances
from settings.checks.ingress_risks import ingress_risks
from settings.checks.pod_risks import pod_risks
from settings.checks.seating_risks import seating_risks
from settings.checks.sets import path_of, populated
from settings.cluster import NEWEST_TESTED, NODE_PORTS_FLAG, OCCUPIED_PORTS
from settings.hypervisor import StoragePool
from settings.machine import ControlPlane, count_of

if TYPE_CHECKING:
    from settings.environment import Environment


def risks(environment: "Environment") -> list[Problem]:
    """All warnings but kube-proxy's own."""
    checks = (
        _hypervisors,
        _shared_hosts,
        _pools,
        seating_risks,
        _disks,
        _unavailability,
        _nowhere,
        _cluster,
        _image,
        _conntrack,
        _time,
        distances,
        pod_risks,
        ingress_risks,
    )
    return [problem for check in checks for problem in check(environment)]


def _hypervisors(environment: "Environment") -> Iterator[Problem]:
    used = {seat.host for seat in environment.placement.seats}
    for name, hypervisor in environment.hypervisors.items():
        path = f"hypervisors.{name}"
        if name not in used:
            yield Problem(path, "carries no machine; name it in a placement or remove it")
        if hypervisor.domain_type == "qemu":
            yield Problem(f"{path}.domain_type", "is qemu: machines are emulated, ten times slower; use kvm for production")
        if hypervisor.uri.startswith("qemu+tcp:"):
            yield Problem(f"{path}.uri", "uses qemu+tcp, neither encrypted nor signed; use qemu+ssh or qemu+tls")


def _shared_hosts(environment: "Environment") -> Iterator[Problem]:
    first: dict[str, str] = {}
    for name, hypervisor in environment.hypervisors.items():
        uri = hypervisor.uri.rstrip("/")
        if uri in first:
            yield Problem(
                f"hypervisors.{name}.uri", f"is the same as hypervisors.{first[uri]}.uri: one host counted twice; make them one, or correct the URI"
            )
        first.setdefault(uri, name)


def _pools(environment: "Environment") -> Iterator[Problem]:
    def ignored(path: str, pool: StoragePool | None) -> Iterator[Problem]:
        for field in ("path", "volume_group", "devices"):
            if pool is not None and not pool.managed and getattr(pool, field):
                yield Problem(f"{path}.{field}", "is ignored: the pool is adopted as it is; remove it, or write managed: true")

    for name, hypervisor in environment.hypervisors.items():
        yield from ignored(f"hypervisors.{name}.pool", hypervisor.pool)
        yield from ignored(f"hypervisors.{name}.files_pool", hypervisor.files_pool)


def _disks(environment: "Environment") -> Iterator[Problem]:
    for name, node_set in environment.node_sets().items():
        if node_set.disk.cache == "unsafe":
            yield Problem(f"{path_of(name)}.disk.cache", "is unsafe: a power cut of the hypervisor loses the disk; use none for production")


def _unavailability(environment: "Environment") -> Iterator[Problem]:
    for path, node_set in populated(environment):
        count = count_of(node_set)
        if not isinstance(node_set, ControlPlane) and node_set.max_unavailable >= count > 1:
            yield Problem(
                f"{path}.max_unavailable", f"is {node_set.max_unavailable} of {count}: all may be missing at once; write {count - 1} or less"
            )


def _nowhere(environment: "Environment") -> Iterator[Problem]:
    for _, node_set in populated(environment):
        closed = isinstance(node_set, ControlPlane) and not node_set.workloads
        if not closed and all(taint.effect == "PreferNoSchedule" for taint in node_set.taints):
            return
    yield Problem("workers", "has no machine without a taint: ordinary pods have nowhere to run; add one, or write control_plane.workloads: true")


def _cluster(environment: "Environment") -> Iterator[Problem]:
    cluster = environment.cluster
    if "unsafe-no-fsync" in cluster.etcd.args:
        yield Problem("cluster.etcd.args.unsafe-no-fsync", "lets etcd lose acknowledged writes at a power cut; remove it for production")
    if cluster.minor > NEWEST_TESTED:
        newest = f"{NEWEST_TESTED[0]}.{NEWEST_TESTED[1]}"
        yield Problem("cluster.kubernetes_version", f"is newer than {newest}, the newest that underlay was tested with; try it in a lab first")
    first, last = cluster.node_port_range
    taken = next((port for port in sorted(OCCUPIED_PORTS) if first <= port <= last), None)
    if taken is not None:
        path = f"cluster.api_server.args.{NODE_PORTS_FLAG}"
        yield Problem(path, f"holds {taken}, where {OCCUPIED_PORTS[taken]} listens: a Service on it would take its traffic; choose ports without it")
    if cluster.endpoint.held_by == "external" and "vrrp" in cluster.endpoint.model_fields_set:
        yield Problem("cluster.endpoint.vrrp", "is ignored: held_by is external; remove it, or write held_by: keepalived")


def _image(environment: "Environment") -> Iterator[Problem]:
    image, version = environment.image, environment.cluster.kubernetes_version
    for field, source in (("source", image.source), ("raw", image.raw), ("kernel", image.kernel), ("initrd", image.initrd)):
        named = re.findall(r"node-(1\.[0-9]+\.[0-9]+)(?![0-9])", source or "")
        if named and version not in named:
            yield Problem(
                f"image.{field}", f"names Kubernetes {named[0]}, but cluster.kubernetes_version is {version}; name the image of that version"
            )


def _conntrack(environment: "Environment") -> Iterator[Problem]:
    conntrack = environment.node.conntrack
    path, smallest = min(populated(environment), key=lambda entry: entry[1].memory_mib)
    if conntrack.full_table_mib * 10 > smallest.memory_mib:
        yield Problem(
            "node.conntrack.max_entries",
            f"is {conntrack.max_entries}: when full {conntrack.full_table_mib} MiB of kernel memory, more than a tenth of {path}.memory_mib "
            f"({smallest.memory_mib}); lower it or add memory",
        )


def _time(environment: "Environment") -> Iterator[Problem]:
    if len(environment.node.time.servers) == 2:
        yield Problem("node.time.servers", "has 2 servers: when they disagree neither is believed; name one, or three and more")
