"""kube-proxy on a running cluster: a patch of what kubeadm made, never a new object."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import ResourceOptions
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from plan import Plan
from render import kube_proxy
from render.quantities import cpu, memory

NAMESPACE = "kube-system"
NAME = "kube-proxy"
PROBE_TIMEOUT_S = 10  # a busy node answers late; a dead kube-proxy refuses at once
FORCE = {"pulumi.com/patchForce": "true"}  # kubeadm owns the fields


@dataclass(frozen=True, kw_only=True)
class KubeProxyArgs:
    """The plan, the cluster's provider, and what must be there before."""

    plan: Plan
    provider: kubernetes.Provider
    after: pulumi.Resource


class KubeProxy(pulumi.ComponentResource):
    """Mode, scheduler, requests and health of kube-proxy. A change is one patch of the ConfigMap and one rolling restart."""

    def __init__(self, name: str, args: KubeProxyArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("underlay:cluster:KubeProxy", name, None, opts)
        data = kube_proxy.config_map_data(args.plan)
        stay = ResourceOptions(parent=self, provider=args.provider, depends_on=[args.after], retain_on_delete=True)
        config = core.ConfigMapPatch(
            f"{name}-config", metadata=meta.ObjectMetaPatchArgs(name=NAME, namespace=NAMESPACE, annotations=FORCE), data=data, opts=stay
        )
        checksum = kube_proxy.checksum(data["config.conf"])
        self.rollout = apps.DaemonSetPatch(
            f"{name}-rollout",
            metadata=meta.ObjectMetaPatchArgs(name=NAME, namespace=NAMESPACE, annotations=FORCE),
            spec=_daemon_set(args.plan, checksum),
            opts=ResourceOptions.merge(stay, ResourceOptions(depends_on=[config])),
        )
        self.register_outputs({})


def _daemon_set(plan: Plan, checksum: str) -> apps.DaemonSetSpecPatchArgs:
    settings = plan.settings.kube_proxy
    requests = {"cpu": cpu(settings.cpu_request_millis), "memory": memory(settings.memory_request_mib)}
    # kubeadm's DaemonSet has no probe: a kube-proxy that exits at once would count as available, and the rollout would take down node after node
    probe = core.ProbePatchArgs(http_get=core.HTTPGetActionPatchArgs(path="/healthz", port=kube_proxy.HEALTH_PORT), timeout_seconds=PROBE_TIMEOUT_S)
    container = core.ContainerPatchArgs(name=NAME, resources=core.ResourceRequirementsPatchArgs(requests=requests), readiness_probe=probe)
    strategy = apps.DaemonSetUpdateStrategyPatchArgs(
        type="RollingUpdate", rolling_update=apps.RollingUpdateDaemonSetPatchArgs(max_unavailable=settings.max_unavailable)
    )
    return apps.DaemonSetSpecPatchArgs(
        min_ready_seconds=settings.min_ready_s,
        update_strategy=strategy,
        template=core.PodTemplateSpecPatchArgs(
            metadata=meta.ObjectMetaPatchArgs(annotations={"underlay.dev/config-checksum": checksum}),
            spec=core.PodSpecPatchArgs(containers=[container]),
        ),
    )
