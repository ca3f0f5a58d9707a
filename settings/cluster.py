"""The Kubernetes cluster: versions, networks, endpoint, and kubeadm's own knobs."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from settings.base import Problem, Settings
from settings.flags import DEFAULT_MAX_PODS, FieldName, FlagName, VariableName, flag_mistakes, kubelet_mistakes
from settings.forms import Address, DnsName, Network, Whole, Words, wrong_form

OLDEST = (1, 31)
"""kubeadm.k8s.io/v1beta4 came with Kubernetes 1.31."""
NEWEST_TESTED = (1, 37)

OCCUPIED_PORTS = {
    22: "SSH",
    2379: "etcd",
    2380: "etcd",
    2381: "etcd",
    10248: "the kubelet",
    10249: "kube-proxy",
    10250: "the kubelet",
    10256: "kube-proxy",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}
"""Ports of a control plane that others listen on."""
NODE_PORTS = (30000, 32767)
"""Kubernetes' own range for NodePort Services; kube-proxy takes what comes in there."""
NODE_PORTS_FLAG = "service-node-port-range"


def _version(version: str) -> str:
    bare = version.removeprefix("v")
    if not re.fullmatch(r"1\.[0-9]{1,2}\.[0-9]{1,2}", bare):
        raise wrong_form("expected a Kubernetes version", "write it like 1.36.3")
    if bare != version:
        raise wrong_form("expected a version without the v", f"write {bare}")
    if int(version.split(".")[1]) < OLDEST[1]:
        raise ValueError(f"is {version!r}, limit: at least {OLDEST[0]}.{OLDEST[1]} (kubeadm v1beta4); name a newer one")
    return version


Version = Annotated[str, AfterValidator(_version), Words("Kubernetes version")]


class Vrrp(Settings):
    """keepalived's half of the endpoint address. A change is made in place, node by node."""

    router_id: Whole = Field(default=51, ge=1, le=255)
    """VRRP virtual router ID; another one for each environment on the same link."""
    advert_interval_s: Whole = Field(default=1, ge=1, le=60)
    """Seconds between adverts; the address moves after three missed ones."""
    check_interval_s: Whole = Field(default=3, ge=1, le=60)
    """Seconds between health checks of the local API server's /readyz."""
    check_timeout_s: Whole = Field(default=2, ge=1, le=60)
    """Seconds until such a check has failed."""
    check_failures: Whole = Field(default=3, ge=1, le=20)
    """Failed checks in a row until the address leaves the node."""

    def disagreements(self) -> Iterator[Problem]:
        """A check has ended before the next one starts."""
        if self.check_timeout_s > self.check_interval_s:
            yield Problem("check_timeout_s", f"is {self.check_timeout_s}, limit {self.check_interval_s} (check_interval_s); lower it")


class Endpoint(Settings):
    """Where the API is reached: an address of its own from the start, so that one control plane can grow to three.

    A change needs a new cluster: certificates and kubeconfigs hold it.
    """

    address: Address
    """Address of the API, in the node network and no node's own (keepalived), or the load balancer's (external)."""
    name: DnsName | None = None
    """DNS name of the API; nodes get it in /etc/hosts, certificates hold it."""
    port: Whole = Field(default=6443, ge=1, le=65535)
    """Port of the API, the API servers' own too."""
    held_by: Literal["keepalived", "external"] = "keepalived"
    """`keepalived`: the control planes hold it by VRRP; `external`: your load balancer does."""
    vrrp: Vrrp = Vrrp()
    """keepalived's timing."""

    def disagreements(self) -> Iterator[Problem]:
        """The name is no address; the port is free on a control plane."""
        if self.name is not None and re.fullmatch(r"[0-9.]+", self.name):
            yield Problem("name", f"is {self.name!r}, expected a DNS name; leave it out, address is enough")
        if self.name is not None and self.name in ("localhost", "localhost.localdomain"):
            yield Problem("name", f"is {self.name!r}, each machine's name for itself; choose another name")
        if self.port in OCCUPIED_PORTS:
            yield Problem("port", f"is {self.port}, where {OCCUPIED_PORTS[self.port]} listens; write 6443 or another free port")


class Component(Settings):
    """Extra flags and environment of a control-plane component, as kubeadm v1beta4 takes them. A change needs `kubeadm upgrade`."""

    args: dict[FlagName, str] = {}
    """Flags without the leading dashes."""
    env: dict[VariableName, str] = {}
    """Environment variables."""


class Probes(Settings):
    """Probes of the control plane's static pods; the defaults are kubeadm's own."""

    liveness_period_s: Whole | None = Field(default=None, ge=1, le=600)
    """Seconds between liveness probes; unset keeps kubeadm's (10)."""
    readiness_period_s: Whole | None = Field(default=None, ge=1, le=600)
    """Seconds between readiness probes; unset keeps kubeadm's (1)."""
    startup_period_s: Whole | None = Field(default=None, ge=1, le=600)
    """Seconds between startup probes; unset keeps kubeadm's (10)."""
    startup_failures: Whole | None = Field(default=None, ge=1, le=10000)
    """Failed startup probes until the container is restarted; unset keeps kubeadm's (24)."""


