"""A node's cloud-init seed: identity only, nothing that opens the cluster (it stays on the hypervisor's disk)."""

from typing import Any

from plan import NodePlan, Plan
from render.text import document

INTERFACE = "eth0"
"""The node's only NIC (the image boots with net.ifnames=0)."""


def user_data(node: NodePlan, *, host_key: str, host_key_public: str, authorized_key: str) -> str:
    """The cloud-config: host name, SSH host key (secret), who may log in as root."""
    config: dict[str, Any] = {
        "hostname": node.name,
        "fqdn": node.name,
        "preserve_hostname": False,
        "manage_etc_hosts": False,
        "disable_root": False,
        "ssh_pwauth": False,
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": host_key, "ed25519_public": host_key_public.strip()},
        "ssh_authorized_keys": [authorized_key.strip()],
        "package_update": False,
        "package_upgrade": False,
    }
    return "#cloud-config\n" + document(config)


def meta_data(node: NodePlan) -> str:
    """The instance's identity; it stays the same for as long as the node has its name."""
    return document({"instance-id": node.name, "local-hostname": node.name})


def network_config(plan: Plan, node: NodePlan) -> str:
    """The static address of eth0, found by its MAC (network config version 2)."""
    network = plan.settings.network
    resolver: dict[str, Any] = {"addresses": [str(address) for address in network.dns]}
    if network.search:
        resolver["search"] = list(network.search)
    link: dict[str, Any] = {
        "match": {"macaddress": node.mac},
        "set-name": INTERFACE,
        "dhcp4": False,
        "dhcp6": False,
        "accept-ra": False,
        "link-local": [],
        "mtu": network.mtu,
        "addresses": [f"{node.address}/{node.prefix}"],
        "routes": [{"to": "0.0.0.0/0", "via": str(network.gateway)}],
        "nameservers": resolver,
    }
    return document({"version": 2, "ethernets": {INTERFACE: link}})
