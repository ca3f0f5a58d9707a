"""Outputs as a stack publishes them, of a made-up environment."""

import copy
from typing import Any

KUBECONFIG = "apiVersion: v1\nkind: Config\nusers: [{ name: admin, user: { token: swordfish-5512 } }]\n"
OUTPUTS: dict[str, Any] = {
    "contract_version": "1.0",
    "environment": "oslo",
    "location": {"countries": ["NO"], "sites": ["osl1"], "hypervisors": {"kvm1": {"country": "NO", "site": "osl1"}}},
    "api": {"endpoint": "https://api.oslo.example:6443", "root_certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
    "kubeconfig": KUBECONFIG,
    "networks": {
        "nodes": "10.20.0.0/24",
        "pods": "10.128.0.0/16",
        "services": "10.96.0.0/16",
        "load_balancers": ["10.20.128.0/24"],
        "link_mtu": 9000,
        "pod_mtu": 9000,
        "overhead_bytes": 0,
    },
    "nodes": [
        {
            "name": "oslo-cp-1",
            "role": "control-plane",
            "address": "10.20.0.11",
            "as_number": 64512,
            "hypervisor": "kvm1",
            "zone": "osl1",
            "labels": {"topology.kubernetes.io/zone": "osl1"},
        }
    ],
    "bgp": {
        "as_number": 64512,
        "topology": "mesh",
        "routers": [{"name": "tor", "address": "10.20.0.2", "as_number": 64600}],
        "advertised": ["10.128.0.0/16", "10.20.128.0/24"],
    },
    "ingress": {
        "controller": "ingress-nginx",
        "class_name": "nginx",
        "default_class": False,
        "namespace": "ingress-nginx",
        "addresses": ["10.20.128.10"],
        "domain": "apps.oslo.example",
        "exposure": "load-balancer",
    },
    "limits": {
        "request_body_bytes": 10485760,
        "buffered_response_bytes": 122880,
        "conntrack_entries_per_node": 1048576,
        "pods_per_node": 110,
    },
    "kube_proxy_mode": "ipvs",
}


def published(**changes: Any) -> dict[str, Any]:
    """The sample with other outputs; None removes one, `part__field` changes a field of one."""
    made = copy.deepcopy(OUTPUTS)
    for name, value in changes.items():
        *parents, last = name.split("__")
        place = made
        for parent in parents:
            place = place[parent]
        if value is None:
            place.pop(last)
        else:
            place[last] = value
    return made
