"""Plans of the lab's stack with other BGP, for the tests of lab/fabric."""

from typing import Any

from lab import stackfile
from lab.fabric.declared import plan_from
from lab.network import LabNetwork
from lab.places import Lab
from plan import Plan

LAB = Lab(name="lab")
BGP = "pod_network.bgp"
REFLECTORS = (
    (f"{BGP}.topology", "route-reflectors"),
    (f"{BGP}.route_reflectors", {"one": {"cluster_id": "10.77.0.250", "nodes": {"underlay.dev/pool": "cp"}}}),
)
ROUTERS = ((f"{BGP}.topology", "routers"),)
RICH = (
    (f"{BGP}.topology", "routers"),
    ("workers.worker.count", 2),
    (f"{BGP}.listen_port", 1790),
    (f"{BGP}.restart_time_s", 60),
    (f"{BGP}.communities", {"lab": "64512:7"}),
    (f"{BGP}.advertisements", [{"cidr": "192.168.0.0/16", "communities": ["lab", "64512:1:2"]}]),
    (f"{BGP}.racks", {"a": {"nodes": {"underlay.dev/pool": "worker"}, "as_number": 64513}}),
    (
        f"{BGP}.filters",
        {"few": {"export_rules": [{"action": "reject", "cidr": "10.88.0.0/24"}], "import_rules": [{"action": "reject", "cidr": "10.0.0.0/8"}]}},
    ),
    (f"{BGP}.routers.tor.filters", ["few"]),
    (f"{BGP}.routers.tor.next_hop", "self"),
    (f"{BGP}.routers.tor.allow_own_as", 1),
    (f"{BGP}.routers.far", {"address": "10.66.0.1", "as_number": 64601, "source_address": "route"}),
)
"""Every word that a node's configuration knows."""


def plan(*settings: tuple[str, Any]) -> Plan:
    """The plan of the lab's stack with these settings over it."""
    return plan_from(stackfile.declared(LAB, "lab", settings))


def wire() -> LabNetwork:
    """The lab's wire."""
    return stackfile.lab_network(stackfile.declared(LAB, "lab"))
