"""Calico's settings in projectcalico.org/v3: pools, BGP and Felix."""

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from plan import Plan
from plan.pod_network import PodNetworkPlan
from render.calico import peers
from render.calico.manifest import POOL_MODE
from render.calico.selectors import selector
from settings.bgp import OWN_FILTER, FilterRule
from settings.pod_network import Pool

DEFAULT_BLOCK_PREFIX = 26
MATCHES = {"equal": "Equal", "in": "In", "not-in": "NotIn", "not-equal": "NotEqual"}
"""Words of a BGPFilter for how routes are compared."""


@dataclass(frozen=True, kw_only=True)
class V3Object:
    """An object of projectcalico.org/v3; none of them is in a namespace."""

    kind: str
    name: str
    spec: dict[str, Any]
    made_by_calico: bool
    """Whether Calico makes it at its first start, so that it is changed and never made."""


def objects(plan: Plan) -> tuple[V3Object, ...]:
    """All settings: what others name comes before them (filters before peers), sessions before the mesh's switch."""
    network = plan.pod_network
    bgp = network.bgp
    return (
        V3Object(kind="FelixConfiguration", name="default", spec=felix(plan), made_by_calico=True),
        *pools(plan),
        *(load_balancer_pool(cidr) for cidr in plan.settings.pod_network.services.load_balancer),
        *load_balancer_controller(plan),
        *filters(network),
        *(V3Object(kind="BGPPeer", name=name, spec=spec, made_by_calico=False) for name, spec in (*peers.reflectors(bgp), *peers.routers(bgp))),
        V3Object(kind="BGPConfiguration", name="default", spec=bgp_configuration(plan), made_by_calico=True),
    )


def felix(plan: Plan) -> dict[str, Any]:
    """Felix, with what kube-proxy and the API server were told too."""
    network, declared = plan.pod_network, plan.settings.pod_network
    first, last = network.node_port_range
    return {
        "kubeNodePortRanges": [f"{first}:{last}"],
        "nftablesMode": "Enabled" if plan.settings.kube_proxy.mode == "nftables" else "Disabled",
        "wireguardEnabled": declared.wireguard,
        **({"wireguardMTU": network.mtu} if declared.wireguard else {}),
        **({"iptablesMarkMask": network.iptables_mark_mask} if network.iptables_mark_mask is not None else {}),
        "xdpEnabled": declared.calico.xdp,
        **declared.calico.felix,
    }


def pools(plan: Plan) -> tuple[V3Object, ...]:
    """The pods' pools. calico-node makes the first; cidr and blockSize are there so that the API refuses a change of them."""
    first, *others = plan.pod_network.pools
    return (
        V3Object(kind="IPPool", name="default-ipv4-ippool", spec=_pool(plan, first), made_by_calico=True),
        *(V3Object(kind="IPPool", name=_name("pods", pool.cidr), spec=_pool(plan, pool), made_by_calico=False) for pool in others),
    )


def load_balancer_pool(cidr: IPv4Network) -> V3Object:
    """Addresses of Services of type LoadBalancer. No packet leaves with one as its source, so there is nothing to translate."""
    spec = {
        "cidr": str(cidr),
        "blockSize": max(DEFAULT_BLOCK_PREFIX, cidr.prefixlen),
        "ipipMode": "Never",
        "vxlanMode": "Never",
        "natOutgoing": False,
        "nodeSelector": "all()",  # Calico allows no other here
        "allowedUses": ["LoadBalancer"],
    }
    return V3Object(kind="IPPool", name=_name("load-balancer", cidr), spec=spec, made_by_calico=False)


def load_balancer_controller(plan: Plan) -> tuple[V3Object, ...]:
    """Which Services get an address, where there are ranges for them."""
    services = plan.settings.pod_network.services
    if not services.load_balancer:
        return ()
    assign = {"all": "AllServices", "requested": "RequestedServicesOnly"}[services.assign]
    spec = {"controllers": {"loadBalancer": {"assignIPs": assign}}}
    return (V3Object(kind="KubeControllersConfiguration", name="default", spec=spec, made_by_calico=True),)


def filters(network: PodNetworkPlan) -> tuple[V3Object, ...]:
    """Filters by name. underlay's own keeps nodes from passing on to routers what they hear from each other."""
    declared = {
        name: {
            **({"importV4": [_rule(rule) for rule in rules.import_rules]} if rules.import_rules else {}),
            **({"exportV4": [_rule(rule) for rule in rules.export_rules]} if rules.export_rules else {}),
        }
        for name, rules in network.bgp.settings.filters.items()
    }
    own = {OWN_FILTER: {"exportV4": [{"action": "Reject", "source": "RemotePeers"}]}} if network.bgp.routers else {}
    return tuple(V3Object(kind="BGPFilter", name=name, spec=spec, made_by_calico=False) for name, spec in {**own, **declared}.items())


def bgp_configuration(plan: Plan) -> dict[str, Any]:
    """BGP for all nodes. Empty lists are written out, so that what was announced before goes whoever wrote it."""
    bgp, services = plan.pod_network.bgp, plan.settings.pod_network.services
    restart = bgp.settings.restart_time_s
    return {
        "asNumber": bgp.settings.as_number,
        "nodeToNodeMeshEnabled": bgp.mesh,
        "listenPort": bgp.settings.listen_port,
        **({"nodeMeshMaxRestartTime": peers.duration(restart)} if bgp.mesh and restart is not None else {}),  # refused without a mesh
        "serviceClusterIPs": _ranges((plan.settings.cluster.service_network,) if services.cluster else ()),
        "serviceExternalIPs": _ranges(services.external),
        "serviceLoadBalancerIPs": _ranges(services.load_balancer),
        "communities": [{"name": name, "value": value} for name, value in sorted(bgp.settings.communities.items())],
        "prefixAdvertisements": [{"cidr": str(item.cidr), "communities": list(item.communities)} for item in bgp.settings.advertisements],
    }


def _pool(plan: Plan, pool: Pool) -> dict[str, Any]:
    encapsulation = plan.settings.pod_network.encapsulation
    when = POOL_MODE[encapsulation.when]
    return {
        "cidr": str(pool.cidr),
        "blockSize": pool.block_prefix,
        "ipipMode": when if encapsulation.protocol == "ipip" else "Never",
        "vxlanMode": when if encapsulation.protocol == "vxlan" else "Never",
        "natOutgoing": pool.nat_outgoing,
        "nodeSelector": selector(pool.nodes),
        "allowedUses": ["Workload", "Tunnel"],
    }


def _rule(rule: FilterRule) -> dict[str, Any]:
    return {
        "action": rule.action.capitalize(),
        **({"matchOperator": MATCHES[rule.match], "cidr": str(rule.cidr)} if rule.cidr is not None else {}),
        **({"source": "RemotePeers"} if rule.source == "remote-peers" else {}),
    }


def _ranges(cidrs: tuple[IPv4Network, ...]) -> list[dict[str, str]]:
    return [{"cidr": str(cidr)} for cidr in cidrs]


def _name(use: str, cidr: IPv4Network) -> str:
    return f"{use}-{str(cidr.network_address).replace('.', '-')}-{cidr.prefixlen}"
