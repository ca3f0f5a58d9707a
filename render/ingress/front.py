"""How clients and applications find a controller: its Service, its class, its disruption budget."""

import json
from collections.abc import Mapping
from typing import Any

from plan import Plan
from plan.ingress import IngressPlan
from render.published import Place

DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
CALICO_ADDRESS, CALICO_POOLS = "projectcalico.org/loadBalancerIPs", "projectcalico.org/ipv4pools"
"""Calico reads no spec.loadBalancerIP (kube-controllers' loadbalancer controller)."""


def expose(service: Place, plan: Plan, ingress: IngressPlan) -> None:
    """Type, address and ports as declared. Only nodes that run a controller take connections, so that it sees who connects."""
    exposure, spec = ingress.settings.exposure, service.at("spec")
    spec.thing["externalTrafficPolicy"] = "Local"
    if exposure.kind == "node-port":
        spec.thing["type"] = "NodePort"
        _set_node_port(spec, "http", exposure.http_node_port)
        _set_node_port(spec, "https", exposure.https_node_port)
        return
    spec.thing["type"] = "LoadBalancer"
    spec.thing["allocateLoadBalancerNodePorts"] = False  # the address is routed to the nodes: nobody asks for their ports
    service.at("metadata").merge("annotations", _asked_for(plan, ingress))
    if exposure.address is not None and plan.settings.pod_network.kind == "external":
        spec.thing["loadBalancerIP"] = str(exposure.address)


def _asked_for(plan: Plan, ingress: IngressPlan) -> Mapping[str, str]:
    """Calico's annotations for a declared address, or for any of the pools where only Services that ask get one."""
    network, address = plan.settings.pod_network, ingress.settings.exposure.address
    if network.kind != "calico":
        return {}
    if address is not None:
        return {CALICO_ADDRESS: json.dumps([str(address)])}
    return {CALICO_POOLS: json.dumps([str(cidr) for cidr in network.services.load_balancer])} if network.services.assign == "requested" else {}


def _set_node_port(spec: Place, name: str, port: int | None) -> None:
    entry = spec.named("ports", name)
    if port is not None:
        entry.thing["nodePort"] = port


def service(name: str, namespace: str, workload: Place) -> dict[str, Any]:
    """A Service for a controller whose manifest has none."""
    ports = [{"name": port, "port": number, "protocol": "TCP", "targetPort": port} for port, number in (("http", 80), ("https", 443))]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": ports,
            "selector": workload.at("spec", "selector", "matchLabels").thing,
        },
    }


def set_class(ingress_class: Place, ingress: IngressPlan) -> None:
    """The class's name, and whether objects without a class are of it."""
    metadata = ingress_class.at("metadata")
    metadata.change("name", ingress.settings.class_name)
    if ingress.settings.default_class:
        metadata.merge("annotations", {DEFAULT_CLASS: "true"})


def admit_host_network(namespace: Place, ingress: IngressPlan) -> None:
    """Pods on the nodes' own network are allowed here where they are needed, whatever the cluster allows elsewhere (Pod Security admission)."""
    if ingress.settings.exposure.kind == "host-network":
        namespace.at("metadata").merge("labels", {"pod-security.kubernetes.io/enforce": "privileged"})


def disruption_budget(workload: Place, ingress: IngressPlan) -> tuple[dict[str, Any], ...]:
    """Drains take one pod at a time; one that serves nothing stops no drain. A single pod needs no budget."""
    if ingress.settings.replicas == 1 and workload.thing["kind"] == "Deployment":
        return ()
    metadata = workload.at("metadata").thing
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": workload.at("spec", "selector").thing},
    }
    return (budget,)
