"""A stack as data that keeps every rule. Rules are asked about it as it is, and through the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from policy.facts import ENVIRONMENT, HYPERVISOR, MACHINE
from policy.model import Resource, Secret, Stack

LIBVIRT = "pulumi:providers:libvirt"
KUBERNETES = "pulumi:providers:kubernetes"
DOMAIN = "libvirt:index/domain:Domain"
VOLUME = "libvirt:index/volume:Volume"
POOL = "libvirt:index/pool:Pool"
SEED = "libvirt:index/cloudInitDisk:CloudInitDisk"
COMMAND = "command:remote:Command"
KEY = "tls:index/privateKey:PrivateKey"
AUTHORITY = "underlay:authorities:Authority"
IP_POOL = "kubernetes:crd.projectcalico.org/v1:IPPool"
DAEMON_SET = "kubernetes:apps/v1:DaemonSet"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
PLACE = {"name": "bgp", "namespace": "kube-system"}
DIGEST = f"sha256:{'5' * 64}"

KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{name: oslo, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: admin, user: {token: none}}]
contexts: [{name: oslo, context: {cluster: oslo, user: admin}}]
current-context: oslo
"""

Tree = dict[str, Any]


@dataclass
class Registration:
    """One resource as a program registers it; a value that it marks as secret is written {"secret": value}."""

    type: str
    name: str
    inputs: Tree
    parent: str = ""
    """Name of another one."""
    provider: str = ""
    protect: bool = False


Program = dict[str, Registration]
"""By name, in order."""


def domain(name: str, pins: Mapping[int, str], policy: str, own_threads: str) -> Tree:
    """Inputs of a domain whose stylesheet pins its vCPUs."""
    pinned = "".join(f'<vcpupin vcpu="{vcpu}" cpuset="{cpus}"/>' for vcpu, cpus in pins.items())
    stylesheet = f"""<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template>
<xsl:template match="/domain"><xsl:copy><xsl:apply-templates select="@*|node()"/>
<metadata><underlay:machine xmlns:underlay="https://underlay.dev/libvirt/1" environment="oslo" node="{name}" cpu-policy="{policy}"/></metadata>
<cputune>{pinned}<emulatorpin cpuset="{own_threads}"/></cputune></xsl:copy></xsl:template></xsl:stylesheet>
"""
    return {"name": name, "type": "kvm", "vcpu": len(pins), "memory": 4096, "xml": {"xslt": stylesheet}}


def machine(node: str, role: str, policy: str) -> Tree:
    """Facts of a machine."""
    disks = [{"purpose": "root", "kind": "volume", "pool": "nvme"}]
    return {"node": node, "role": role, "hypervisor": "kvm1", "cpuPolicy": policy, "overcommit": 1.0, "disks": disks}


def connection(host: str) -> Tree:
    """How a script reaches a node."""
    return {"secret": {"host": host, "user": "root", "privateKey": "a key", "hostKey": "ssh-ed25519 AAAA"}}


def network_config(address: str) -> str:
    """A seed's network configuration, as render/seed.py writes it."""
    return (
        f"version: 2\nethernets:\n  eth0:\n    set-name: eth0\n    dhcp4: false\n    addresses:\n    - {address}/24\n"
        "    routes:\n    - to: 0.0.0.0/0\n      via: 10.20.0.1\n    nameservers:\n      addresses:\n      - 9.9.9.9\n"
    )


