"""What applications read of an environment: a typed, versioned contract. Needs pydantic; Pulumi only where a program calls `Environment.from_stack`."""

from .contract import Api, Bgp, Environment, Hypervisor, Ingress, Limits, Location, Networks, Node, Published, Router
from .errors import ContractError
from .version import CONTRACT_VERSION

__all__ = [
    "CONTRACT_VERSION",
    "Api",
    "Bgp",
    "ContractError",
    "Environment",
    "Hypervisor",
    "Ingress",
    "Limits",
    "Location",
    "Networks",
    "Node",
    "Published",
    "Router",
]
