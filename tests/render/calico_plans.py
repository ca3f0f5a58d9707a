"""Plans of Calico that its tests share, and the manifests as Calico publishes them, which are no part of the project."""

import copy
import json
from typing import Any

import pytest
import yaml
from render_plans import FULL, ROOT

from plan import Plan, make
from render.calico.v3 import V3Object
from settings import load

PUBLISHED = ROOT.parent / "shared" / "data"
VERSIONS = ("3.31.7", "3.32.1")
API_SERVER = "calico-apiserver-v3.32.1.yaml"
V3_DEFINITIONS = "calico-v3-crds-v3.32.1.yaml"
V3 = "projectcalico.org/v3"

NETWORK: dict[str, Any] = {"kind": "calico", "cidr": "10.32.0.0/14", "node_prefix": 26}
HALL = "topology.kubernetes.io/zone"

MESH: dict[str, Any] = {**NETWORK, "calico": {"version": "3.32.1"}}

REFLECTORS: dict[str, Any] = {
    **NETWORK,
    "bgp": {
        "topology": "route-reflectors",
        "restart_time_s": 90,
        "route_reflectors": {
            "north": {"cluster_id": "10.20.0.240", "nodes": {"underlay.dev/pool": "cp", "underlay.dev/hypervisor": "kvm-a"}},
            "south": {
                "cluster_id": "10.20.0.241",
                "nodes": {"underlay.dev/pool": "cp", "underlay.dev/hypervisor": "kvm-b"},
                "clients": {"example.net/tier": "web"},
            },
        },
    },
}

ROUTERS: dict[str, Any] = {
    **NETWORK,
    "bgp": {
        "topology": "routers",
        "racks": {f"rack-{number}": {"nodes": {HALL: f"hall-{number}"}, "as_number": 4200000000 + number} for number in (1, 2, 3)},
        "routers": {
            f"tor-{number}": {
                "address": f"10.20.0.{230 + number}",
                "as_number": 65000 + number,
                "nodes": {HALL: f"hall-{number}"},
                "ttl_security_hops": 1,
                "password": f"tor-{number}",
            }
            for number in (1, 2, 3)
        },
    },
}

EVERYTHING: dict[str, Any] = {
    **NETWORK,
    "pools": [
        {"cidr": "10.32.0.0/16", "nat_outgoing": False, "nodes": {HALL: "hall-1"}},
        {"cidr": "10.33.0.0/16", "block_prefix": 28},
    ],
    "encapsulation": {"protocol": "ipip"},
    "wireguard": True,
    "mtu": 8000,
    "services": {
        "cluster": True,
        "external": ["192.0.2.0/28", "192.0.2.32/32"],
        "load_balancer": ["198.51.100.0/24", "198.51.101.0/30"],
        "assign": "requested",
    },
    "bgp": {
        **REFLECTORS["bgp"],
        "as_number": 65010,
        "listen_port": 1790,
        "restart_time_s": 3725,
        "routers": {
            "tor": {
                "address": "10.20.0.231",
                "as_number": 65001,
                "nodes": {HALL: "hall-1", "underlay.dev/pool": "web"},
                "password": "tor",
                "ttl_security_hops": 254,
                "source_address": "route",
                "next_hop": "self",
                "filters": ["edge"],
                "allow_own_as": 2,
            },
            "spine": {"address": "203.0.113.9", "as_number": 65010, "next_hop": "keep"},
        },
        "communities": {"anycast": "65010:100", "large": "65010:1:4294967295"},
        "advertisements": [
            {"cidr": "198.51.100.0/24", "communities": ["anycast", "65010:7"]},
            {"cidr": "10.32.0.0/16", "communities": ["large"]},
        ],
        "filters": {
            "edge": {
                "import_rules": [
                    {"action": "accept", "cidr": "0.0.0.0/0", "match": "equal"},
                    {"action": "accept", "cidr": "10.0.0.0/8"},
                    {"action": "reject"},
                ],
                "export_rules": [
                    {"action": "reject", "cidr": "10.33.0.0/16", "match": "not-in", "source": "remote-peers"},
                    {"action": "reject", "cidr": "10.32.0.0/26", "match": "not-equal"},
                ],
            }
        },
        "node_address": "node-network",
    },
    "calico": {
        "registry": "registry.example:5000/calico",
        "digests": {name: f"sha256:{digit * 64}" for name, digit in (("node", "a"), ("cni", "b"), ("kube-controllers", "c"), ("apiserver", "d"))},
        "node_cpu_request_millis": 500,
        "node_memory_request_mib": 256,
        "controllers_cpu_request_millis": 60,
        "controllers_memory_request_mib": 96,
        "probe_timeout_s": 17,
        "max_unavailable": 3,
        "xdp": True,
        "felix": {"logSeverityScreen": "Warning", "floatingIPs": "Enabled"},
    },
}

NETWORKS = {"mesh": MESH, "route-reflectors": REFLECTORS, "routers": ROUTERS, "everything": EVERYTHING}


def document(network: dict[str, Any], version: str = "3.32.1", **areas: Any) -> dict[str, Any]:
    """A settings document with this pod network; `areas` replace whole areas of it."""
    whole = copy.deepcopy({**FULL, "pod_network": network, **areas})
    calico = whole["pod_network"].setdefault("calico", {})
    calico["version"] = version
    if version != "3.32.1":  # whose API server's manifest is the only one at hand
        calico["api_server_manifest"] = {"source": "/manifests/apiserver.yaml", "sha256": "0" * 64}
    return whole


def plan(network: dict[str, Any], version: str = "3.32.1", **areas: Any) -> Plan:
    """The plan of such a document."""
    return make(load(document(network, version, **areas)))


def published(name: str) -> str:
    """A manifest as published, or a skipped test that says what is missing."""
    path = PUBLISHED / name
    if not path.exists():
        pytest.skip(f"{path} is not here: {name} as published")
    return path.read_text()


def calico_yaml(version: str) -> str:
    """calico.yaml of a version."""
    return published(f"calico-v{version}.yaml")


def api_server_yaml(version: str) -> str:
    """apiserver.yaml of a version; 3.31.7's is not at hand, its image is the only thing that 3.32.1's needs to stand for it."""
    return published(API_SERVER).replace("v3.32.1", f"v{version}")


def parsed(text: str) -> list[dict[str, Any]]:
    """The objects of a manifest as they are."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [thing for thing in yaml.load_all(text, Loader=loader) if thing]


def listed(things: list[dict[str, Any]]) -> str:
    """Several objects for kubectl."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": things})


def written(thing: V3Object) -> dict[str, Any]:
    """A setting as it is sent."""
    return {"apiVersion": V3, "kind": thing.kind, "metadata": {"name": thing.name}, "spec": thing.spec}
