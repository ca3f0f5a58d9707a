"""Everything stands in the countries that are allowed."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from policy.facts import ENVIRONMENT, HYPERVISOR, Residency, environment, hypervisor_of, place_of, residency
from policy.model import Resource, Stack
from policy.rule import Rule
from policy.urls import host_of, registry_of
from policy.workloads import images

_VOLUME: Final = "libvirt:index/volume:Volume"
_ON_HOSTS: Final = (
    "libvirt:index/domain:Domain",
    _VOLUME,
    "libvirt:index/pool:Pool",
    "libvirt:index/cloudInitDisk:CloudInitDisk",
)
_WORKLOADS: Final = tuple(
    f"kubernetes:{group}:{kind}{patch}"
    for group, kinds in (("apps/v1", ("DaemonSet", "Deployment", "StatefulSet")), ("batch/v1", ("Job", "CronJob")), ("core/v1", ("Pod",)))
    for kind in kinds
    for patch in ("", "Patch")
)


def machines(resource: Resource, stack: Stack) -> Iterator[str]:
    """A hypervisor abroad, or machines and volumes on one of which nobody says where it stands."""
    if resource.type == HYPERVISOR:
        yield from _hypervisor(resource, stack)
    elif resource.type in _ON_HOSTS:
        hypervisor = hypervisor_of(resource, stack)
        if hypervisor is not None and hypervisor.text("country"):
            return
        place = place_of(resource, stack)
        if not any(place_of(other, stack) == place for other in stack.before(resource, *_ON_HOSTS)):
            yield f"{resource.name} stands on a hypervisor ({_uri(resource, stack)}) of which nobody says in which country it is; declare its location"


def _hypervisor(resource: Resource, stack: Stack) -> Iterator[str]:
    allowed, country = _allowed(stack), resource.text("country")
    name = resource.text("hypervisor") or resource.name
    if allowed is None:
        yield f"hypervisor {name} stands in {country or 'an unknown country'}, and nothing says which countries are allowed; declare residency.countries"
    elif country and country not in allowed.countries:
        yield f"hypervisor {name} stands in {country}, {allowed.allowed}; place its machines and volumes on another, or correct its location"


def _uri(resource: Resource, stack: Stack) -> str:
    provider = stack.get(resource.provider)
    uri = provider.text("uri") if provider is not None else ""
    return urlsplit(uri).hostname or uri.partition("?")[0] or "libvirt's default"


def sources(resource: Resource, stack: Stack) -> Iterator[str]:
    """Files and images from hosts abroad, or from hosts of which nobody says where they stand; each host once for files and images."""
    allowed, declared = _allowed(stack), environment(stack)
    if allowed is None or declared is None:
        return
    if resource.type == ENVIRONMENT:
        for setting, source in sorted(declared.tree("sources").items()):
            yield from _foreign(host_of(str(source)), setting, allowed)
    elif resource.type == _VOLUME and resource.text("source") not in declared.tree("sources").values():
        yield from _foreign(host_of(resource.text("source")), f"the source of volume {resource.name}", allowed)
    elif resource.type in _WORKLOADS:
        known = {registry_of(image) for other in stack.before(resource, *_WORKLOADS) for image in images(other)}
        for registry in dict.fromkeys(map(registry_of, images(resource))):
            if registry not in known:
                yield from _foreign(registry, f"the registry of {resource.name}'s image", allowed)


def state(resource: Resource, stack: Stack) -> Iterator[str]:
    """A state backend abroad, or none that is declared."""
    allowed = _allowed(stack)
    if resource.type != ENVIRONMENT or allowed is None:
        return
    url = resource.text("stateBackend")
    if not url:
        yield f"state_backend is not declared, so nothing says where the state with every secret of the environment lies, {allowed.allowed}; write state_backend.url, and log in there"
    else:
        yield from _foreign(host_of(url), "state_backend.url", allowed)


def dependencies(resource: Resource, stack: Stack) -> Iterator[str]:
    """A dependency abroad."""
    allowed = _allowed(stack)
    if resource.type != ENVIRONMENT or allowed is None:
        return
    for name in sorted(resource.tree("dependencies")):
        country = resource.text("dependencies", name, "country")
        if country not in allowed.countries:
            yield f"dependency {name} ({resource.text('dependencies', name, 'host')}) stands in {country or 'an unknown country'}, {allowed.allowed}; use one that stands there"


def _foreign(host: str, what: str, allowed: Residency) -> Iterator[str]:
    if not host:
        return
    country = allowed.places.get(host)
    if country is None:
        yield f"{what} is {host}, of which nobody says where it stands, {allowed.allowed}; name it in residency.places, or use a mirror that stands there"
    elif country not in allowed.countries:
        yield f"{what} is {host}, which stands in {country}, {allowed.allowed}; use a mirror that stands there"


def _allowed(stack: Stack) -> Residency | None:
    declared = environment(stack)
    return residency(declared) if declared is not None else None


_REASON: Final = "Data is bound by the law of the place where it lies: whoever can reach the disk, the state or the code that runs beside the data can reach the data."
_SOURCE: Final = "Regulation (EU) 2016/679 (GDPR), articles 44 to 46"

RULES: Final = (
    Rule(
        id="residency-machines",
        level="mandatory",
        demand="Machines and their volumes stand in the allowed countries.",
        reason=_REASON,
        source=_SOURCE,
        judge=machines,
    ),
    Rule(
        id="residency-sources",
        level="mandatory",
        demand="Node images, manifests and container images come from hosts in the allowed countries.",
        reason="What is fetched runs with every right on the data, and its host sees who fetches what and when; a mirror of one's own keeps working while others do not.",
        source=_SOURCE,
        judge=sources,
    ),
    Rule(
        id="residency-state",
        level="mandatory",
        demand="The state backend is declared and stands in the allowed countries.",
        reason="The state holds every key of the environment, and where nothing else is chosen the engine keeps it with its vendor.",
        source=f"Pulumi documentation, State and backends; {_SOURCE}",
        judge=state,
    ),
    Rule(
        id="residency-dependencies",
        level="mandatory",
        demand="What applications depend on stands in the allowed countries.",
        reason=_REASON,
        source=_SOURCE,
        judge=dependencies,
    ),
)
