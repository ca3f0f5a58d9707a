"""The pods' network in numbers: pools, MTU, BGP."""

from dataclasses import dataclass

from plan.bgp import BLOCKS_BEYOND_NEED, PREFIXES_FOR_LOCAL_SERVICES, BgpPlan, ReflectorPlan, RouterPlan, SpeakerPlan, matching
from plan.node import NodePlan
from settings import Environment
from settings.pod_network import Pool


@dataclass(frozen=True, kw_only=True)
class PodNetworkPlan:
    """What is known of the pods' network before any machine exists."""

    pools: tuple[Pool, ...]
    """The first is Calico's default-ipv4-ippool."""
    mtu: int
    """MTU of the pods' interfaces, bytes."""
    overhead: int
    """Bytes that the network adds to a packet between nodes."""
    bgp: BgpPlan


def pod_network_plan(settings: Environment, nodes: tuple[NodePlan, ...]) -> PodNetworkPlan:
    """The plan of the pods' network for these nodes."""
    network = settings.pod_network
    return PodNetworkPlan(
        pools=network.all_pools,
        mtu=network.mtu or settings.network.mtu - network.overhead,
        overhead=network.overhead,
        bgp=_bgp_plan(settings, nodes),
    )


def _bgp_plan(settings: Environment, nodes: tuple[NodePlan, ...]) -> BgpPlan:
    bgp, services = settings.pod_network.bgp, settings.pod_network.services
    speakers = {node.name: _speaker(settings, node) for node in nodes}
    reflecting = bgp.route_reflectors if bgp.topology == "route-reflectors" else {}
    return BgpPlan(
        settings=bgp,
        speakers=tuple(speakers.values()),
        reflectors=tuple(
            ReflectorPlan(
                name=name,
                settings=cluster,
                members=tuple(speakers[node.name] for node in matching(nodes, cluster.nodes)),
                clients=tuple(speakers[node.name] for node in matching(nodes, cluster.clients)),
            )
            for name, cluster in reflecting.items()
        ),
        routers=tuple(
            RouterPlan(
                name=name,
                settings=router,
                speakers=tuple(speakers[node.name] for node in matching(nodes, router.nodes)),
                max_prefixes=router.max_prefixes or _prefixes_of_a_node(settings),
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


def _speaker(settings: Environment, node: NodePlan) -> SpeakerPlan:
    bgp, labels = settings.pod_network.bgp, dict(node.labels)
    rack = next((rack for rack in bgp.racks.values() if rack.nodes.items() <= labels.items()), None)
    cluster = next(
        (
            (name, cluster)
            for name, cluster in bgp.route_reflectors.items()
            if bgp.topology == "route-reflectors" and cluster.nodes.items() <= labels.items()
        ),
        None,
    )
    return SpeakerPlan(
        node=node.name,
        address=node.address,
        as_number=rack.as_number if rack else bgp.as_number,
        reflector=cluster[0] if cluster else None,
        cluster_id=cluster[1].cluster_id if cluster else None,
        labels=node.labels,
    )


def _prefixes_of_a_node(settings: Environment) -> int:
    network, services = settings.pod_network, settings.pod_network.services
    pods = settings.cluster.max_pods
    blocks = sum(BLOCKS_BEYOND_NEED * -(-pods // 2 ** (32 - pool.block_prefix)) for pool in network.all_pools)
    ranges = len(services.external) + len(services.load_balancer) + int(services.cluster)
    return blocks + ranges + (PREFIXES_FOR_LOCAL_SERVICES if ranges else 0)
