"""The contract: what every environment publishes as outputs of its stack. One field here is one stack output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from .forms import Address, Count, Kubeconfig, Network, Part, Text, Version, known

if TYPE_CHECKING:
    from .stack import StackEnvironment


class Hypervisor(Part):
    """Where a machine stands."""

    country: Text
    """Country, ISO 3166-1 alpha-2."""
    site: Text
    """Data centre, room or rack row; the zone of its nodes."""


class Location(Part):
    """Where the environment stands."""

    countries: tuple[Text, ...]
    """Countries in which its machines stand, sorted."""
    sites: tuple[Text, ...]
    """Sites, sorted."""
    hypervisors: dict[str, Hypervisor]
    """Each libvirt host that carries nodes, by its name."""


class Api(Part):
    """The cluster's API."""

    endpoint: Text
    """URL of the API server."""
    root_certificate: Text
    """Certificate of the cluster's CA, PEM: what the API server is checked against."""


class Networks(Part):
    """Ranges of addresses, and how large a packet may be."""

    nodes: Network
    """Network of the nodes."""
    pods: Network
    """Network of all pods."""
    services: Network
    """Cluster addresses of Services."""
    load_balancers: tuple[Network, ...]
    """Ranges from which Services of type LoadBalancer get their address; empty: nothing gives one."""
    link_mtu: Count
    """MTU of the nodes' link, bytes."""
    pod_mtu: Count
    """MTU of the pods' interfaces, bytes."""
    overhead_bytes: Count
    """Bytes that the network adds to a packet between nodes; 0: pods' packets go as they are."""


class Node(Part):
    """A node of the cluster."""

    name: Text
    """Its name in Kubernetes, and its host name."""
    role: Annotated[str, known("control-plane", "worker")]
    """Whether it carries etcd and the API server."""
    address: Address
    """Its address in the network of the nodes."""
    as_number: Count
    """Autonomous system in which it speaks BGP."""
    hypervisor: Text
    """The libvirt host that carries it."""
    zone: Text
    """Site of that host: the node's label topology.kubernetes.io/zone."""
    labels: dict[str, str]
    """Labels that underlay keeps on it."""


class Router(Part):
    """A router outside with which nodes speak BGP."""

    name: Text
    """Its name in the environment's settings."""
    address: Address
    """Address to which nodes open the session."""
    as_number: Count
    """Its autonomous system."""


class Bgp(Part):
    """Who tells whom which ranges."""

    as_number: Count
    """Autonomous system of the nodes, where a node has none of its own."""
    topology: Annotated[str, known("mesh", "route-reflectors", "routers")]
    """Which nodes have sessions with each other."""
    routers: tuple[Router, ...]
    """Routers outside with which nodes have sessions."""
    advertised: tuple[Network, ...]
    """Ranges whose addresses the nodes announce: pods first, then Services."""


class Ingress(Part):
    """The front door."""

    controller: Annotated[str, known("ingress-nginx", "f5-nginx", "configmap-only")]
    """`configmap-only`: somebody else installs the controller, and nothing is known of whether it runs."""
    class_name: Text
    """What an Ingress writes as ingressClassName."""
    default_class: bool
    """Whether an Ingress that names no class is served too."""
    namespace: Text
    """Namespace of the controller, for network policies."""
    addresses: tuple[Address, ...]
    """Where clients reach it; empty where that is not known."""
    domain: Text | None = None
    """Domain under which applications get their names."""
    exposure: Annotated[str, known("load-balancer", "host-network", "node-port")]
    """How clients reach it."""


class Limits(Part):
    """What an application will run into."""

    request_body_bytes: Count | None = None
    """Largest request body that the ingress takes; 0: any. Null where there is no ingress."""
    buffered_response_bytes: Count | None = None
    """Largest response that the ingress keeps in memory; 0: responses are not buffered. Null where there is no ingress."""
    conntrack_entries_per_node: Count
    """Connections that the kernel of a node tracks at the same time."""
    pods_per_node: Count
    """Pods that a node takes."""


class Published(Part):
    """What everybody may see."""

    contract_version: Version
    """Version of this contract, major.minor."""
    environment: Text
    """Name of the environment."""
    location: Location
    api: Api
    networks: Networks
    nodes: tuple[Node, ...]
    """All nodes, control planes first."""
    bgp: Bgp
    ingress: Ingress | None = None
    """The front door; null where there is none."""
    storage_class: Text | None = None
    """StorageClass that applications name; null where there is none."""
    limits: Limits
    kube_proxy_mode: Annotated[str, known("ipvs", "nftables", "iptables")]
    """How the nodes' kernels spread connections over a Service's pods."""
    verification_report: Text | None = None
    """Where the last report of the verifier is published; null where there is none."""


class Environment(Published):
    """An environment as an application sees it."""

    kubeconfig: Kubeconfig
    """Access to the cluster as its administrator, YAML; secret. A reader of masked JSON gets None."""

    @classmethod
    def from_json(cls, source: str | bytes | Path | Mapping[str, Any]) -> Environment:
        """Read what `pulumi stack output --json` prints, with `--show-secrets` for the kubeconfig: its text, a file of it, or what it holds.

        Raises ContractError with all that is wrong.
        """
        from .reading import from_json

        return from_json(source)

    @classmethod
    def from_stack(cls, stack: str, *, name: str | None = None) -> StackEnvironment:
        """Read another stack's outputs (`organization/project/stack`) inside a Pulumi program, by a StackReference called `name` (the stack's own).

        The program fails with one error where the stack is missing, has not been brought up, or publishes something else.
        """
        from .stack import StackEnvironment

        return StackEnvironment(stack, name=name)
