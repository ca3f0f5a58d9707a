"""ingress-nginx' published bare-metal manifest with the environment's settings in it."""

from typing import Any, Final

from plan import Plan
from plan.ingress import IngressPlan
from render.ingress import config, front, pods
from render.published import Place, Published, pod_of

NAMESPACE: Final = "ingress-nginx"
NAME: Final = "ingress-nginx-controller"
WEBHOOK: Final = "ingress-nginx-admission"
"""Name of the webhook's configuration, and of the Secret with its certificate."""
WEBHOOK_SERVICE: Final = "ingress-nginx-controller-admission"
CERTIFICATE, KEY = "cert", "key"
"""Keys of that Secret."""
_CERTIFICATE_MAKERS: Final = (
    *(("Job", f"{WEBHOOK}-{step}") for step in ("create", "patch")),
    *((kind, WEBHOOK) for kind in ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")),
)


def objects(plan: Plan, ingress: IngressPlan, text: str) -> tuple[dict[str, Any], ...]:
    """The manifest's objects but those that make the webhook's certificate, and a disruption budget."""
    published = Published("ingress-nginx' manifest", text)
    controller = published.the("Deployment", NAME)
    leave_certificate_to_the_program(published)
    front.admit_host_network(published.the("Namespace", NAMESPACE), ingress)
    set_data(published.the("ConfigMap", ingress.config_map), ingress)
    set_container(pod_of(controller).named("containers", "controller"), ingress)
    set_pod(pod_of(controller), controller, ingress)
    pods.set_rollout(controller, ingress)
    set_service(published, plan, ingress)
    front.set_class(published.the("IngressClass", "nginx"), ingress)
    published.the("ValidatingWebhookConfiguration", WEBHOOK)
    published.the("Service", WEBHOOK_SERVICE)
    return (*published.things, *front.disruption_budget(controller, ingress))


def leave_certificate_to_the_program(published: Published) -> None:
    """No Jobs that make the certificate, and none of their rights.

    A Job cannot be changed, so every new version would have to replace it; it deletes itself, which every refresh would take for a loss; and its
    rights reach every webhook of the cluster. The program makes a certificate that it can renew.
    """
    for kind, name in _CERTIFICATE_MAKERS:
        published.drop(kind, name)


def set_data(config_map: Place, ingress: IngressPlan) -> None:
    """The tuning; the controller reloads NGINX when it changes, so no pod restarts."""
    data = config.entries(ingress)
    if data:
        config_map.thing["data"] = data


def set_container(container: Place, ingress: IngressPlan) -> None:
    """Image, room, ports, patience of the probes, and the controller's flags."""
    pods.set_image(container, ingress, f"v{ingress.version}")
    pods.set_resources(container, ingress)
    pods.set_ports(container, ingress)
    for probe in ("livenessProbe", "readinessProbe"):
        container.at(probe).change("timeoutSeconds", pods.PROBE_TIMEOUT_S)
    container.at("lifecycle", "preStop", "exec")  # /wait-shutdown: without it a pod would be gone before its connections are
    set_flags(container, ingress)


def set_flags(container: Place, ingress: IngressPlan) -> None:
    """The class that is served, how a pod takes leave, and whose address Ingress objects show."""
    pods.set_argument(container, "--ingress-class", ingress.settings.class_name)
    pods.set_argument(container, "--shutdown-grace-period", str(pods.TAKE_LEAVE_S))
    if ingress.settings.default_class:
        pods.set_argument(container, "--watch-ingress-without-class", "true")
    if ingress.settings.exposure.kind == "load-balancer":
        pods.set_argument(container, "--publish-service", f"$(POD_NAMESPACE)/{NAME}")
    else:
        pods.set_argument(container, "--report-node-internal-ip-address", "true")


def set_pod(pod: Place, controller: Place, ingress: IngressPlan) -> None:
    """Where pods run, on which network, and how long they may finish their connections."""
    pod.change("terminationGracePeriodSeconds", pods.grace_s(ingress))
    pods.set_network(pod, ingress)
    pods.set_place(pod, ingress)
    pods.spread(pod, controller)


def set_service(published: Published, plan: Plan, ingress: IngressPlan) -> None:
    """The Service before the controller; none where clients come to the nodes themselves."""
    if ingress.settings.exposure.kind == "host-network":
        published.drop("Service", NAME)
    else:
        front.expose(published.the("Service", NAME), plan, ingress)
