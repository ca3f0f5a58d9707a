"""The application's objects, as plain data: pods that may be moved, restarted and counted on."""

from pulumi_kubernetes.apps.v1 import DeploymentSpecArgsDict
from pulumi_kubernetes.core.v1 import ContainerArgsDict, ServiceSpecArgsDict, TopologySpreadConstraintArgsDict
from pulumi_kubernetes.networking.v1 import IngressRuleArgsDict, IngressSpecArgsDict
from pulumi_kubernetes.policy.v1 import PodDisruptionBudgetSpecArgsDict

PORT = 8080
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
"""The namespace refuses pods that could do more than these need."""
NOBODY = 65534
GRACE_S = 30


def labels(name: str) -> dict[str, str]:
    """What tells the application's pods from others."""
    return {"app.kubernetes.io/name": name}


def deployment(name: str, image: str, replicas: int) -> DeploymentSpecArgsDict:
    """Replicas on different nodes; a new one is ready before an old one goes."""
    spread: TopologySpreadConstraintArgsDict = {
        "max_skew": 1,
        "topology_key": "kubernetes.io/hostname",
        "when_unsatisfiable": "DoNotSchedule",
        "node_taints_policy": "Honor",  # control planes that take no pods are no place to spread to
        "match_label_keys": ["pod-template-hash"],  # pods of the version before do not count
        "label_selector": {"match_labels": labels(name)},
    }
    return {
        "replicas": replicas,
        "selector": {"match_labels": labels(name)},
        "strategy": {"type": "RollingUpdate", "rolling_update": {"max_unavailable": 0, "max_surge": 1}},
        "template": {
            "metadata": {"labels": labels(name)},
            "spec": {
                "topology_spread_constraints": [spread],
                "automount_service_account_token": False,
                "enable_service_links": False,
                "termination_grace_period_seconds": GRACE_S,
                "security_context": {
                    "run_as_non_root": True,
                    "run_as_user": NOBODY,
                    "run_as_group": NOBODY,
                    "seccomp_profile": {"type": "RuntimeDefault"},
                },
                "containers": [_container(name, image)],
            },
        },
    }


def _container(name: str, image: str) -> ContainerArgsDict:
    """Not root, nothing writable, no capability; memory bounded, CPU not throttled."""
    return {
        "name": name,
        "image": image,
        "image_pull_policy": "IfNotPresent",
        "ports": [{"name": "http", "container_port": PORT}],
        "env": [
            {"name": "POD_NAME", "value_from": {"field_ref": {"field_path": "metadata.name"}}},
            {"name": "NODE_NAME", "value_from": {"field_ref": {"field_path": "spec.nodeName"}}},
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
        "readiness_probe": {"http_get": {"path": "/healthz", "port": "http"}, "period_seconds": 5, "timeout_seconds": 3},
        "liveness_probe": {"http_get": {"path": "/healthz", "port": "http"}, "period_seconds": 20, "timeout_seconds": 10},
        "lifecycle": {"pre_stop": {"sleep": {"seconds": 5}}},  # requests go on coming until all nodes have heard that the pod goes
        "security_context": {
            "read_only_root_filesystem": True,
            "allow_privilege_escalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def service(name: str) -> ServiceSpecArgsDict:
    """One address inside the cluster for all replicas."""
    return {"type": "ClusterIP", "selector": labels(name), "ports": [{"name": "http", "port": 80, "target_port": "http"}]}


def budget(name: str) -> PodDisruptionBudgetSpecArgsDict:
    """Whoever drains nodes takes one pod after the other."""
    return {"max_unavailable": 1, "selector": {"match_labels": labels(name)}}


def ingress(name: str, class_name: str, host: str | None) -> IngressSpecArgsDict:
    """Everything below a host (or any host) goes to the Service."""
    rule: IngressRuleArgsDict = {
        "http": {"paths": [{"path": "/", "path_type": "Prefix", "backend": {"service": {"name": name, "port": {"name": "http"}}}}]}
    }
    if host:
        rule["host"] = host
    return {"ingress_class_name": class_name, "rules": [rule]}
