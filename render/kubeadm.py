"""kubeadm's documents (kubeadm.k8s.io/v1beta4) and what goes with them."""

from typing import Any

from plan import NodePlan, Plan
from render.kube_proxy import config_document
from render.text import document, documents
from settings.cluster import Component

API = "kubeadm.k8s.io/v1beta4"
CRI_SOCKET = "unix:///run/containerd/containerd.sock"
ENCRYPTION_FILE = "/etc/kubernetes/encryption.yaml"
"""Where the API server finds the key for Secrets at rest."""
PATCHES_FOLDER = "/etc/kubernetes/patches"
"""kubeadm's strategic merge patches of static pods."""
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")


def init_config(plan: Plan, node: NodePlan, *, token: str) -> str:
    """What `kubeadm init` reads on the first control plane; holds the bootstrap token (secret)."""
    init: dict[str, Any] = {
        "apiVersion": API,
        "kind": "InitConfiguration",
        "bootstrapTokens": [
            {
                "token": token,
                "ttl": "0s",  # a standing token: a broken-off `up` is finished whenever it is run again
                "usages": ["signing", "authentication"],
                "groups": ["system:bootstrappers:kubeadm:default-node-token"],
            }
        ],
        "localAPIEndpoint": _local_endpoint(plan, node),
        "nodeRegistration": _registration(plan, node),
        "skipPhases": ["show-join-command"],  # it prints the token
        **_patches(plan, node),
        "timeouts": _timeouts(plan),
    }
    return documents((init, _cluster(plan), _kubelet(plan), config_document(plan)))


def join_config(plan: Plan, node: NodePlan, *, token: str, ca_hash: str) -> str:
    """What `kubeadm join` reads on every other node; holds the bootstrap token (secret).

    `ca_hash` is the SHA-256 of the cluster CA's public key, hex, with or without `sha256:`.
    """
    hash_value = ca_hash if ca_hash.startswith("sha256:") else f"sha256:{ca_hash}"
    discovery = {"token": token, "apiServerEndpoint": endpoint(plan), "caCertHashes": [hash_value]}
    control_plane: dict[str, Any] = {"controlPlane": {"localAPIEndpoint": _local_endpoint(plan, node)}} if node.is_control_plane else {}
    return document(
        {
            "apiVersion": API,
            "kind": "JoinConfiguration",
            "discovery": {"bootstrapToken": discovery},
            **control_plane,
            "nodeRegistration": _registration(plan, node),
            **_patches(plan, node),
            "timeouts": _timeouts(plan),
        }
    )


def static_pod_patches(plan: Plan) -> dict[str, str]:
    """File name to YAML: the probes of the control plane's static pods; empty where kubeadm's own are kept."""
    probes = plan.settings.cluster.probes
    wanted: dict[str, dict[str, int]] = {
        "livenessProbe": _probe(periodSeconds=probes.liveness_period_s),
        "readinessProbe": _probe(periodSeconds=probes.readiness_period_s),
        "startupProbe": _probe(periodSeconds=probes.startup_period_s, failureThreshold=probes.startup_failures),
    }
    patches: dict[str, str] = {}
    for component in COMPONENTS:
        # kubeadm gives the controller manager no readiness probe; a patch would make one without a handler
        fields = {name: probe for name, probe in wanted.items() if probe and (component, name) != ("kube-controller-manager", "readinessProbe")}
        if fields:
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": component, "namespace": "kube-system"},
                "spec": {"containers": [{"name": component, **fields}]},
            }
            patches[f"{component}+strategic.yaml"] = document(pod)
    return patches


def encryption_config(key_base64: str) -> str:
    """The API server's EncryptionConfiguration for Secrets (secret); `key_base64` is 32 bytes in base64."""
    return document(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": [
                {
                    "resources": ["secrets"],
                    "providers": [{"secretbox": {"keys": [{"name": "key1", "secret": key_base64.strip()}]}}, {"identity": {}}],
                }
            ],
        }
    )


