"""Everything that holds data, against the countries that are allowed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.residency import place_of

if TYPE_CHECKING:
    from settings.environment import Environment


def hypervisors(environment: "Environment") -> Iterator[Problem]:
    """Hypervisors stand in the countries that are allowed."""
    for name, hypervisor in environment.hypervisors.items():
        country = hypervisor.location.country
        if country not in environment.residency.countries:
            yield Problem(
                f"hypervisors.{name}.location.country",
                f"is {country!r}, allowed by residency: {environment.residency.words}; use a hypervisor there or widen residency",
            )


def dependencies(environment: "Environment") -> Iterator[Problem]:
    """Dependencies stand in the countries that are allowed: what applications send them leaves the environment."""
    for name, dependency in environment.dependencies.items():
        if dependency.country not in environment.residency.countries:
            yield Problem(
                f"dependencies.{name}.country",
                f"is {dependency.country!r}, allowed by residency: {environment.residency.words}; use one that stands there or widen residency",
            )


def image(environment: "Environment") -> Iterator[Problem]:
    """The node image comes from where it may."""
    files = environment.image
    for name, url in (("source", files.source), ("raw", files.raw), ("kernel", files.kernel), ("initrd", files.initrd)):
        yield from _url(environment, f"image.{name}", url)


def calico(environment: "Environment") -> Iterator[Problem]:
    """Calico's manifests and images come from where they may."""
    settings = environment.pod_network.calico
    for name, manifest in (("manifest", settings.manifest), ("api_server_manifest", settings.api_server_manifest)):
        yield from _url(environment, f"pod_network.calico.{name}.source", manifest.source if manifest else None)
    yield from _registry(environment, "pod_network.calico.registry", settings.registry)


def ingress(environment: "Environment") -> Iterator[Problem]:
    """The ingress controller's manifest and images come from where they may."""
    if environment.ingress is not None:
        manifest = environment.ingress.manifest
        yield from _url(environment, "ingress.manifest.source", manifest.source if manifest else None)
        yield from _registry(environment, "ingress.registry", environment.ingress.registry)


def state_backend(environment: "Environment") -> Iterator[Problem]:
    """The state is kept where it may be."""
    yield from _url(environment, "state_backend.url", environment.state_backend.url if environment.state_backend else None)


def report(environment: "Environment") -> Iterator[Problem]:
    """The verifier's report is published where it may be."""
    yield from _url(environment, "applications.verification_report", environment.applications.verification_report)


def _registry(environment: "Environment", path: str, registry: str | None) -> Iterator[Problem]:
    yield from _url(environment, path, f"https://{registry}" if registry else None)


def _url(environment: "Environment", path: str, url: str | None) -> Iterator[Problem]:
    host, residency = place_of(url or ""), environment.residency
    if not host:
        return
    country = residency.places.get(host)
    if country is None:
        yield Problem(
            path, f"is at {host}, whose country residency.places does not name; add {host}: {residency.countries[0]} there if that is where it stands"
        )
    elif country not in residency.countries:
        yield Problem(path, f"is at {host} in {country}, allowed by residency: {residency.words}; use one that stands there or widen residency")
