"""The controller sees who connects: its Service sends nobody around by another node."""

from collections.abc import Iterator

from ops.verify.model import Check, Finding, Seen, missing
from ops.verify.reading.document import at, listed, mappings, name_of, text, texts
from ops.verify.reading.findings import failed, passed, several
from plan import Plan
from plan.ingress import IngressPlan
from render.ingress.manifest import CONTROLLER

ID = "ingress.clients"
SERVICES = "/api/v1/services"
TYPES = {"load-balancer": "LoadBalancer", "node-port": "NodePort"}


def _applies(plan: Plan) -> bool:
    return plan.ingress is not None and plan.ingress.controller in CONTROLLER and plan.ingress.settings.exposure.kind in TYPES


def judge(seen: Seen) -> Iterator[Finding]:
    """The controller's Service."""
    ingress = seen.plan.ingress
    if ingress is None:
        return
    items, why = listed(seen, SERVICES)
    if why:
        yield missing(ID, "cluster", why)
        return
    kind, place = TYPES.get(ingress.settings.exposure.kind, ""), (ingress.namespace, CONTROLLER.get(ingress.controller, ""))
    found = next((item for item in items if (text(at(item, "metadata", "namespace")), name_of(item)) == place), None)
    declared = f"Service {'/'.join(place)}: {kind}, externalTrafficPolicy Local"
    problems = ["it is not there"] if found is None else list(_unlike(ingress, kind, found))
    if problems:
        yield failed(ID, "cluster", declared, several(problems), "run `pulumi up`; with policy Cluster every client has a node's address")
    else:
        yield passed(ID, "cluster", declared, "as declared, so NGINX sees clients' own addresses")


def _unlike(ingress: IngressPlan, kind: str, service: object) -> Iterator[str]:
    policy, found = text(at(service, "spec", "externalTrafficPolicy")), text(at(service, "spec", "type"))
    if policy != "Local":
        yield f"externalTrafficPolicy is {policy or 'unset'}"
    if found != kind:
        yield f"type is {found or 'unset'}"
    address = ingress.settings.exposure.address
    if address is not None:
        given = [text(entry.get("ip")) for entry in mappings(at(service, "status", "loadBalancer", "ingress"))]
        if str(address) not in (*given, text(at(service, "spec", "loadBalancerIP")), *texts(at(service, "spec", "externalIPs"))):
            yield f"its address is {', '.join(given) or 'none'}, declared {address}"


CHECKS: tuple[Check, ...] = (
    Check(
        id=ID,
        area="ingress",
        title="The controller sees clients' addresses",
        severity="error",
        judge=judge,
        api_paths=(SERVICES,),
        applies=_applies,
    ),
)
