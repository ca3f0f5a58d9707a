"""The scripts that a node runs, each sent on the standard input of `exec bash -s` as root; every one can be run twice."""

import json
from collections.abc import Mapping

from plan import NodePlan, Plan
from plan.disks import MOUNT_POINTS
from render import data_disks, kubeadm, node_files
from render.kube_proxy import METRICS_PORT
from render.text import fill
from settings.bgp import REFLECTOR_LABEL

CLUSTER_ID_ANNOTATION = "projectcalico.org/RouteReflectorClusterID"
"""Annotation by which Calico knows that a node reflects, and for which cluster of reflectors."""
KUBEADM_LOG = "/var/log/underlay-kubeadm.log"

_MANIFESTS = tuple(f"FileAvailable--etc-kubernetes-manifests-{component}.yaml" for component in kubeadm.COMPONENTS)
_JOIN_FILES = (
    "FileAvailable--etc-kubernetes-kubelet.conf",
    "FileAvailable--etc-kubernetes-bootstrap-kubelet.conf",
    "FileAvailable--etc-kubernetes-pki-ca.crt",
)
_KUBELET_PORT = "Port-10250"


def prepare(plan: Plan, node: NodePlan, *, authorized_key: str) -> str:
    """Everything below Kubernetes: files, modules, connection tracking, sysctls, disks, containerd, time, keepalived. No secret in it."""
    disks = data_disks.data_disks(node)
    declared = {disk.purpose for disk in disks}
    return fill(
        "prepare.sh.j2",
        name=node.name,
        lock_s=_lock_s(plan),
        boot_s=plan.settings.cluster.timeouts.boot_s,
        version=plan.settings.cluster.kubernetes_version,
        files=node_files.node_files(plan, node, authorized_key=authorized_key),
        modules=node_files.modules(plan),
        required=node_files.required_modules(plan),
        buckets=plan.conntrack.buckets,
        conn_tab_bits=node_files.conn_tab_bits(plan),
        sysctls=node_files.sysctls(plan),
        keepalived=node_files.holds_endpoint(plan, node),
        disks=disks,
        unit_files=tuple(data_disks.unit_files(node)),
        undeclared=[(purpose, data_disks.unit_of(place)) for purpose, place in MOUNT_POINTS.items() if purpose not in declared],
        units=data_disks.UNITS,
        unfinished=data_disks.UNFINISHED,
    )


def pki(plan: Plan, node: NodePlan, *, files: Mapping[str, str]) -> str:
    """Writes the authorities that control planes share; `files` is absolute path to text, and secret."""
    return fill("pki.sh.j2", name=node.name, lock_s=_lock_s(plan), files=sorted(files.items()))


def init(plan: Plan, node: NodePlan, *, token: str) -> str:
    """kubeadm init on the first control plane; holds the bootstrap token (secret)."""
    config = kubeadm.init_config(plan, node, token=token)
    arguments = ["init", "--config", "/etc/underlay/kubeadm.yaml", "--skip-token-print"]
    return _kubeadm(plan, node, verb="init", config=config, arguments=arguments, ignored=(*_control_plane_leftovers(plan), _KUBELET_PORT))


def join(plan: Plan, node: NodePlan, *, token: str, ca_hash: str) -> str:
    """kubeadm join on every other node; holds the bootstrap token (secret)."""
    config = kubeadm.join_config(plan, node, token=token, ca_hash=ca_hash)
    leftovers = _control_plane_leftovers(plan) if node.is_control_plane else ()
    arguments = ["join", "--config", "/etc/underlay/kubeadm.yaml"]
    return _kubeadm(plan, node, verb="join", config=config, arguments=arguments, ignored=(*_JOIN_FILES, *leftovers, _KUBELET_PORT))


def ready(plan: Plan, node: NodePlan) -> str:
    """Waits until the node is Ready and kube-proxy carries the Service `kubernetes` in the declared mode."""
    # No scheduler in here: changing it must not touch a node.
    return fill(
        "ready.sh.j2",
        name=node.name,
        ready_s=plan.settings.cluster.timeouts.ready_s,
        mode=plan.settings.kube_proxy.mode,
        metrics_port=METRICS_PORT,
        service=f"{plan.api_service}:443",
        service_address=plan.api_service,
        service_hex=f"{int(plan.api_service):08X}:01BB",
    )


def member(plan: Plan, node: NodePlan) -> str:
    """Keeps the Node object's labels, annotations and taints as declared; runs on a control plane.

    What makes a node a reflector is not in here: it must come before the mesh goes, and go when the mesh is back (components/calico.py).
    """
    taints = [{"key": taint.key, "effect": taint.effect, **({"value": taint.value} if taint.value else {})} for taint in node.taints]
    return fill(
        "member.sh.j2",
        name=node.name,
        lock_s=_lock_s(plan),
        join_s=plan.settings.cluster.timeouts.join_s,
        labels=json.dumps({key: value for key, value in node.labels if key != REFLECTOR_LABEL}),
        annotations=json.dumps({key: value for key, value in node.annotations if key != CLUSTER_ID_ANNOTATION}),
        taints=json.dumps(taints),
    )


def schedulable(plan: Plan, node: NodePlan) -> str:
    """Takes back a cordon that underlay set itself; runs on a control plane."""
    return fill("schedulable.sh.j2", name=node.name, lock_s=_lock_s(plan))


def _kubeadm(plan: Plan, node: NodePlan, *, verb: str, config: str, arguments: list[str], ignored: tuple[str, ...]) -> str:
    return fill(
        "kubeadm.sh.j2",
        name=node.name,
        lock_s=_lock_s(plan),
        log=KUBEADM_LOG,
        verb=verb,
        config=config,
        arguments=arguments,
        ignored=ignored,
    )


def _control_plane_leftovers(plan: Plan) -> tuple[str, ...]:
    """Preflight errors that a half-made control plane causes (cmd/kubeadm/app/preflight/checks.go, InitNodeChecks)."""
    ports = (plan.settings.cluster.endpoint.port, 10259, 10257, 2379, 2380)
    return (*_MANIFESTS, "DirAvailable--var-lib-etcd", *(f"Port-{port}" for port in ports))


def _lock_s(plan: Plan) -> int:
    """What the longest run on a node may take, so that nobody overtakes it, s."""
    timeouts = plan.settings.cluster.timeouts
    return timeouts.boot_s + timeouts.control_plane_s + timeouts.kubelet_s + timeouts.join_s + 4 * timeouts.api_s
