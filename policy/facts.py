"""What no resource of a provider can say, and underlay's components therefore register as their own inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from policy.model import Resource, Stack, entries, tree

ENVIRONMENT: Final = "underlay:index:Environment"
HYPERVISOR: Final = "underlay:compute:Hypervisor"
MACHINE: Final = "underlay:compute:Machine"


@dataclass(frozen=True, kw_only=True)
class Residency:
    """In which countries an environment may stand."""

    countries: tuple[str, ...]
    reason: str
    places: Mapping[str, str]
    """Host of a URL to the country it stands in."""

    @property
    def allowed(self) -> str:
        """The countries, and why where it is said."""
        return f"allowed: {', '.join(self.countries) or 'none is named'}{f' ({self.reason})' if self.reason else ''}"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine's declared CPU policy and disks."""

    node: str
    role: str
    hypervisor: str
    cpu_policy: str
    overcommit: float
    disks: tuple[Mapping[str, Any], ...]

    @property
    def is_control_plane(self) -> bool:
        """Whether etcd runs there."""
        return self.role == "control-plane"


def environment(stack: Stack) -> Resource | None:
    """The environment, where one is registered."""
    return next(stack.of_type(ENVIRONMENT), None)


def residency(resource: Resource) -> Residency:
    """Of an environment."""
    places = {str(host): str(country) for host, country in resource.tree("residency", "places").items()}
    countries = tuple(map(str, resource.each("residency", "countries")))
    return Residency(countries=countries, reason=resource.text("residency", "reason"), places=places)


def hypervisor_of(resource: Resource, stack: Stack) -> Resource | None:
    """The hypervisor that a libvirt resource is on: the one its provider belongs to, or that has the provider's URI."""
    provider = stack.get(resource.provider)
    if provider is None:
        return stack.above(resource, HYPERVISOR)
    uri = provider.text("uri")
    return stack.above(provider, HYPERVISOR) or next((host for host in stack.of_type(HYPERVISOR) if uri and host.text("uri") == uri), None)


def place_of(resource: Resource, stack: Stack) -> str:
    """What tells one hypervisor from another: its URI where it is known, else its provider."""
    provider = stack.get(resource.provider)
    return (provider.text("uri") if provider is not None else "") or resource.provider


def machine_of(resource: Resource, stack: Stack) -> Machine | None:
    """The machine that a resource belongs to, or is."""
    found = resource if resource.type == MACHINE else stack.above(resource, MACHINE)
    if found is None or not found.text("cpuPolicy"):
        return None
    return Machine(
        node=found.text("node") or found.name,
        role=found.text("role"),
        hypervisor=found.text("hypervisor"),
        cpu_policy=found.text("cpuPolicy"),
        overcommit=found.number("overcommit") or 1.0,
        disks=tuple(tree(disk) for disk in found.each("disks")),
    )


def pool_media(hypervisor: Resource, pool: str) -> str:
    """What lies under a storage pool of a hypervisor: `nvme`, something else, or empty where nobody has said."""
    return next((str(tree(found).get("media") or "") for found in hypervisor.each("pools") if tree(found).get("name") == pool), "")


def drive_of(hypervisor: Resource, name: str) -> Mapping[str, Any]:
    """A whole drive of a hypervisor."""
    return tree(hypervisor.tree("drives").get(name))


def tenants(hypervisor: Resource) -> Mapping[str, frozenset[int]]:
    """CPUs that machines of others are pinned to, by the machine."""
    found = hypervisor.tree("tenants")
    return {name: frozenset(int(cpu) for cpu in entries(tree(tenant).get("cpus"))) for name, tenant in found.items()}
