"""What kube-proxy should carry on a node, from the Services and EndpointSlices of the API (pkg/proxy: serviceport.go, topology.go)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ops.verify.reading import document
from ops.verify.reading.document import items, mapping, sequence, text, whole

SERVICES = "/api/v1/services"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
ANY_ADDRESS = "*"
"""Address of a NodePort where the table has it once for all."""
FOREIGN_LABEL, HEADLESS_LABEL, SERVICE_LABEL = (
    "service.kubernetes.io/service-proxy-name",
    "service.kubernetes.io/headless",
    "kubernetes.io/service-name",
)
ZONE_LABEL = "topology.kubernetes.io/zone"
Kind = Literal["cluster", "external", "load-balancer", "node-port"]


class Key(NamedTuple):
    """Where a Service answers."""

    protocol: str
    """tcp, udp or sctp."""
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.protocol} {self.address}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A pod's address and port behind a Service, with what decides whether a node may use it."""

    address: str
    node: str
    ready: bool
    last_resort: bool
    """Serves while it terminates: used where nothing is ready."""
    zones: frozenset[str]
    nodes: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One place where a Service answers, and who should answer there."""

    service: str
    """namespace/name:port."""
    kind: Kind
    cluster: frozenset[str]
    """Endpoints for traffic that may go anywhere."""
    local: frozenset[str]
    """Endpoints on the node itself."""
    policy_local: bool
    affinity_s: int | None
    """Seconds for which a client keeps its endpoint; None: it does not."""

    def endpoints(self, mode: str) -> frozenset[str]:
        """Endpoints that the node's table should name; the rule-based modes let the node's own traffic go anywhere."""
        if not self.policy_local:
            return self.cluster
        if mode == "ipvs":
            return self.local or self.cluster
        return self.local if self.kind == "cluster" else self.cluster | self.local


@dataclass(frozen=True, kw_only=True)
class Place:
    """The node whose table it is."""

    name: str
    zone: str
    node_ports: tuple[str, ...]
    """Addresses at which its NodePorts are looked for."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """The Services that kube-proxy carries, and the endpoints behind each port."""

    proxied: tuple[Mapping[str, Any], ...]
    endpoints: Mapping[tuple[str, str], list[Endpoint]]
    """By namespace/name and name of the port."""

    def on(self, place: Place) -> dict[Key, Expected]:
        """All that a node should carry."""
        return {key: value for service in self.proxied for key, value in _of_service(service, self.endpoints, place)}


def read(services: object, slices: object) -> Services | None:
    """The API's two lists; None where either is none."""
    listed, sliced = items(services), items(slices)
    if listed is None or sliced is None:
        return None
    return Services(proxied=tuple(filter(_is_proxied, listed)), endpoints=_by_service_port(sliced))


def ipv4(value: object) -> str:
    """An IPv4 address as text; empty where it is none."""
    return str(document.address(value) or "")


def _is_proxied(service: Mapping[str, Any]) -> bool:
    spec, labels = mapping(service.get("spec")), mapping(mapping(service.get("metadata")).get("labels"))
    return spec.get("type") != "ExternalName" and FOREIGN_LABEL not in labels and bool(_cluster_ip(spec))


def _cluster_ip(spec: Mapping[str, Any]) -> str:
    found = (ipv4(address) for address in (spec.get("clusterIP"), *sequence(spec.get("clusterIPs"))))
    return next((address for address in found if address), "")