class Timeouts(Settings):
    """How long kubeadm and `up` wait before they say what failed."""

    control_plane_s: Whole = Field(default=240, ge=30, le=7200)
    """kubeadm: control-plane components healthy."""
    kubelet_s: Whole = Field(default=240, ge=30, le=7200)
    """kubeadm: kubelet healthy."""
    api_s: Whole = Field(default=60, ge=10, le=7200)
    """kubeadm: one call of the API, of etcd."""
    join_s: Whole = Field(default=300, ge=30, le=7200)
    """kubeadm: discovery and TLS bootstrap of a joining node."""
    boot_s: Whole = Field(default=300, ge=30, le=7200)
    """A machine answers on SSH and cloud-init has finished."""
    ready_s: Whole = Field(default=600, ge=30, le=7200)
    """A joined node is Ready with kube-proxy in the declared mode."""
    drain_s: Whole = Field(default=300, ge=10, le=7200)
    """A leaving node is drained; pods that are still there then fail the step, so nothing is lost."""


class Certificates(Settings):
    """Lifetimes of what the environment signs itself."""

    authority_days: Whole = Field(default=3650, ge=30, le=10950)
    """Certificate authorities. A change replaces them (protected)."""
    admin_days: Whole = Field(default=365, ge=1, le=3650)
    """The admin certificate in the kubeconfig."""
    renew_days: Whole = Field(default=30, ge=0, le=365)
    """`up` renews the admin certificate this many days before its end."""

    def disagreements(self) -> Iterator[Problem]:
        """The admin certificate is renewed before its end, and does not outlive its authority."""
        if self.renew_days >= self.admin_days:
            yield Problem("renew_days", f"is {self.renew_days}, limit {self.admin_days - 1} (admin_days - 1); lower it")
        if self.admin_days > self.authority_days:
            yield Problem("admin_days", f"is {self.admin_days}, limit {self.authority_days} (authority_days); lower it")


def _port_range(text: str) -> tuple[int, int] | None:
    """Both ends of a range as kube-apiserver reads it: 30000-32767, or 30000+2767; None where it is none."""
    found = re.fullmatch(r"([0-9]{1,5})([-+])([0-9]{1,5})", text)
    if found is None:
        return None
    first = int(found[1])
    last = first + int(found[3]) if found[2] == "+" else int(found[3])
    return (first, last) if 1 <= first <= last <= 65535 else None


class Cluster(Settings):
    """The kubeadm cluster. A change reaches machines that are built afterwards: kubeadm runs once on each."""

    kubernetes_version: Version
    """Kubernetes version such as 1.36.3; the node image must hold the same."""
    service_network: Network
    """Addresses of Services; the API is the first, DNS the tenth. A change needs a new cluster."""
    endpoint: Endpoint
    """Where the API is reached."""
    dns_domain: DnsName = "cluster.local"
    """DNS domain of Services. A change needs a new cluster."""
    api_server: Component = Component()
    """Extra flags and environment of kube-apiserver."""
    controller_manager: Component = Component()
    """Extra flags and environment of kube-controller-manager."""
    scheduler: Component = Component()
    """Extra flags and environment of kube-scheduler."""
    etcd: Component = Component()
    """Extra flags and environment of etcd."""
    probes: Probes = Probes()
    """Probes of the control plane's static pods."""
    kubelet: dict[FieldName, Any] = {}
    """Further fields of KubeletConfiguration (kubelet.config.k8s.io/v1beta1)."""
    kubelet_args: dict[FlagName, str] = {}
    """Extra kubelet flags, without the leading dashes."""
    timeouts: Timeouts = Timeouts()
    """How long steps may take."""
    certificates: Certificates = Certificates()
    """Lifetimes of what the environment signs."""

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version as numbers: (1, 36)."""
        major, minor, _ = (int(part) for part in self.kubernetes_version.split("."))
        return major, minor

    @property
    def max_pods(self) -> int:
        """Pods that the kubelet lets a node have."""
        declared: object = self.kubelet.get("maxPods")
        return declared if isinstance(declared, int) else DEFAULT_MAX_PODS

    @property
    def node_port_range(self) -> tuple[int, int]:
        """First and last port of NodePort Services."""
        return _port_range(self.api_server.args.get(NODE_PORTS_FLAG, "")) or NODE_PORTS

    def disagreements(self) -> Iterator[Problem]:
        """The service network has a size that Kubernetes takes; flags are not underlay's own."""
        yield from self._node_port_mistakes()
        if not 12 <= self.service_network.prefixlen <= 28:
            yield Problem("service_network", f"is {self.service_network}, limits /12 to /28 (kube-apiserver's); choose another prefix")
        yield from kubelet_mistakes(self.kubelet)
        for name, component in self.components().items():
            yield from flag_mistakes(name, f"{name}.args", component.args)
        yield from flag_mistakes("kubelet", "kubelet_args", self.kubelet_args)

    def _node_port_mistakes(self) -> Iterator[Problem]:
        declared = self.api_server.args.get(NODE_PORTS_FLAG)
        if declared is not None and _port_range(declared) is None:
            path = f"api_server.args.{NODE_PORTS_FLAG}"
            yield Problem(path, f"is {declared[:60]!r}, expected two ports of 1 to 65535 in rising order; write it like 30000-32767")
            return
        first, last = self.node_port_range
        if first <= self.endpoint.port <= last:
            yield Problem(
                "endpoint.port", f"is {self.endpoint.port}, limits: outside {first}-{last} (NodePort Services); write 6443 or another free port"
            )

    def components(self) -> dict[str, Component]:
        """The control plane's programs by the name of their setting."""
        return {"api_server": self.api_server, "controller_manager": self.controller_manager, "scheduler": self.scheduler, "etcd": self.etcd}