def endpoint(plan: Plan) -> str:
    """The API as host:port."""
    return f"{plan.api_host}:{plan.settings.cluster.endpoint.port}"


def _local_endpoint(plan: Plan, node: NodePlan) -> dict[str, Any]:
    return {"advertiseAddress": str(node.address), "bindPort": plan.settings.cluster.endpoint.port}


def _registration(plan: Plan, node: NodePlan) -> dict[str, Any]:
    arguments = {"node-ip": str(node.address), **plan.settings.cluster.kubelet_args}
    return {
        "name": node.name,
        "criSocket": CRI_SOCKET,
        "imagePullPolicy": "IfNotPresent",
        "kubeletExtraArgs": _pairs(arguments),
        "taints": [
            {"key": taint.key, "value": taint.value, "effect": taint.effect} if taint.value else {"key": taint.key, "effect": taint.effect}
            for taint in node.taints
        ],
    }


def _patches(plan: Plan, node: NodePlan) -> dict[str, Any]:
    return {"patches": {"directory": PATCHES_FOLDER}} if node.is_control_plane and static_pod_patches(plan) else {}


def _timeouts(plan: Plan) -> dict[str, str]:
    timeouts = plan.settings.cluster.timeouts
    return {
        "controlPlaneComponentHealthCheck": f"{timeouts.control_plane_s}s",
        "kubeletHealthCheck": f"{timeouts.kubelet_s}s",
        "kubernetesAPICall": f"{timeouts.api_s}s",
        "etcdAPICall": f"{timeouts.api_s}s",
        "tlsBootstrap": f"{timeouts.join_s}s",
        "discovery": f"{timeouts.join_s}s",
    }


def _cluster(plan: Plan) -> dict[str, Any]:
    cluster = plan.settings.cluster
    encryption = {"name": "encryption", "hostPath": ENCRYPTION_FILE, "mountPath": ENCRYPTION_FILE, "readOnly": True, "pathType": "File"}
    names = [str(cluster.endpoint.address), *([cluster.endpoint.name] if cluster.endpoint.name else [])]
    names += [str(node.address) for node in plan.control_planes] + ["127.0.0.1"]
    return {
        "apiVersion": API,
        "kind": "ClusterConfiguration",
        "clusterName": plan.settings.name,
        "kubernetesVersion": f"v{cluster.kubernetes_version}",
        "controlPlaneEndpoint": endpoint(plan),
        "encryptionAlgorithm": "ECDSA-P256",
        "networking": {
            "dnsDomain": cluster.dns_domain,
            "podSubnet": str(plan.settings.pod_network.cidr),
            "serviceSubnet": str(cluster.service_network),
        },
        "apiServer": {
            "certSANs": list(dict.fromkeys(names)),
            **_component(cluster.api_server, {"encryption-provider-config": ENCRYPTION_FILE}),
            "extraVolumes": [encryption],
        },
        "controllerManager": _component(cluster.controller_manager, {"node-cidr-mask-size": str(plan.settings.pod_network.node_prefix)}),
        "scheduler": _component(cluster.scheduler, {}),
        "etcd": {"local": {"dataDir": "/var/lib/etcd", **_component(cluster.etcd, {})}},
    }


def _kubelet(plan: Plan) -> dict[str, Any]:
    cluster = plan.settings.cluster
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
        "cgroupDriver": "systemd",
        "clusterDNS": [str(plan.dns_service)],
        "clusterDomain": cluster.dns_domain,
        "failSwapOn": True,
        "rotateCertificates": True,
        "staticPodPath": "/etc/kubernetes/manifests",
        **cluster.kubelet,
    }


def _component(component: Component, own: dict[str, str]) -> dict[str, Any]:
    arguments = {**own, **component.args}
    section: dict[str, Any] = {}
    if arguments:
        section["extraArgs"] = _pairs(arguments)
    if component.env:
        section["extraEnvs"] = _pairs(component.env)
    return section


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _probe(**fields: int | None) -> dict[str, int]:
    return {name: value for name, value in fields.items() if value is not None}
