"""The plan of one environment."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from placement import Seat
from plan.conntrack import ConntrackPlan, conntrack_plan
from plan.disks import disk_plans
from plan.ingress import IngressPlan, ingress_plan
from plan.node import GuestTopology, NodePlan, Role, TaintPlan, mac_of
from plan.pod_network import PodNetworkPlan, pod_network_plan
from settings import Environment
from settings.calico import Manifest
from settings.declared import DeclaredNode, declared_nodes
from settings.hypervisor import Hypervisor
from settings.machine import ControlPlane, NodeSet

CALICO_MANIFEST, API_SERVER_MANIFEST = "pod_network.calico.manifest", "pod_network.calico.api_server_manifest"
INGRESS_MANIFEST = "ingress.manifest"
CONTROL_PLANE_TAINT = TaintPlan(key="node-role.kubernetes.io/control-plane", value="", effect="NoSchedule")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything about an environment that is known before any machine exists."""

    settings: Environment
    nodes: tuple[NodePlan, ...]
    """Control planes first, then workers in the order of their pools."""
    conntrack: ConntrackPlan
    pod_network: PodNetworkPlan
    ingress: IngressPlan | None
    """The ingress controller; None where none is declared."""
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

    @property
    def manifests(self) -> dict[str, Manifest]:
        """Published manifests that the environment is made from, by the setting that pins each."""
        pinned = {
            CALICO_MANIFEST: self.pod_network.manifest,
            API_SERVER_MANIFEST: self.pod_network.api_server_manifest,
            INGRESS_MANIFEST: self.ingress.manifest if self.ingress else None,
        }
        return {setting: manifest for setting, manifest in pinned.items() if manifest is not None}

    def nodes_on(self, hypervisor: str) -> tuple[NodePlan, ...]:
        """Nodes that one hypervisor carries."""
        return tuple(node for node in self.nodes if node.hypervisor == hypervisor)


def make(settings: Environment) -> Plan:
    """The plan of checked settings; the same settings always give the same plan."""
    service_network = settings.cluster.service_network
    declared = tuple(declared_nodes(settings))
    nodes = tuple(_nodes(settings, declared))
    return Plan(
        settings=settings,
        nodes=nodes,
        conntrack=conntrack_plan(settings.node.conntrack),
        pod_network=pod_network_plan(settings, declared, tuple(node.address for node in nodes)),
        ingress=ingress_plan(settings, nodes),
        api_service=service_network[1],
        dns_service=service_network[10],
    )


def _nodes(settings: Environment, declared: tuple[DeclaredNode, ...]) -> Iterator[NodePlan]:
    node_sets = settings.node_sets()
    for node in declared:
        yield _node(settings, node, node_sets[node.node_set])


def _node(settings: Environment, declared: DeclaredNode, node_set: NodeSet) -> NodePlan:
    seat, hypervisor = declared.seat, settings.hypervisors[declared.hypervisor]
    address = settings.network.cidr[declared.host]
    role: Role = "control-plane" if isinstance(node_set, ControlPlane) else "worker"
    return NodePlan(
        name=declared.name,
        role=role,
        node_set=declared.node_set,
        number=declared.index + 1,
        hypervisor=declared.hypervisor,
        address=address,
        prefix=settings.network.cidr.prefixlen,
        mac=mac_of(address),
        vcpus=node_set.vcpus,
        memory_mib=node_set.memory_mib,
        cpu=node_set.cpu,
        disk=node_set.disk,
        nic=node_set.nic,
        cpu_policy=node_set.cpu_policy.kind,
        vcpu_pins=seat.vcpu_cpus,
        emulator_cpus=_emulator_cpus(hypervisor, node_set, seat),
        numa_node=seat.numa,
        guest_topology=_guest_topology(node_set, seat),
        hugepages=node_set.hugepages,
        lock_memory=node_set.lock_memory,
        disks=tuple(disk_plans(declared.name, node_set, hypervisor, seat.drives)),
        labels=tuple(sorted(declared.labels.items())),
        annotations=tuple(sorted(_annotations(settings, declared).items())),
        taints=_taints(node_set),
    )


def _emulator_cpus(hypervisor: Hypervisor, node_set: NodeSet, seat: Seat) -> tuple[int, ...]:
    if node_set.cpu_policy.kind == "emulated" or hypervisor.topology is None:
        return ()
    near = {cpu for core in hypervisor.topology.nodes[seat.numa].cores for cpu in core} if seat.numa is not None else set[int]()
    return tuple(sorted(hypervisor.reserved & near or hypervisor.reserved))


def _guest_topology(node_set: NodeSet, seat: Seat) -> GuestTopology | None:
    if seat.numa is None:
        return None
    return GuestTopology(sockets=1, cores=node_set.vcpus // seat.threads, threads=seat.threads)


def _annotations(settings: Environment, node: DeclaredNode) -> dict[str, str]:
    """What calico-node reads from its Node object (libcalico-go's node client)."""
    bgp, annotations = settings.pod_network.bgp, dict[str, str]()
    if settings.pod_network.kind != "calico":
        return annotations
    if node.reflector is not None:
        annotations["projectcalico.org/RouteReflectorClusterID"] = str(bgp.route_reflectors[node.reflector].cluster_id)
    if node.as_number != bgp.as_number:
        annotations["projectcalico.org/ASNumber"] = str(node.as_number)
    return annotations


def _taints(node_set: NodeSet) -> tuple[TaintPlan, ...]:
    own = (CONTROL_PLANE_TAINT,) if isinstance(node_set, ControlPlane) and not node_set.workloads else ()
    declared = tuple(TaintPlan(key=taint.key, value=taint.value, effect=taint.effect) for taint in node_set.taints)
    return own + declared
