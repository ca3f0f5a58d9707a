"""The contract for a person: one fact a line, no certificate and no secret."""

from collections.abc import Iterable, Iterator

from .contract import Limits, Published

WIDTH = 18


def lines(environment: Published) -> Iterator[str]:
    """What `python -m outputs show` prints."""
    networks, bgp, limits = environment.networks, environment.bgp, environment.limits
    overhead = f"{networks.overhead_bytes} bytes" if networks.overhead_bytes else "nothing"
    yield f"{environment.environment} (contract {environment.contract_version})"
    yield from _facts("API", [environment.api.endpoint])
    yield from _facts("location", [f"{', '.join(environment.location.sites)} in {', '.join(environment.location.countries)}"])
    yield from _facts("networks", [f"nodes {networks.nodes} · pods {networks.pods} · Services {networks.services}"])
    yield from _facts("load balancers", [", ".join(networks.load_balancers) or "none"])
    yield from _facts("packets", [f"{networks.link_mtu} bytes on the link, {networks.pod_mtu} for pods; the network adds {overhead}"])
    yield from _facts("kube-proxy", [environment.kube_proxy_mode])
    width = max((len(node.name) for node in environment.nodes), default=0)
    yield from _facts("nodes", (f"{node.name:{width}}  {node.role:13}  {node.address:15}  {node.zone}" for node in environment.nodes))
    yield from _facts("BGP", [f"AS {bgp.as_number}, {bgp.topology}; announces {', '.join(bgp.advertised) or 'nothing'}"])
    yield from _facts("routers", [f"{router.name}  {router.address}  AS {router.as_number}" for router in bgp.routers] or ["none"])
    yield from _facts("ingress", _ingress(environment))
    yield from _facts("limits", _limits(limits))
    yield from _facts("storage class", [environment.storage_class or "none"])
    yield from _facts("verified", [environment.verification_report or "no report"])


def _facts(title: str, facts: Iterable[str]) -> Iterator[str]:
    for number, fact in enumerate(facts):
        yield f"  {title if number == 0 else '':{WIDTH}}{fact}"


def _ingress(environment: Published) -> Iterator[str]:
    ingress = environment.ingress
    if ingress is None:
        yield "none"
        return
    yield f"class {ingress.class_name} ({ingress.controller}, {ingress.exposure})"
    yield f"reached at {', '.join(ingress.addresses) or 'an address that is not known'}" + (f", below {ingress.domain}" if ingress.domain else "")


def _limits(limits: Limits) -> Iterator[str]:
    if limits.request_body_bytes is not None:
        yield f"request body {_size(limits.request_body_bytes) if limits.request_body_bytes else 'of any size'}"
    if limits.buffered_response_bytes is not None:
        yield f"response in memory {_size(limits.buffered_response_bytes)}" if limits.buffered_response_bytes else "responses are not buffered"
    yield f"{limits.conntrack_entries_per_node} tracked connections and {limits.pods_per_node} pods a node"


def _size(count: int) -> str:
    for unit, name in ((1024 * 1024, "MiB"), (1024, "KiB")):
        if count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count} bytes"
