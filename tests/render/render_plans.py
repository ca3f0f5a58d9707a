"""Plans that the tests of render/ share: the lab's, and one that turns every knob."""

import copy
from pathlib import Path
from typing import Any

import yaml

from plan import NodePlan, Plan, make
from settings import load

ROOT = Path(__file__).parents[2]
TOKEN = "abcdef.0123456789abcdef"
CA_HASH = "ab" * 32
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEnvironmentsOwnKey underlay"

FULL: dict[str, Any] = {
    "name": "oslo",
    "residency": {"countries": ["NO"], "places": {"registry.example": "NO", "mirror.example": "NO"}},
    "hypervisors": {
        name: {
            "uri": f"qemu+ssh://root@{name}/system",
            "location": {"country": "NO", "site": f"hall-{number}"},
            "network": {"bridge": "br0"},
            "pool": {"name": "nvme", "kind": "logical"},
            "files_pool": {"name": "default", "kind": "dir"},
            "topology": {"numa": [{"threads": ["0-31"], "memory_mib": 131072, "hugepages": {"1G": 96}}]},
            "reserved_cpus": "0-3",
        }
        for number, name in enumerate(("kvm-a", "kvm-b", "kvm-c"), 1)
    },
    "network": {"cidr": "10.20.0.0/24", "gateway": "10.20.0.1", "dns": ["10.20.0.2", "10.20.0.3"], "mtu": 9000, "search": ["oslo.example.net"]},
    "image": {"source": "/images/node.qcow2", "raw": "/images/node.raw"},
    "control_plane": {
        "count": 3,
        "vcpus": 4,
        "memory_mib": 8192,
        "disk": {"size_gib": 40, "io": "native", "io_threads": 2, "queues": 4},
        "nic": {"queues": 4, "driver": "vhost", "rx_queue_size": 1024},
        "hugepages": "1G",
        "first_host": 11,
    },
    "workers": {
        "web": {
            "count": 2,
            "vcpus": 8,
            "memory_mib": 16384,
            "disk": {"size_gib": 80, "io": "io_uring"},
            "hugepages": "1G",
            "placement": ["kvm-a", "kvm-b"],
            "first_host": 21,
            "labels": {"example.net/tier": "web"},
            "taints": [{"key": "web", "value": "only", "effect": "NoSchedule"}],
        }
    },
    "pod_network": {"kind": "external", "cidr": "10.32.0.0/14", "node_prefix": 26},
    "cluster": {
        "kubernetes_version": "1.36.3",
        "service_network": "10.96.0.0/16",
        "endpoint": {"address": "10.20.0.10", "name": "api.oslo.example.net", "vrrp": {"router_id": 77}},
        "kubelet_args": {"v": "2"},
        "kubelet": {"maxPods": 60},
    },
    "node": {
        "time": {"servers": ["10.20.0.2", "ntp.example.net"]},
        "modules": ["vfio-pci"],
        "sysctls": {"net.ipv4.conf.*.send_redirects": "0", "net/ipv4/conf/eth0.7/rp_filter": "2", "net.ipv4.tcp_rmem": "4096 131072 6291456"},
        "conntrack": {"tcp_be_liberal": True},
        "access": {"authorized_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOperator ops@example.net"]},
    },
    "kube_proxy": {"ipvs": {"scheduler": "wlc", "exclude_cidrs": ["10.20.0.10/32"], "min_sync_period_s": 0.5}},
}


def full(**changes: Any) -> Plan:
    """The plan with every knob turned; `changes` are dotted paths with `__` for the dot."""
    document = copy.deepcopy(FULL)
    for path, value in changes.items():
        *groups, last = path.split("__")
        place = document
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = value
    return make(load(document))


def lab() -> Plan:
    """The plan of the stack that `make up` shows."""
    stack = yaml.safe_load((ROOT / "stacks" / "Pulumi.lab.yaml").read_text())
    return make(load(stack["config"]["underlay:environment"]))


def node(plan: Plan, name: str) -> NodePlan:
    """A node of the plan by its name without the environment's."""
    return next(node for node in plan.nodes if node.name == f"{plan.settings.name}-{name}")


def native_plan(**changes: Any) -> Plan:
    """The plan of the control planes that run without machines: nothing there resolves the endpoint's name."""
    return full(cluster__endpoint={"address": "10.20.0.10"}, **changes)