def _of_service(service: Mapping[str, Any], endpoints: Mapping[tuple[str, str], list[Endpoint]], place: Place) -> Iterator[tuple[Key, Expected]]:
    spec, name = mapping(service.get("spec")), _name(mapping(service.get("metadata")))
    balancer = mapping(mapping(service.get("status")).get("loadBalancer"))
    virtual = [ipv4(one.get("ip")) for one in map(mapping, sequence(balancer.get("ingress"))) if one.get("ipMode", "VIP") == "VIP"]
    outside = [ipv4(address) for address in sequence(spec.get("externalIPs"))]
    internal_local = spec.get("internalTrafficPolicy") == "Local"
    for port in map(mapping, sequence(spec.get("ports"))):
        number, node_port = whole(port.get("port")), whole(port.get("nodePort")) or 0
        if number is None:
            continue
        # Kubernetes ignores the external policy of a Service that nothing outside reaches
        external_local = spec.get("externalTrafficPolicy") == "Local" and (spec.get("type") in ("NodePort", "LoadBalancer") or any(outside))
        behind = endpoints.get((name, text(port.get("name"))), [])
        reached_from_outside = bool(node_port or any(virtual) or any(outside))
        cluster = frozenset[str]() if internal_local and not reached_from_outside else _cluster(behind, place)
        places: list[tuple[Kind, str, int, bool]] = [("cluster", _cluster_ip(spec), number, internal_local)]
        places.extend(("external", address, number, external_local) for address in outside)
        places.extend(("load-balancer", address, number, external_local) for address in virtual)
        places.extend(("node-port", address, node_port, external_local) for address in place.node_ports if node_port)
        for kind, address, at, policy_local in places:
            if address:
                yield (
                    Key(text(port.get("protocol")).lower() or "tcp", address, at),
                    Expected(
                        service=f"{name}:{text(port.get('name')) or number}",
                        kind=kind,
                        cluster=cluster,
                        local=_local(behind, place),
                        policy_local=policy_local,
                        affinity_s=_affinity(spec),
                    ),
                )


def _affinity(spec: Mapping[str, Any]) -> int | None:
    if spec.get("sessionAffinity") != "ClientIP":
        return None
    return whole(mapping(mapping(spec.get("sessionAffinityConfig")).get("clientIP")).get("timeoutSeconds")) or 10800


def _name(metadata: Mapping[str, Any]) -> str:
    return f"{text(metadata.get('namespace'))}/{text(metadata.get('name'))}"


def _by_service_port(slices: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[Endpoint]]:
    """Namespace/name and port name to endpoints; a slice of another family or another proxy counts for nothing."""
    found: dict[tuple[str, str], list[Endpoint]] = {}
    for one in slices:
        metadata = mapping(one.get("metadata"))
        labels = mapping(metadata.get("labels"))
        if one.get("addressType") != "IPv4" or FOREIGN_LABEL in labels or HEADLESS_LABEL in labels:
            continue
        service = f"{text(metadata.get('namespace'))}/{text(labels.get(SERVICE_LABEL))}"
        for port in map(mapping, sequence(one.get("ports"))):
            number = whole(port.get("port"))
            if number is not None:
                behind = found.setdefault((service, text(port.get("name"))), [])
                behind.extend(filter(None, (_endpoint(mapping(entry), number) for entry in sequence(one.get("endpoints")))))
    return found


def _endpoint(entry: Mapping[str, Any], port: int) -> Endpoint | None:
    address = next((ipv4(address) for address in sequence(entry.get("addresses"))), "")
    conditions, hints = mapping(entry.get("conditions")), mapping(entry.get("hints"))
    ready = conditions.get("ready") is not False
    serving = ready if conditions.get("serving") is None else conditions.get("serving") is True
    if not address:
        return None
    return Endpoint(
        address=f"{address}:{port}",
        node=text(entry.get("nodeName")),
        ready=ready,
        last_resort=not ready and serving and conditions.get("terminating") is True,
        zones=frozenset(text(mapping(hint).get("name")) for hint in sequence(hints.get("forZones"))),
        nodes=frozenset(text(mapping(hint).get("name")) for hint in sequence(hints.get("forNodes"))),
    )


def _cluster(behind: list[Endpoint], place: Place) -> frozenset[str]:
    """Ready ones, near ones alone where all carry hints; else those that still serve while they terminate."""
    ready = [endpoint for endpoint in behind if endpoint.ready]
    for hinted, near in (
        (all(one.nodes for one in ready), [one for one in ready if place.name in one.nodes]),
        (all(one.zones for one in ready), [one for one in ready if place.zone in one.zones]),
    ):
        if hinted and near:
            return frozenset(endpoint.address for endpoint in near)
    return frozenset(endpoint.address for endpoint in ready or (one for one in behind if one.last_resort))


def _local(behind: list[Endpoint], place: Place) -> frozenset[str]:
    own = [endpoint for endpoint in behind if endpoint.node == place.name]
    ready = [endpoint for endpoint in own if endpoint.ready]
    return frozenset(endpoint.address for endpoint in ready or (one for one in own if one.last_resort))
