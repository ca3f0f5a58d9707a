"""The cluster's programs against the nodes that they run on."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.checks.sets import path_of, populated
from settings.flags import is_off

if TYPE_CHECKING:
    from settings.environment import Environment

OWNED_LABELS = {
    "kubernetes.io/hostname": "the kubelet",
    "kubernetes.io/os": "the kubelet",
    "kubernetes.io/arch": "the kubelet",
    "topology.kubernetes.io/region": "underlay (from location.country)",
    "topology.kubernetes.io/zone": "underlay (from location.site)",
    "node-role.kubernetes.io/control-plane": "kubeadm",
    "node-role.kubernetes.io/master": "kubeadm",
    "node.kubernetes.io/exclude-from-external-load-balancers": "kubeadm",
}
OPEN_DOMAINS = ("node-role.kubernetes.io", "node-restriction.kubernetes.io", "node.kubernetes.io")
"""Domains of Kubernetes in which an administrator may set labels; underlay sets them as one."""
ELECTION_MS, HEARTBEAT_MS, MOST_ELECTION_MS = 1000, 100, 50_000
"""etcd's defaults and limit."""


def labels_and_taints(environment: "Environment") -> Iterator[Problem]:
    """Labels and taints that others keep are left to them."""
    for name, node_set in environment.node_sets().items():
        for key in node_set.labels:
            yield from _label(f"{path_of(name)}.labels", key)
        for index, taint in enumerate(node_set.taints):
            path, domain = f"{path_of(name)}.taints[{index}].key", taint.key.rpartition("/")[0]
            if taint.key == "node-role.kubernetes.io/control-plane":
                yield Problem(path, f"is {taint.key}, which underlay keeps itself; remove it and use control_plane.workloads")
            elif domain == "node.kubernetes.io" or domain.endswith("cloudprovider.kubernetes.io"):
                yield Problem(path, f"is {taint.key}, a taint of Kubernetes' own controllers; use a key of your own, such as dedicated")


def _label(path: str, key: str) -> Iterator[Problem]:
    domain = key.rpartition("/")[0]
    if key in OWNED_LABELS:
        yield Problem(path, f"has {key}, which {OWNED_LABELS[key]} sets; remove it")
    elif domain == "underlay.dev" or domain.endswith(".underlay.dev"):
        yield Problem(path, f"has {key}, in underlay's own domain; use a domain of your own, such as example.com/")
    elif domain in OPEN_DOMAINS:
        return
    elif any(domain == reserved or domain.endswith(f".{reserved}") for reserved in ("kubernetes.io", "k8s.io")):
        yield Problem(
            path, f"has {key}, in a domain that Kubernetes keeps for itself, allowed of it: {', '.join(OPEN_DOMAINS)}; use one of them or your own"
        )


def leaders(environment: "Environment") -> Iterator[Problem]:
    """Where there are several control planes, one of them leads."""
    if environment.control_plane.count == 1:
        return
    for name in ("controller_manager", "scheduler"):
        if is_off(environment.cluster.components()[name].args.get("leader-elect")):
            yield Problem(
                f"cluster.{name}.args.leader-elect",
                f"is off with {environment.control_plane.count} control planes, which would all act at once; remove it",
            )


def etcd_times(environment: "Environment") -> Iterator[Problem]:
    """etcd starts only with an election timeout of five heartbeats or more."""
    values = {"heartbeat-interval": HEARTBEAT_MS, "election-timeout": ELECTION_MS}
    for flag in values:
        given = environment.cluster.etcd.args.get(flag, str(values[flag]))
        if not (given.isdecimal() and 0 < int(given) <= MOST_ELECTION_MS):
            yield Problem(f"cluster.etcd.args.{flag}", f"is {given[:60]!r}, limits 1 to {MOST_ELECTION_MS}; write milliseconds")
            return
        values[flag] = int(given)
    heartbeat, election = values["heartbeat-interval"], values["election-timeout"]
    if election < 5 * heartbeat:
        yield Problem("cluster.etcd.args.election-timeout", f"is {election}, limit: at least {5 * heartbeat} (five heartbeat-intervals); raise it")


def conntrack_memory(environment: "Environment") -> Iterator[Problem]:
    """The full connection-tracking table takes at most half of the smallest node's memory."""
    conntrack = environment.node.conntrack
    path, smallest = min(populated(environment), key=lambda entry: entry[1].memory_mib)
    limit = smallest.memory_mib // 2
    if conntrack.full_table_mib > limit:
        yield Problem(
            "node.conntrack.max_entries",
            f"is {conntrack.max_entries}, when full {conntrack.full_table_mib} MiB of kernel memory, limit {limit} (half of {path}.memory_mib); "
            "lower it or add memory",
        )


def proxy_requests(environment: "Environment") -> Iterator[Problem]:
    """kube-proxy's requests fit the smallest node."""
    proxy = environment.kube_proxy
    path, slowest = min(populated(environment), key=lambda entry: entry[1].vcpus)
    if proxy.cpu_request_millis > slowest.vcpus * 1000:
        yield Problem("kube_proxy.cpu_request_millis", f"is {proxy.cpu_request_millis}, limit {slowest.vcpus * 1000} ({path}.vcpus); lower it")
    path, smallest = min(populated(environment), key=lambda entry: entry[1].memory_mib)
    if proxy.memory_request_mib > smallest.memory_mib:
        yield Problem("kube_proxy.memory_request_mib", f"is {proxy.memory_request_mib}, limit {smallest.memory_mib} ({path}.memory_mib); lower it")


def proxy_mode(environment: "Environment") -> Iterator[Problem]:
    """The Kubernetes version has the mode."""
    yield from environment.kube_proxy.refusals(environment.cluster.minor)
