"""What a controller is made of: its published manifest with the environment's settings in it, or a ConfigMap alone."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from plan import Plan
from plan.ingress import Controller, IngressPlan
from render.ingress import config, f5_manifest, nginx_manifest
from render.published import Thing

CONTROLLER: Final[Mapping[Controller, str]] = {"ingress-nginx": nginx_manifest.NAME, "f5-nginx": f5_manifest.NAME}
"""Name of the workload and of the Service before it."""
_MAKERS: Final[Mapping[Controller, Callable[[Plan, IngressPlan, str], tuple[Thing, ...]]]] = {
    "ingress-nginx": nginx_manifest.objects,
    "f5-nginx": f5_manifest.objects,
}


def objects(plan: Plan, text: str) -> tuple[dict[str, Any], ...]:
    """The objects of the declared controller; `text` is its manifest, empty for configmap-only."""
    ingress = plan.ingress
    if ingress is None:
        return ()
    maker = _MAKERS.get(ingress.controller)
    return maker(plan, ingress, text) if maker else config_map_only(ingress)


def config_map_only(ingress: IngressPlan) -> tuple[dict[str, Any], ...]:
    """The ConfigMap of somebody else's controller, and the namespace that it needs."""
    metadata = {"name": ingress.config_map, "namespace": ingress.namespace}
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ingress.namespace}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": config.entries(ingress)},
    )
