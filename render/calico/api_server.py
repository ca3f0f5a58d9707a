"""Calico's API server, through which projectcalico.org/v3 is written."""

from typing import Any

from plan import Plan
from render.calico.published import set_image, tolerate_control_planes
from render.published import Place, Published, pod_of, set_requests

NAMESPACE = "calico-apiserver"
NAME = "calico-apiserver"
PORT = 5443
REPLICAS = 2
"""Where there are so many control planes or more: one may go at any time."""


def objects(plan: Plan, text: str) -> tuple[dict[str, Any], ...]:
    """The manifest's objects, and a disruption budget where there is more than one replica. The certificate comes from elsewhere."""
    published = Published("apiserver.yaml", text)
    server = published.the("Deployment", NAME)
    published.the("APIService", "v3.projectcalico.org")
    replicas = min(REPLICAS, len(plan.control_planes))
    admit_host_network(published.the("Namespace", NAMESPACE))
    run_on_control_planes(pod_of(server), plan)
    set_replicas(server, replicas)
    set_container(pod_of(server).named("containers", NAME), plan)
    return (*published.things, *((disruption_budget(server),) if replicas > 1 else ()))


def admit_host_network(namespace: Place) -> None:
    """Pods on the node's own network are allowed here, whatever the cluster allows elsewhere (Pod Security admission)."""
    namespace.at("metadata").merge("labels", {"pod-security.kubernetes.io/enforce": "privileged"})


def run_on_control_planes(pod: Place, plan: Plan) -> None:
    """Beside the API servers that call it and on the nodes' network: a mistake in BGP's settings leaves the way to correct it."""
    pod.merge("nodeSelector", {"node-role.kubernetes.io/control-plane": ""})
    pod.thing["hostNetwork"] = True
    pod.thing["priorityClassName"] = "system-cluster-critical"
    tolerate_control_planes(pod, plan)


def set_replicas(server: Place, replicas: int) -> None:
    """Replicas, one after the other: on the nodes' network two of them cannot be on one node."""
    specification = server.at("spec")
    specification.change("replicas", replicas)
    specification.change("strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})


def set_container(container: Place, plan: Plan) -> None:
    """Image, requests, the port that the scheduler keeps free, and a probe that asks often enough for a roll-out."""
    calico = plan.settings.pod_network.calico
    set_image(container, calico)
    set_requests(container, calico.controllers_cpu_request_millis, calico.controllers_memory_request_mib)
    if f"--secure-port={PORT}" not in container.thing.get("args", []):
        raise container.missing(f"args[--secure-port={PORT}]")
    container.thing["ports"] = [{"name": "apiserver", "containerPort": PORT, "hostPort": PORT, "protocol": "TCP"}]
    probe = container.at("readinessProbe")
    probe.change("periodSeconds", 10)
    probe.change("timeoutSeconds", calico.probe_timeout_s)


def disruption_budget(server: Place) -> dict[str, Any]:
    """A drain takes one replica at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"maxUnavailable": 1, "selector": server.at("spec", "selector").thing},
    }
