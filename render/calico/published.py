"""What all of Calico's published manifests have set: images and tolerations."""

from plan import Plan
from render.published import ManifestError, Place, image_of
from settings.calico import Calico


def set_image(container: Place, calico: Calico) -> None:
    """The image of the declared version, from the mirror and by its digest where these are declared."""
    image = image_of(container)
    if image.tag != f"v{calico.version}":
        raise ManifestError(
            f"{container.path}.image is {image.whole}, wanted version v{calico.version} (pod_network.calico.version); name the manifest of that version"
        )
    digest = calico.digests.get(image.name)
    container.thing["image"] = f"{calico.registry or image.registry}/{image.name}:{image.tag}{f'@{digest}' if digest else ''}"


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
