"""Calico's calico.yaml with the environment's settings in it."""

import hashlib
import json
from typing import Any

from plan import Plan
from render.calico.published import set_image, tolerate_control_planes
from render.calico.selectors import selector
from render.published import Place, Published, pod_of, set_requests

NAMESPACE = "kube-system"
ENDPOINT_CONFIG = "kubernetes-services-endpoint"
"""ConfigMap by which calico-node and the CNI plugin find the API without kube-proxy."""
PROXY_MODE_ANNOTATION = "underlay.dev/kube-proxy-mode"
CONFIG_ANNOTATION = "underlay.dev/config-checksum"
POOL_MODE = {"cross-subnet": "CrossSubnet", "always": "Always"}
"""Words of an IP pool for when packets are encapsulated."""


def objects(plan: Plan, text: str) -> tuple[dict[str, Any], ...]:
    """The manifest's objects and one more; kind, namespace and name of each are as published."""
    published = Published("calico.yaml", text)
    node, controllers = published.the("DaemonSet", "calico-node"), published.the("Deployment", "calico-kube-controllers")
    container = pod_of(node).named("containers", "calico-node")
    config = published.the("ConfigMap", "calico-config").at("data")
    endpoint = api_endpoint(plan)
    set_mtu(config, plan)
    keep_bird(config, container)
    set_first_pool(container, plan)
    set_node_address(container, plan)
    set_xdp(container, plan)
    find_api_directly(pod_of(node))
    for pod in (pod_of(node), pod_of(controllers)):
        set_images(pod, plan)
    set_node_resources(container, plan)
    set_update_strategy(node, plan)
    restart_with(node, config, endpoint, plan)
    set_controllers(pod_of(controllers), plan)
    return (*published.things, endpoint)


def api_endpoint(plan: Plan) -> dict[str, Any]:
    """Where the API is: by address, since a node may start before any name server does."""
    endpoint = plan.settings.cluster.endpoint
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": ENDPOINT_CONFIG, "namespace": NAMESPACE},
        "data": {"KUBERNETES_SERVICE_HOST": str(endpoint.address), "KUBERNETES_SERVICE_PORT": str(endpoint.port)},
    }


def set_mtu(config: Place, plan: Plan) -> None:
    """MTU of the pods' interfaces and of any tunnel, instead of what each node would find out for itself."""
    config.change("veth_mtu", str(plan.pod_network.mtu))


def keep_bird(config: Place, container: Place) -> None:
    """Blocks are told by BGP whatever the encapsulation; with another backend routers would hear nothing."""
    config.change("calico_backend", "bird")
    container.change_env("CLUSTER_TYPE", "k8s,bgp")


def set_first_pool(container: Place, plan: Plan) -> None:
    """The pool that calico-node makes where there is none."""
    pool, encapsulation = plan.pod_network.pools[0], plan.settings.pod_network.encapsulation
    for variable, protocol in (("CALICO_IPV4POOL_IPIP", "ipip"), ("CALICO_IPV4POOL_VXLAN", "vxlan")):
        container.change_env(variable, POOL_MODE[encapsulation.when] if encapsulation.protocol == protocol else "Never")
    container.put_env("CALICO_IPV4POOL_CIDR", str(pool.cidr))
    container.put_env("CALICO_IPV4POOL_BLOCK_SIZE", str(pool.block_prefix))
    container.put_env("CALICO_IPV4POOL_NAT_OUTGOING", _flag(pool.nat_outgoing))
    container.put_env("CALICO_IPV4POOL_NODE_SELECTOR", selector(pool.nodes))


def set_node_address(container: Place, plan: Plan) -> None:
    """How calico-node finds its address, so that it cannot pick a wrong NIC."""
    methods = {"kubernetes-internal-ip": "kubernetes-internal-ip", "node-network": f"cidr={plan.settings.network.cidr}"}
    container.change_env("IP", "autodetect")
    container.put_env("IP_AUTODETECTION_METHOD", methods[plan.settings.pod_network.bgp.node_address])


def set_xdp(container: Place, plan: Plan) -> None:
    """XDP from the first start on: FelixConfiguration comes later, and a variable wins over it."""
    container.put_env("FELIX_XDPENABLED", _flag(plan.settings.pod_network.calico.xdp))


def find_api_directly(pod: Place) -> None:
    """Every container that talks to the API reads where it is; the published manifest asks for that already."""
    names = (("initContainers", "upgrade-ipam"), ("initContainers", "install-cni"), ("containers", "calico-node"))
    for key, name in names:
        container = pod.named(key, name)
        sources: list[dict[str, Any]] = container.thing.get("envFrom", [])
        if not any(source.get("configMapRef", {}).get("name") == ENDPOINT_CONFIG for source in sources):
            raise container.missing(f"envFrom[{ENDPOINT_CONFIG}]")


def set_images(pod: Place, plan: Plan) -> None:
    """Every image from the mirror and by its digest, where these are declared."""
    for key in ("initContainers", "containers"):
        for container in pod.thing.get(key, []):
            set_image(pod.named(key, container["name"]), plan.settings.pod_network.calico)


def set_node_resources(container: Place, plan: Plan) -> None:
    """Requests of calico-node, and patience of its probes."""
    calico = plan.settings.pod_network.calico
    set_requests(container, calico.node_cpu_request_millis, calico.node_memory_request_mib)
    set_probes(container, calico.probe_timeout_s)


def set_probes(container: Place, timeout_s: int) -> None:
    """Timeout of both probes; without one it is a second, which a busy node exceeds."""
    for probe in ("livenessProbe", "readinessProbe"):
        container.at(probe).thing["timeoutSeconds"] = timeout_s


def set_update_strategy(node: Place, plan: Plan) -> None:
    """How many nodes restart calico-node at the same time."""
    node.at("spec", "updateStrategy", "rollingUpdate").change("maxUnavailable", plan.settings.pod_network.calico.max_unavailable)


def restart_with(node: Place, config: Place, endpoint: dict[str, Any], plan: Plan) -> None:
    """calico-node restarts with what it reads only when it starts: kube-proxy's mode, its ConfigMaps."""
    read = json.dumps([config.thing, endpoint["data"]], sort_keys=True)
    annotations = {PROXY_MODE_ANNOTATION: plan.settings.kube_proxy.mode, CONFIG_ANNOTATION: hashlib.sha256(read.encode()).hexdigest()}
    node.at("spec", "template", "metadata").merge("annotations", annotations)


def set_controllers(pod: Place, plan: Plan) -> None:
    """Requests, probes and place of kube-controllers, and the controllers that it runs."""
    calico, container = plan.settings.pod_network.calico, pod.named("containers", "calico-kube-controllers")
    container.change_env("ENABLED_CONTROLLERS", "node,loadbalancer")
    set_requests(container, calico.controllers_cpu_request_millis, calico.controllers_memory_request_mib)
    set_probes(container, calico.probe_timeout_s)
    tolerate_control_planes(pod, plan)


def _flag(value: bool) -> str:  # noqa: FBT001 - a value, not a switch
    return "true" if value else "false"
