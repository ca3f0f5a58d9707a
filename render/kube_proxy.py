"""kube-proxy's configuration, rendered once: kubeadm's file and the running cluster's ConfigMap get the same text."""

import hashlib
from typing import Any

from plan import Plan
from render.text import document
from settings.kube_proxy import Ipvs, RuleSync, needs_gate

CONFIG_KEY = "config.conf"
"""The ConfigMap's key that kube-proxy reads (kubeadm's name)."""
METRICS_PORT = 10249
"""Port on loopback where kube-proxy says its mode."""
HEALTH_PORT = 10256
"""Port where kube-proxy says whether its last sync came in time (healthzBindAddress's default)."""


def config_document(plan: Plan) -> dict[str, Any]:
    """KubeProxyConfiguration as an object."""
    settings = plan.settings.kube_proxy
    gates: dict[str, Any] = {"featureGates": {"KubeProxyIPVS": True}} if needs_gate(settings.mode, plan.settings.cluster.minor) else {}
    mode_section = {settings.mode: _ipvs(settings.ipvs) if settings.mode == "ipvs" else _rules(settings.rules)}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        **gates,
        "mode": settings.mode,
        **mode_section,
        "clientConnection": {"kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf"},
        "clusterCIDR": str(plan.settings.pod_network.cidr),
        "detectLocalMode": "ClusterCIDR",
        "metricsBindAddress": f"127.0.0.1:{METRICS_PORT}",
        "conntrack": _conntrack(),
        "logging": {"verbosity": settings.verbosity},
    }


def config(plan: Plan) -> str:
    """KubeProxyConfiguration as YAML."""
    return document(config_document(plan))


def checksum(config: str) -> str:
    """SHA-256 of a configuration, hex: the DaemonSet's annotation, so that a change rolls its pods."""
    return hashlib.sha256(config.encode()).hexdigest()


def config_map_data(plan: Plan) -> dict[str, str]:
    """What the ConfigMap kube-system/kube-proxy gets; kubeconfig.conf stays kubeadm's."""
    return {CONFIG_KEY: config(plan)}


def _ipvs(ipvs: Ipvs) -> dict[str, Any]:
    return {
        "scheduler": ipvs.scheduler,
        "strictARP": ipvs.strict_arp,
        "syncPeriod": _seconds(ipvs.sync_period_s),
        "minSyncPeriod": _seconds(ipvs.min_sync_period_s),
        "tcpTimeout": _seconds(ipvs.tcp_timeout_s),
        "tcpFinTimeout": _seconds(ipvs.tcp_fin_timeout_s),
        "udpTimeout": _seconds(ipvs.udp_timeout_s),
        "excludeCIDRs": [str(network) for network in ipvs.exclude_cidrs],
    }


def _rules(rules: RuleSync) -> dict[str, Any]:
    return {"syncPeriod": _seconds(rules.sync_period_s), "minSyncPeriod": _seconds(rules.min_sync_period_s)}


def _conntrack() -> dict[str, Any]:
    # Zeros, written out: kube-proxy touches nothing then (pkg/proxy/conntrack/sysctls.go), the node owns the numbers.
    # Absent fields would get the defaults 32768 a core, 24 h and 1 h.
    return {
        "maxPerCore": 0,
        "min": 0,
        "tcpEstablishedTimeout": "0s",
        "tcpCloseWaitTimeout": "0s",
        "udpTimeout": "0s",
        "udpStreamTimeout": "0s",
    }


def _seconds(value: float) -> str:
    return f"{value:g}s" if value < 1_000_000 else f"{value:.0f}s"
