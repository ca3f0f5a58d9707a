"""The stack's outputs: the contract that applications read (outputs/), one output for each of its fields."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import Output
from pydantic import ValidationError

import outputs
from outputs.errors import problems
from plan import Plan

BYTES_PER_MIB = 1024 * 1024
BYTES_PER_KIB = 1024


@dataclass(frozen=True, kw_only=True)
class Made:
    """What the plan does not know."""

    ca_certificate: pulumi.Input[str]
    """Of the cluster's CA, PEM."""
    kubeconfig: pulumi.Input[str]
    ingress_addresses: pulumi.Input[Sequence[str]]
    """Where clients reach the ingress controller; empty where there is none."""


def exports(plan: Plan, made: Made) -> dict[str, pulumi.Input[Any]]:
    """Every output by its name. A value that breaks the contract fails the program, in the preview where it is known there."""
    with _promised():
        published: dict[str, pulumi.Input[Any]] = {
            "contract_version": outputs.CONTRACT_VERSION,
            "environment": plan.settings.name,
            "location": location(plan).model_dump(mode="json"),
            "api": Output.unsecret(Output.from_input(made.ca_certificate)).apply(lambda certificate: _api(plan, certificate)),
            "kubeconfig": Output.secret(made.kubeconfig),
            "networks": networks(plan).model_dump(mode="json"),
            "nodes": [node.model_dump(mode="json") for node in nodes(plan)],
            "bgp": bgp(plan).model_dump(mode="json"),
            "ingress": Output.from_input(made.ingress_addresses).apply(lambda addresses: _ingress(plan, addresses)),
            "storage_class": plan.settings.applications.storage_class,
            "limits": limits(plan).model_dump(mode="json"),
            "kube_proxy_mode": plan.settings.kube_proxy.mode,
            "verification_report": plan.settings.applications.verification_report,
        }
    Output.all(**published).apply(_checked)
    return published


def location(plan: Plan) -> outputs.Location:
    """Where the machines stand; hypervisors without any are left out."""
    used = {key: host.location for key, host in sorted(plan.settings.hypervisors.items()) if plan.nodes_on(key)}
    return outputs.Location(
        countries=tuple(sorted({place.country for place in used.values()})),
        sites=tuple(sorted({place.site for place in used.values()})),
        hypervisors={key: outputs.Hypervisor(country=place.country, site=place.site) for key, place in used.items()},
    )


def networks(plan: Plan) -> outputs.Networks:
    """Ranges and packet sizes."""
    settings = plan.settings
    return outputs.Networks(
        nodes=str(settings.network.cidr),
        pods=str(settings.pod_network.cidr),
        services=str(settings.cluster.service_network),
        load_balancers=tuple(map(str, settings.pod_network.services.load_balancer)),
        link_mtu=settings.network.mtu,
        pod_mtu=plan.pod_network.mtu,
        overhead_bytes=plan.pod_network.overhead,
    )


def nodes(plan: Plan) -> Iterator[outputs.Node]:
    """All nodes in the order of the plan."""
    for node in plan.nodes:
        yield outputs.Node(
            name=node.name,
            role=node.role,
            address=str(node.address),
            as_number=plan.pod_network.bgp.speaker(node.name).as_number,
            hypervisor=node.hypervisor,
            zone=plan.settings.hypervisors[node.hypervisor].location.site,
            labels=dict(node.labels),
        )


def bgp(plan: Plan) -> outputs.Bgp:
    """Autonomous system, routers, and what is announced."""
    fabric = plan.pod_network.bgp
    return outputs.Bgp(
        as_number=fabric.settings.as_number,
        topology=fabric.settings.topology,
        routers=tuple(
            outputs.Router(name=router.name, address=str(router.settings.address), as_number=router.settings.as_number) for router in fabric.routers
        ),
        advertised=tuple(map(str, (*(pool.cidr for pool in fabric.pools), *fabric.service_ranges))),
    )


def ingress(plan: Plan, addresses: Sequence[str]) -> outputs.Ingress | None:
    """The front door, reached at these addresses; None where there is none."""
    planned, declared = plan.ingress, plan.settings.ingress
    if planned is None or declared is None:
        return None
    return outputs.Ingress(
        controller=planned.controller,
        class_name=declared.class_name,
        default_class=declared.default_class,
        namespace=planned.namespace,
        addresses=tuple(addresses),
        domain=declared.domain,
        exposure=declared.exposure.kind,
    )


def limits(plan: Plan) -> outputs.Limits:
    """What applications run into."""
    response, body = None, None
    if plan.ingress is not None:
        response = plan.ingress.response.fits_kib * BYTES_PER_KIB
        tuned = plan.ingress.tuned["proxy_body_size_mib"].value
        body = tuned * BYTES_PER_MIB if isinstance(tuned, int) else None
    return outputs.Limits(
        request_body_bytes=body,
        buffered_response_bytes=response,
        conntrack_entries_per_node=plan.conntrack.max_entries,
        pods_per_node=plan.settings.cluster.max_pods,
    )


def _api(plan: Plan, certificate: str) -> dict[str, Any]:
    with _promised():
        return outputs.Api(endpoint=plan.api_url, root_certificate=certificate).model_dump(mode="json")


def _ingress(plan: Plan, addresses: Sequence[str]) -> dict[str, Any] | None:
    with _promised():
        found = ingress(plan, addresses)
    return found.model_dump(mode="json", exclude_none=True) if found else None


def _checked(published: Mapping[str, Any]) -> None:
    """Read the outputs as an application will."""
    with _promised():
        outputs.Environment.model_validate(published)


@contextmanager
def _promised() -> Generator[None]:
    """Whatever breaks the contract fails the program, without a traceback and without a secret."""
    try:
        yield
    except ValidationError as error:
        lines = "".join(f"\n  - {error.title}: {line}" for line in problems(error))
        raise pulumi.RunError(
            f"the outputs do not keep contract {outputs.CONTRACT_VERSION}; this is a mistake in underlay, report it:{lines}"
        ) from None
