"""The plan of one environment."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from plan.conntrack import ConntrackPlan, conntrack_plan
from plan.cpus import Pins
from plan.node import NodePlan, Role, TaintPlan, mac_of
from plan.pod_network import PodNetworkPlan, pod_network_plan
from settings import Environment
from settings.machine import ControlPlane, NodeSet, WorkerPool

CONTROL_PLANE_TAINT = TaintPlan(key="node-role.kubernetes.io/control-plane", value="", effect="NoSchedule")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything about an environment that is known before any machine exists."""

    settings: Environment
    nodes: tuple[NodePlan, ...]
    """Control planes first, then workers in the order of their pools."""
    conntrack: ConntrackPlan
    pod_network: PodNetworkPlan
    api_service: IPv4Address
    """Cluster address of the Service `kubernetes`."""
    dns_service: IPv4Address
    """Cluster address of the Service `kube-dns`."""

    @property
    def control_planes(self) -> tuple[NodePlan, ...]:
        """Nodes with etcd and the API server, in joining order."""
        return tuple(node for node in self.nodes if node.is_control_plane)

    @property
    def workers(self) -> tuple[NodePlan, ...]:
        """Nodes without etcd and the API server."""
        return tuple(node for node in self.nodes if not node.is_control_plane)

    @property
    def api_host(self) -> str:
        """Host that clients of the API name: the endpoint's name, or its address."""
        endpoint = self.settings.cluster.endpoint
        return endpoint.name or str(endpoint.address)

    @property
    def api_url(self) -> str:
        """URL of the API."""
        return f"https://{self.api_host}:{self.settings.cluster.endpoint.port}"

    def nodes_on(self, hypervisor: str) -> tuple[NodePlan, ...]:
        """Nodes that one hypervisor carries."""
        return tuple(node for node in self.nodes if node.hypervisor == hypervisor)


def make(settings: Environment) -> Plan:
    """The plan of checked settings; the same settings always give the same plan."""
    service_network = settings.cluster.service_network
    nodes = tuple(_nodes(settings))
    return Plan(
        settings=settings,
        nodes=nodes,
        conntrack=conntrack_plan(settings.node.conntrack),
        pod_network=pod_network_plan(settings, nodes),
        api_service=service_network[1],
        dns_service=service_network[10],
    )


def _nodes(settings: Environment) -> Iterator[NodePlan]:
    pins = Pins(settings)
    for name, node_set in settings.node_sets().items():
        assert isinstance(node_set, ControlPlane | WorkerPool)  # noqa: S101 - the two kinds there are
        for index in range(node_set.count):
            yield _node(settings, name, node_set, index, pins.take(name, node_set, node_set.place(index)))


def _node(settings: Environment, set_name: str, node_set: ControlPlane | WorkerPool, index: int, pins: tuple[int, ...]) -> NodePlan:
    hypervisor = node_set.place(index)
    address = settings.network.cidr[node_set.first_host + index]
    role: Role = "control-plane" if isinstance(node_set, ControlPlane) else "worker"
    return NodePlan(
        name=f"{settings.name}-{set_name}-{index + 1}",
        role=role,
        node_set=set_name,
        number=index + 1,
        hypervisor=hypervisor,
        address=address,
        prefix=settings.network.cidr.prefixlen,
        mac=mac_of(address),
        vcpus=node_set.vcpus,
        memory_mib=node_set.memory_mib,
        cpu=node_set.cpu,
        disk=node_set.disk,
        nic=node_set.nic,
        cpu_pins=pins,
        labels=_labels(settings, set_name, node_set, hypervisor),
        taints=_taints(node_set),
    )


def _labels(settings: Environment, set_name: str, node_set: NodeSet, hypervisor: str) -> tuple[tuple[str, str], ...]:
    location = settings.hypervisors[hypervisor].location
    own = {
        "topology.kubernetes.io/region": location.country.lower(),
        "topology.kubernetes.io/zone": location.site,
        "underlay.dev/hypervisor": hypervisor,
        "underlay.dev/pool": set_name,
    }
    return tuple(sorted({**own, **node_set.labels}.items()))


def _taints(node_set: ControlPlane | WorkerPool) -> tuple[TaintPlan, ...]:
    own = (CONTROL_PLANE_TAINT,) if isinstance(node_set, ControlPlane) and not node_set.workloads else ()
    declared = tuple(TaintPlan(key=taint.key, value=taint.value, effect=taint.effect) for taint in node_set.taints)
    return own + declared
