"""What lets calico-node read the passwords of BGP sessions, and nothing else."""

from typing import Any

from plan import Plan

NAMESPACE = "kube-system"
"""Where calico-node runs: it looks for passwords there and nowhere else."""
SECRET = "underlay-bgp-passwords"  # noqa: S105 - a name
"""Secret whose keys are the names of passwords."""


def objects(plan: Plan) -> tuple[dict[str, Any], ...]:
    """Role and RoleBinding, where a session has a password. calico-node watches the one Secret by its name."""
    if not any(router.settings.password for router in plan.pod_network.bgp.routers):
        return ()
    group, metadata = "rbac.authorization.k8s.io", {"name": SECRET, "namespace": NAMESPACE}
    role = {
        "apiVersion": f"{group}/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET], "verbs": ["get", "list", "watch"]}],
    }
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": SECRET},
        "subjects": [{"kind": "ServiceAccount", "name": "calico-node", "namespace": NAMESPACE}],
    }
    return (role, binding)
