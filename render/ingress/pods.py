"""A controller's pods: image, room, place on the nodes, and a rollout during which others serve."""

from typing import Any, cast

from plan.ingress import IngressPlan
from render.published import ManifestError, Place, Thing, image_of
from render.quantities import cpu, memory

TAKE_LEAVE_S = 10
"""A pod that goes still takes connections for so long: until kube-proxy and the routers have heard of it."""
MIN_READY_S = 10
"""A pod is ready for so long before an old one goes, for the same reason."""
PROBE_TIMEOUT_S = 5
"""A busy node answers late, and a restart would cut every connection."""
HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def grace_s(ingress: IngressPlan) -> int:
    """From the moment that a pod is told to go until it is killed, s."""
    return ingress.settings.drain_s + TAKE_LEAVE_S


def takes_turns(ingress: IngressPlan) -> bool:
    """Whether a new pod has to wait for an old one to go: on the nodes' network two cannot share a node."""
    return ingress.settings.exposure.kind == "host-network" and len(ingress.nodes) <= ingress.settings.replicas


def rollout_s(ingress: IngressPlan, kind: str) -> int:
    """How long the rollout of a Deployment or DaemonSet may take, s: pods that take turns wait for the connections of each other."""
    turns = len(ingress.nodes) if kind == "DaemonSet" else ingress.settings.replicas if takes_turns(ingress) else 0
    return ingress.settings.ready_s + turns * grace_s(ingress)


def removal_s(ingress: IngressPlan) -> int:
    """How long the controller's removal may take, s: it finishes its connections."""
    return max(ingress.settings.ready_s, 2 * grace_s(ingress))


def set_image(container: Place, ingress: IngressPlan, tag: str) -> None:
    """The image of the declared version, from the mirror where one is declared; by the declared digest, else by the manifest's own."""
    image = image_of(container)
    if image.tag != tag:
        raise ManifestError(f"{container.path}.image is {image.whole}, wanted {tag} (ingress.version); name the manifest of that version")
    place = ingress.settings.registry or image.registry
    digest = ingress.settings.digests.get(image.name, image.digest)
    container.thing["image"] = f"{place}{'/' if place else ''}{image.name}:{tag}{f'@{digest}' if digest else ''}"


def set_resources(container: Place, ingress: IngressPlan) -> None:
    """What the scheduler keeps for a pod, and what it may take at most."""
    settings = ingress.settings
    requests = {"cpu": cpu(settings.cpu_request_millis), "memory": memory(settings.memory_request_mib)}
    limits = {
        **({"cpu": cpu(settings.cpu_limit_millis)} if settings.cpu_limit_millis is not None else {}),
        **({"memory": memory(settings.memory_limit_mib)} if settings.memory_limit_mib is not None else {}),
    }
    container.thing["resources"] = {"requests": requests, **({"limits": limits} if limits else {})}


def set_argument(container: Place, flag: str, value: str) -> None:
    """A flag of the controller, in the place where it was, else behind the others."""
    said, words = f"{flag}={value}", _entries(container, "args")
    at = [index for index, word in enumerate(words) if str(word).partition("=")[0] == flag]
    container.thing["args"] = [*words[: at[0]], said, *words[at[0] + 1 :]] if at else [*words, said]


def remove_argument(container: Place, flag: str) -> None:
    """No such flag, with a value or without."""
    container.thing["args"] = [word for word in _entries(container, "args") if str(word).partition("=")[0] != flag]


def set_ports(container: Place, ingress: IngressPlan) -> None:
    """On the nodes' network the scheduler keeps the ports free; elsewhere no port of a node is taken."""
    bare: list[Thing] = [{key: value for key, value in port.items() if key != "hostPort"} for port in _entries(container, "ports")]
    on_host = ingress.settings.exposure.kind == "host-network"
    container.thing["ports"] = [{**port, "hostPort": port["containerPort"]} for port in bare] if on_host else bare


def _entries(container: Place, key: str) -> list[Any]:
    found = container.thing.get(key)
    if not isinstance(found, list):
        raise container.missing(key)
    return cast("list[Any]", found)


def set_network(pod: Place, ingress: IngressPlan) -> None:
    """The nodes' network where clients come to the nodes themselves; names of the cluster are still found."""
    if ingress.settings.exposure.kind == "host-network":
        pod.thing["hostNetwork"] = True
        pod.thing["dnsPolicy"] = "ClusterFirstWithHostNet"


def set_place(pod: Place, ingress: IngressPlan) -> None:
    """The nodes that may run it; those that are named by labels take it whatever their taints."""
    pod.merge("nodeSelector", ingress.settings.nodes)
    tolerations = [
        {"key": taint.key, **({"operator": "Equal", "value": taint.value} if taint.value else {"operator": "Exists"}), "effect": taint.effect}
        for taint in ingress.tolerations
    ]
    if tolerations:
        pod.thing["tolerations"] = [*pod.thing.get("tolerations", []), *tolerations]


def spread(pod: Place, workload: Place) -> None:
    """Over nodes, and over sites as far as that can be. A new version is spread by itself, and a node that is being emptied is none."""
    selector = workload.at("spec", "selector").thing
    pod.thing["topologySpreadConstraints"] = [
        {
            "topologyKey": key,
            "maxSkew": 1,
            "whenUnsatisfiable": unsatisfiable,
            "labelSelector": selector,
            "matchLabelKeys": ["pod-template-hash"],
            "nodeTaintsPolicy": "Honor",
        }
        for key, unsatisfiable in ((HOSTNAME, "DoNotSchedule"), (ZONE, "ScheduleAnyway"))
    ]


def set_rollout(deployment: Place, ingress: IngressPlan) -> None:
    """One after the other: a new pod serves before an old one goes, unless it needs its place."""
    turns = takes_turns(ingress)
    spec = deployment.at("spec")
    spec.thing["replicas"] = ingress.settings.replicas
    spec.thing["minReadySeconds"] = MIN_READY_S
    spec.thing["progressDeadlineSeconds"] = ingress.settings.ready_s + grace_s(ingress)
    spec.thing["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0 if turns else 1, "maxUnavailable": 1 if turns else 0}}
