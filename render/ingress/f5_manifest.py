"""The manifest of F5's NGINX Ingress Controller, as the operator declares it, with the environment's settings in it."""

from typing import Any, Final

from plan import Plan
from plan.ingress import IngressPlan
from render.ingress import f5, front, pods
from render.published import Place, Published, Thing, pod_of

NAMESPACE: Final = "nginx-ingress"
NAME: Final = "nginx-ingress"
CLASS_CONTROLLER: Final = "nginx.org/ingress-controller"
_WORKLOADS: Final = ("Deployment", "DaemonSet")


def objects(plan: Plan, ingress: IngressPlan, text: str) -> tuple[dict[str, Any], ...]:
    """The manifest's objects, with a Service, a class and a disruption budget of our own."""
    published = Published("the manifest of F5's controller", text)
    workload = the_workload(published)
    front.admit_host_network(published.the("Namespace", NAMESPACE), ingress)
    set_data(published.the("ConfigMap", ingress.config_map), ingress)
    set_container(pod_of(workload).named("containers", NAME), ingress)
    set_pod(pod_of(workload), workload, ingress)
    set_rollout(workload, ingress)
    replace(published, [ingress_class(ingress)], "IngressClass")
    replace(published, services(plan, workload, ingress), "Service", NAME)
    return (*published.things, *front.disruption_budget(workload, ingress))


def the_workload(published: Published) -> Place:
    """The controller: a Deployment, or a DaemonSet, which runs on every node that may run it whatever `replicas` says."""
    kinds = {thing["kind"] for thing in published.things if thing["metadata"].get("name") == NAME}
    return published.the("DaemonSet" if "DaemonSet" in kinds and "Deployment" not in kinds else "Deployment", NAME)


def set_data(config_map: Place, ingress: IngressPlan) -> None:
    """The tuning; the controller reloads NGINX when it changes, so no pod restarts."""
    config_map.merge("data", f5.entries(ingress))
    if not config_map.thing["data"]:
        del config_map.thing["data"]


def set_container(container: Place, ingress: IngressPlan) -> None:
    """Image, room, ports, the class that is served, whose address Ingress objects show, and a pause before a pod stops to listen."""
    pods.set_image(container, ingress, ingress.version)
    pods.set_resources(container, ingress)
    pods.set_ports(container, ingress)
    pods.set_argument(container, "-ingress-class", ingress.settings.class_name)
    pods.set_argument(container, "-report-ingress-status", "true")
    if ingress.settings.exposure.kind == "load-balancer":
        pods.set_argument(container, "-external-service", NAME)
    else:
        pods.remove_argument(container, "-external-service")
    container.merge("lifecycle", {"preStop": {"sleep": {"seconds": pods.TAKE_LEAVE_S}}})
    container.at("readinessProbe").thing["timeoutSeconds"] = pods.PROBE_TIMEOUT_S


def set_pod(pod: Place, workload: Place, ingress: IngressPlan) -> None:
    """Where pods run, on which network, and how long they may finish their connections."""
    pod.thing["terminationGracePeriodSeconds"] = pods.grace_s(ingress)
    pods.set_network(pod, ingress)
    pods.set_place(pod, ingress)
    if workload.thing["kind"] == "Deployment":
        pods.spread(pod, workload)


def set_rollout(workload: Place, ingress: IngressPlan) -> None:
    """One pod after the other; a DaemonSet's new pod needs its old one's node."""
    if workload.thing["kind"] == "Deployment":
        pods.set_rollout(workload, ingress)
        return
    spec = workload.at("spec")
    spec.thing["minReadySeconds"] = pods.MIN_READY_S
    spec.thing["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}


def ingress_class(ingress: IngressPlan) -> Thing:
    """The class; the controller does not start without it."""
    thing: Thing = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "nginx"},
        "spec": {"controller": CLASS_CONTROLLER},
    }
    front.set_class(Place("IngressClass", thing), ingress)
    return thing


def services(plan: Plan, workload: Place, ingress: IngressPlan) -> list[Thing]:
    """The Service before the controller; none where clients come to the nodes themselves."""
    if ingress.settings.exposure.kind == "host-network":
        return []
    thing = front.service(NAME, NAMESPACE, workload)
    front.expose(Place(f"Service/{NAME}", thing), plan, ingress)
    return [thing]


def replace(published: Published, things: list[Thing], kind: str, name: str | None = None) -> None:
    """Our own objects of a kind (and name) instead of the manifest's."""
    kept = [thing for thing in published.things if thing["kind"] != kind or name not in {None, thing["metadata"].get("name")}]
    published.things = [*kept, *things]
