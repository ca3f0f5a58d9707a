"""The pods' network in numbers: pools, MTU, BGP."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from plan.bgp import BgpPlan, ReflectorPlan, RouterPlan, SpeakerPlan
from settings import Environment
from settings.bgp import NodeMatch
from settings.calico import Manifest
from settings.declared import DeclaredNode, matches
from settings.pod_network import Pool

FLAG_BITS = 6
"""Accept, pass, drop, two to calculate with, and one for what is no pod; WireGuard takes one more (Calico's felix/dataplane/driver.go)."""
FELIX_BITS = 16
"""Bits of Felix' own mask, 0xffff0000."""
HIGH_MARKS = tuple(range(30, 15, -1))
"""Felix' own bits but the highest: the field is a signed 32-bit number in Calico's CRD."""
LOW_MARKS = tuple(range(12, -1, -1))
"""Bits below those of the portmap plugin (13), kube-proxy (14) and the kubelet (15)."""


@dataclass(frozen=True, kw_only=True)
class PodNetworkPlan:
    """What is known of the pods' network before any machine exists."""

    pools: tuple[Pool, ...]
    """The first is Calico's default-ipv4-ippool."""
    mtu: int
    """MTU of the pods' interfaces, bytes."""
    overhead: int
    """Bytes that the network adds to a packet between nodes."""
    manifest: Manifest | None
    """Calico's calico.yaml; None for kind external."""
    api_server_manifest: Manifest | None
    """Calico's apiserver.yaml; None for kind external."""
    node_port_range: tuple[int, int]
    """First and last NodePort of the API server, for Felix' kubeNodePortRanges."""
    iptables_mark_mask: int | None
    """Felix' iptablesMarkMask where its own is too narrow for the pods of a node in IPVS mode; else None."""
    bgp: BgpPlan


def pod_network_plan(settings: Environment, nodes: tuple[DeclaredNode, ...], addresses: tuple[IPv4Address, ...]) -> PodNetworkPlan:
    """The plan of the pods' network for these nodes, which have these addresses."""
    network = settings.pod_network
    calico = network.calico if network.kind == "calico" else None
    return PodNetworkPlan(
        pools=network.all_pools,
        mtu=network.mtu or settings.network.mtu - network.overhead,
        overhead=network.overhead,
        manifest=calico.used_manifest if calico else None,
        api_server_manifest=calico.used_api_server_manifest if calico else None,
        node_port_range=settings.cluster.node_port_range,
        iptables_mark_mask=mark_mask(settings.cluster.max_pods, wireguard=network.wireguard) if settings.kube_proxy.mode == "ipvs" else None,
        bgp=_bgp_plan(settings, nodes, addresses),
    )


def mark_mask(pods: int, *, wireguard: bool) -> int | None:
    """A mask with room for a number for each pod of a node; None where Felix' own has it. Felix keeps two numbers to itself."""
    bits = FLAG_BITS + int(wireguard) + (pods + 1).bit_length()
    return None if bits <= FELIX_BITS else sum(1 << mark for mark in (*HIGH_MARKS, *LOW_MARKS)[:bits])


def _bgp_plan(settings: Environment, nodes: tuple[DeclaredNode, ...], addresses: tuple[IPv4Address, ...]) -> BgpPlan:
    bgp, services = settings.pod_network.bgp, settings.pod_network.services
    speakers = {node.name: _speaker(settings, node, address) for node, address in zip(nodes, addresses, strict=True)}

    def matching(match: NodeMatch) -> tuple[SpeakerPlan, ...]:
        return tuple(speakers[node.name] for node in nodes if matches(match, node.all_labels))

    reflecting = bgp.route_reflectors if bgp.topology == "route-reflectors" else {}
    return BgpPlan(
        settings=bgp,
        speakers=tuple(speakers.values()),
        reflectors=tuple(
            ReflectorPlan(
                name=name,
                settings=cluster,
                members=tuple(speaker for speaker in speakers.values() if speaker.reflector == name),
                clients=tuple(speaker for speaker in matching(cluster.clients) if speaker.reflector is None),
            )
            for name, cluster in reflecting.items()
        ),
        routers=tuple(
            RouterPlan(
                name=name,
                settings=router,
                speakers=matching(router.nodes),
                max_prefixes=router.max_prefixes or settings.pod_network.prefixes_of_a_node(settings.cluster.max_pods),
            )
            for name, router in bgp.routers.items()
        ),
        pools=settings.pod_network.all_pools,
        service_ranges=(
            *((settings.cluster.service_network,) if services.cluster else ()),
            *services.external,
            *services.load_balancer,
        ),
    )


def _speaker(settings: Environment, node: DeclaredNode, address: IPv4Address) -> SpeakerPlan:
    cluster = settings.pod_network.bgp.route_reflectors[node.reflector] if node.reflector is not None else None
    return SpeakerPlan(
        node=node.name,
        address=address,
        as_number=node.as_number,
        reflector=node.reflector,
        cluster_id=cluster.cluster_id if cluster else None,
        labels=tuple(sorted(node.labels.items())),
    )
