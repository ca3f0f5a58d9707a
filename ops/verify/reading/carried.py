"""The Services that nodes should carry, from what was seen of the API."""

from ops.verify.model import Seen
from ops.verify.reading.services import SERVICES, SLICES, ZONE_LABEL, Expected, Key, Place, Services, read
from plan import NodePlan

API_PATHS = (SERVICES, SLICES)
SETTLES_S = 10.0
"""kube-proxy follows the API by some seconds: what differs then and later differs."""


def carried(seen: Seen) -> Services | str:
    """The cluster's Services, or why they are not known."""
    gone = [f"{path}: {seen.api_errors.get(path, 'was not asked for')}" for path in API_PATHS if path not in seen.api]
    if gone:
        return "; ".join(gone)
    return read(seen.api[SERVICES], seen.api[SLICES]) or "the API's answer for Services or EndpointSlices is no list"


def carried_on(services: Services, node: NodePlan, node_ports: tuple[str, ...]) -> dict[Key, Expected]:
    """What the node should carry, its NodePorts at these addresses."""
    return services.on(Place(name=node.name, zone=dict(node.labels).get(ZONE_LABEL, ""), node_ports=node_ports))
