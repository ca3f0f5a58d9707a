"""What all of Calico's published manifests have set: images and tolerations."""

from plan import Plan
from render.published import ManifestError, Place
from settings.calico import Calico


def set_image(container: Place, calico: Calico) -> None:
    """The image of the declared version, from the mirror and by its digest where these are declared."""
    image = container.thing.get("image")
    if not isinstance(image, str):
        raise container.missing("image")
    repository, _, tag = image.partition("@")[0].rpartition(":")
    registry, _, name = repository.rpartition("/")
    if tag != f"v{calico.version}":
        raise ManifestError(
            f"{container.path}.image is {image}, wanted version v{calico.version} (pod_network.calico.version); name the manifest of that version"
        )
    digest = calico.digests.get(name)
    container.thing["image"] = f"{calico.registry or registry}/{name}:{tag}{f'@{digest}' if digest else ''}"


def tolerate_control_planes(pod: Place, plan: Plan) -> None:
    """Also those taints of control planes that are the operator's own: where no other node takes the pod, they must."""
    tolerations = pod.thing.get("tolerations")
    if not isinstance(tolerations, list):
        raise pod.missing("tolerations")
    taints = dict.fromkeys(taint for node in plan.control_planes for taint in node.taints)
    own = [
        {"key": taint.key, "operator": "Exists", "effect": taint.effect} for taint in taints if not taint.key.startswith("node-role.kubernetes.io/")
    ]
    pod.thing["tolerations"] = [*tolerations, *own]  # pyright: ignore[reportUnknownArgumentType]