def workload(name: str, image: str, env: Mapping[str, str] | None = None) -> Tree:
    """A DaemonSet or Deployment of one container."""
    container = {"name": name, "image": image, "env": [{"name": key, "value": value} for key, value in (env or {}).items()]}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {"metadata": {"name": name, "namespace": "kube-system"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}


def proxy_config(mode: str = "ipvs", per_core: int = 0) -> Tree:
    """kube-proxy's configuration."""
    text = f"apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nconntrack:\n  maxPerCore: {per_core}\nmode: {mode}\n"
    return {"metadata": {"name": "kube-proxy", "namespace": "kube-system"}, "data": {"config.conf": text}}


def pool() -> Tree:
    """Calico's first pool."""
    return {"metadata": {"name": "default-ipv4-ippool"}, "spec": {"cidr": "192.168.0.0/16", "ipipMode": "Never", "vxlanMode": "Never"}}


def command(host: str) -> Tree:
    """A script on a node."""
    return {"create": "exec bash -s", "stdin": "sysctl -w net.netfilter.nf_conntrack_max=1048576", "connection": connection(host)}


def thing(kind: str, name: str, fields: Tree) -> Registration:
    """A Kubernetes object."""
    _, version, called = kind.split(":")
    about = {"apiVersion": version.removeprefix("core/"), "kind": called.removesuffix("Patch")}
    return Registration(kind, name, {**about, **fields}, "oslo", "oslo-kubernetes")


def good() -> Program:
    """A stack that keeps every rule: one hypervisor, a control plane and two workers, Calico, kube-proxy, one Secret."""
    facts: Tree = {
        "name": "oslo",
        "kubernetesVersion": "1.36.3",
        "proxyMode": "ipvs",
        "residency": {"countries": ["NO"], "reason": "health data", "places": {"files.example": "NO", "registry.example": "NO", "s3.example": "NO"}},
        "stateBackend": "s3://underlay-state?endpoint=s3.example",
        "sources": {"image.source": "https://files.example/node.qcow2", "pod_network.calico.manifest": "/srv/calico.yaml"},
        "dependencies": {"db": {"host": "db.example", "country": "NO"}},
        "encapsulation": {"protocol": "none"},
        "conntrack": {"maxEntries": 1048576, "neededEntries": 80000, "neededFor": "ingress.expected_connections"},
    }
    host: Tree = {
        "hypervisor": "kvm1",
        "country": "NO",
        "site": "osl1",
        "uri": "qemu+ssh://root@kvm1/system",
        "pools": [{"name": "nvme", "kind": "logical", "media": "nvme"}, {"name": "default", "kind": "dir", "media": "disk"}],
        "drives": {"nvme1": {"kind": "nvme", "address": "0000:41:00.0"}},
        "sharedCpus": [2, 3],
        "tenants": {"db-1": {"vcpus": 2, "cpus": [14, 15]}},
    }
    seed = {"name": "oslo-cp-1-seed.iso", "userData": {"secret": "#cloud-config"}, "networkConfig": network_config("10.20.0.11")}
    items = (
        Registration(ENVIRONMENT, "oslo", facts),
        Registration(AUTHORITY, "oslo-cluster-ca", {}, parent="oslo"),
        Registration(KEY, "oslo-cluster-ca-key", {"algorithm": "ECDSA", "ecdsaCurve": "P256"}, parent="oslo-cluster-ca", protect=True),
        Registration(HYPERVISOR, "oslo-kvm1", host, parent="oslo"),
        Registration(LIBVIRT, "oslo-kvm1-libvirt", {"uri": "qemu+ssh://root@kvm1/system"}, parent="oslo-kvm1"),
        Registration(
            POOL, "oslo-kvm1-pool", {"name": "nvme", "type": "dir", "target": {"path": "/srv/nvme"}}, "oslo-kvm1", "oslo-kvm1-libvirt", protect=True
        ),
        Registration(MACHINE, "oslo-cp-1", machine("oslo-cp-1", "control-plane", "dedicated"), parent="oslo"),
        Registration(
            VOLUME, "oslo-cp-1-root", {"name": "oslo-cp-1", "pool": "nvme", "size": 1024**3}, "oslo-cp-1", "oslo-kvm1-libvirt", protect=True
        ),
        Registration(SEED, "oslo-cp-1-seed", seed, "oslo-cp-1", "oslo-kvm1-libvirt"),
        Registration(DOMAIN, "oslo-cp-1-domain", domain("oslo-cp-1", {0: "4", 1: "5"}, "dedicated", "0-1"), "oslo-cp-1", "oslo-kvm1-libvirt"),
        Registration(MACHINE, "oslo-worker-1", machine("oslo-worker-1", "worker", "shared"), parent="oslo"),
        Registration(DOMAIN, "oslo-worker-1-domain", domain("oslo-worker-1", {0: "2-3"}, "shared", "0-1"), "oslo-worker-1", "oslo-kvm1-libvirt"),
        Registration(MACHINE, "oslo-worker-2", machine("oslo-worker-2", "worker", "shared"), parent="oslo"),
        Registration(DOMAIN, "oslo-worker-2-domain", domain("oslo-worker-2", {0: "2-3"}, "shared", "0-1"), "oslo-worker-2", "oslo-kvm1-libvirt"),
        Registration(MACHINE, "oslo-worker-3", machine("oslo-worker-3", "worker", "dedicated"), parent="oslo"),
        Registration(DOMAIN, "oslo-worker-3-domain", domain("oslo-worker-3", {0: "6"}, "dedicated", "0-1"), "oslo-worker-3", "oslo-kvm1-libvirt"),
        Registration(COMMAND, "oslo-cp-1-prepare", command("10.20.0.11"), parent="oslo"),
        Registration(KUBERNETES, "oslo-kubernetes", {"kubeconfig": {"secret": KUBECONFIG}}, parent="oslo"),
        thing("kubernetes:core/v1:ConfigMapPatch", "oslo-kube-proxy-config", proxy_config()),
        thing(DAEMON_SET, "oslo-calico-node", workload("calico-node", f"registry.example/calico/node@{DIGEST}", {"CALICO_IPV4POOL_IPIP": "Never"})),
        thing(IP_POOL, "oslo-pods", pool()),
        thing("kubernetes:core/v1:Secret", "oslo-passwords", {"metadata": PLACE, "data": {"tor": {"secret": "aHVudGVyMg=="}}}),
        *(thing(DEPLOYMENT, f"oslo-{name}", workload(name, f"registry.example/{name}:1@{DIGEST}")) for name in ("web", "front", "shop")),
    )
    return {item.name: item for item in items}


def stack_of(program: Program) -> Stack:
    """The program as rules see it."""
    stack = Stack()
    for item in program.values():
        stack.add(resource_of(item, program))
    return stack


def resource_of(item: Registration, program: Program) -> Resource:
    """One resource as rules see it."""
    return Resource(
        urn=urn_of(item.name, program),
        type=item.type,
        name=item.name,
        inputs=_marked(item.inputs),
        protect=item.protect,
        parent=urn_of(item.parent, program),
        provider=urn_of(item.provider, program),
    )


def urn_of(name: str, program: Program) -> str:
    """A name of its own for each; the engine's has all types above it too."""
    return f"urn:pulumi:test::policies::{program[name].type}::{name}" if name else ""


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        tree = cast("Tree", value)
        return Secret(_marked(tree["secret"])) if list(tree) == ["secret"] else {key: _marked(inner) for key, inner in tree.items()}
    return [_marked(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value
