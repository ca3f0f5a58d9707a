"""Calico's version against Kubernetes and kube-proxy."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.calico_versions import API_SERVER_MANIFEST, BROKEN, IMPOSSIBLE, MANIFEST, PUBLISHED, SUMS, TESTED, minor_of
from settings.versions import spelt

if TYPE_CHECKING:
    from settings.environment import Environment

PATH = "pod_network.calico.version"


def unknown_manifests(environment: "Environment") -> Iterator[Problem]:
    """Manifests are declared, or known by their sum."""
    calico = environment.pod_network.calico
    if environment.pod_network.kind != "calico":
        return
    for name, file, manifest in (
        ("manifest", MANIFEST, calico.used_manifest),
        ("api_server_manifest", API_SERVER_MANIFEST, calico.used_api_server_manifest),
    ):
        if manifest is None:
            known = ", ".join(sorted(version for version, known_file in SUMS if known_file == file))
            url = PUBLISHED.format(version=calico.version, file=file)
            yield Problem(
                f"pod_network.calico.{name}",
                f"is missing: underlay knows the sum of {file} of Calico {known} only; read {url} and write source and sha256 of it",
            )


MAX_AS = 2147483647
"""Calico's definitions hold AS numbers of BGPConfiguration and BGPPeer as signed 32-bit numbers (projectcalico/calico issue 13494)."""


def impossible_pairs(environment: "Environment") -> Iterator[Problem]:
    """Calico can do what the environment asks of it."""
    calico = environment.pod_network.calico
    if environment.pod_network.kind != "calico":
        return
    if calico.version in BROKEN:
        yield Problem(PATH, f"is {calico.version}, {BROKEN[calico.version]}")
    for pair in IMPOSSIBLE:
        if minor_of(calico.version) < pair.before and pair.applies(environment.kube_proxy.mode):
            yield Problem(PATH, f"is {calico.version}, {pair.reason}, limit: at least {spelt(pair.before)}; name a newer one")


def as_numbers(environment: "Environment") -> Iterator[Problem]:
    """Calico's API can hold the AS numbers; a node's own is an annotation, which can be any."""
    bgp = environment.pod_network.bgp
    if environment.pod_network.kind != "calico":
        return
    numbers = {"as_number": bgp.as_number} | {f"routers.{name}.as_number": router.as_number for name, router in bgp.routers.items()}
    for path, number in numbers.items():
        remedy = (
            "name a smaller one, or give the nodes theirs by racks"
            if path == "as_number"
            else "give the router a smaller one (local-as towards the nodes)"
        )
        if number > MAX_AS:
            yield Problem(f"pod_network.bgp.{path}", f"is {number}, limit {MAX_AS}, the largest that Calico's API takes; {remedy}")


def untested_pairs(environment: "Environment") -> Iterator[Problem]:
    """A warning where Calico is not tested with the Kubernetes version."""
    calico, cluster = environment.pod_network.calico, environment.cluster
    if environment.pod_network.kind != "calico":
        return
    tested = TESTED.get(minor_of(calico.version))
    if tested is None:
        known = ", ".join(spelt(minor) for minor in TESTED)
        yield Problem(PATH, f"is {calico.version}: which Kubernetes it is tested with is known of {known} only; try it in a lab first")
    elif not tested[0] <= cluster.minor <= tested[1]:
        yield Problem(
            PATH,
            f"is {calico.version}, tested with Kubernetes {spelt(tested[0])} to {spelt(tested[1])}, not with {spelt(cluster.minor)}: "
            "choose a tested pair, or try it in a lab first",
        )
