"""When an object has become what it was declared to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .objects import Kind, Object, block, blocks


@dataclass(frozen=True)
class Progress:
    """How far an object is."""

    done: bool
    text: str = ""
    """What is waited for, as a status line shows it."""
    failed: bool = False
    """It will never be ready; `text` says why."""


Check = Callable[[Object], Progress]

READY: Final = Progress(done=True)


def check_of(kind: Kind) -> Check | None:
    """What to wait for, None for a kind that is ready once it is written. What other objects say of a Service or a claim is looked up elsewhere."""
    return _CHECKS.get((kind.group, kind.kind))


def condition(live: Object, name: str) -> Mapping[str, Any]:
    """The status condition of that type; empty when there is none."""
    none: Object = {}
    return next((entry for entry in blocks(live, "status", "conditions") if entry.get("type") == name), none)


def _status(live: Object) -> Object:
    return block(live, "status")


def _spec(live: Object) -> Object:
    return block(live, "spec")


def _is_seen(live: Object) -> bool:
    """Whether the controller has seen the latest change."""
    return _status(live).get("observedGeneration", 0) >= block(live, "metadata").get("generation", 0)


def _rollout(live: Object, *counts: tuple[int, int, str]) -> Progress:
    """Ready when the controller has seen the change and every count is what it must be; the first that is not is the text."""
    if not _is_seen(live):
        return Progress(done=False, text="waiting for the controller to see the change")
    for found, wanted, what in counts:
        if found != wanted:
            return Progress(done=False, text=f"{found} of {wanted} {what}")
    return READY


def _daemon_set(live: Object) -> Progress:
    status = _status(live)
    wanted = status.get("desiredNumberScheduled", 0)
    by_hand = block(live, "spec", "updateStrategy").get("type") == "OnDelete"
    updated = wanted if by_hand else status.get("updatedNumberScheduled", 0)
    return _rollout(live, (updated, wanted, "pods are of the new template"), (status.get("numberAvailable", 0), wanted, "pods are available"))


def _deployment(live: Object) -> Progress:
    status, wanted = _status(live), _spec(live).get("replicas", 1)
    if _spec(live).get("paused"):
        return READY
    progress = _rollout(
        live,
        (status.get("updatedReplicas", 0), wanted, "replicas are of the new template"),
        (max(status.get("replicas", 0), wanted), wanted, "replicas are left: older ones are still there"),
        (status.get("availableReplicas", 0), wanted, "replicas are available"),
    )
    stuck = condition(live, "Progressing")
    if not progress.done and stuck.get("reason") == "ProgressDeadlineExceeded":
        return Progress(done=False, text=f"{progress.text} ({stuck.get('message', 'the progress deadline is over')})")
    return progress


def _stateful_set(live: Object) -> Progress:
    status, spec = _status(live), _spec(live)
    wanted = spec.get("replicas", 1)
    strategy = block(spec, "updateStrategy")
    partition = block(strategy, "rollingUpdate").get("partition", 0)
    to_update = 0 if strategy.get("type") == "OnDelete" else max(wanted - partition, 0)
    finished = status.get("currentRevision") == status.get("updateRevision")
    updated = to_update if finished else min(status.get("updatedReplicas", 0), to_update)
    return _rollout(live, (updated, to_update, "replicas are of the new template"), (status.get("readyReplicas", 0), wanted, "replicas are ready"))


def _job(live: Object) -> Progress:
    failed = condition(live, "Failed")
    if failed.get("status") == "True":
        return Progress(done=False, text=f"the job failed: {failed.get('reason', '')} {failed.get('message', '')}".rstrip(), failed=True)
    if condition(live, "Complete").get("status") == "True" or _spec(live).get("suspend"):
        return READY
    status = _status(live)
    return Progress(
        done=False, text=f"{status.get('succeeded', 0)} pods have succeeded, {status.get('failed', 0)} failed, {status.get('active', 0)} run"
    )


def _pod(live: Object) -> Progress:
    status = _status(live)
    if condition(live, "Ready").get("status") == "True" or status.get("phase") == "Succeeded":
        return READY
    if status.get("phase") == "Failed":
        return Progress(done=False, text=f"the pod failed: {status.get('reason', '')} {status.get('message', '')}".rstrip(), failed=True)
    return Progress(done=False, text="the pod is not ready")


def _service(live: Object) -> Progress:
    if _spec(live).get("type") == "LoadBalancer" and not blocks(live, "status", "loadBalancer", "ingress"):
        return Progress(done=False, text="waiting for the load balancer's address")
    return READY


def _ingress(live: Object) -> Progress:
    return READY if blocks(live, "status", "loadBalancer", "ingress") else Progress(done=False, text="waiting for the ingress's address")


def _volume(live: Object) -> Progress:
    phase = _status(live).get("phase", "Pending")
    return Progress(done=phase in {"Available", "Bound"}, text=f"the volume is {phase}", failed=phase == "Failed")


def _claim(live: Object) -> Progress:
    phase = _status(live).get("phase", "Pending")
    return Progress(done=phase == "Bound", text=f"the claim is {phase}")


def _definition(live: Object) -> Progress:
    return READY if condition(live, "Established").get("status") == "True" else Progress(done=False, text="waiting for the API to know the new kind")


_CHECKS: Final[Mapping[tuple[str, str], Check]] = {
    ("", "PersistentVolume"): _volume,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    ("networking.k8s.io", "Ingress"): _ingress,
}


def trouble(pod: Object) -> str:
    """What keeps a pod from being ready, with its node; empty for one that is."""
    if _pod(pod).done:
        return ""
    metadata, status = block(pod, "metadata"), _status(pod)
    where = _spec(pod).get("nodeName") or _meant_for(pod) or "no node yet"
    reasons = [_container_trouble(entry) for entry in [*blocks(status, "initContainerStatuses"), *blocks(status, "containerStatuses")]]
    found = [reason for reason in reasons if reason]
    if not found:
        none: Object = {}
        unmet = next((entry for entry in blocks(status, "conditions") if entry.get("status") == "False"), none)
        found = [f"{unmet.get('reason') or status.get('phase', 'Unknown')} {unmet.get('message', '')}".strip()]
    return f"pod {metadata.get('name', '?')} on {where}: {'; '.join(found)}"


def _meant_for(pod: Object) -> str:
    """The node that a DaemonSet's pod is for, which it says by its affinity until it runs there."""
    terms = blocks(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    fields = [field for term in terms for field in blocks(term, "matchFields") if field.get("key") == "metadata.name"]
    return f"{', '.join(map(str, fields[0].get('values') or []))} (not scheduled)" if fields else ""


def _container_trouble(entry: Object) -> str:
    waiting, ended = block(entry, "state", "waiting"), block(entry, "state", "terminated")
    if waiting:
        return f"{entry.get('name')} waits: {waiting.get('reason', '')} {waiting.get('message', '')}".strip()
    if ended.get("exitCode"):
        return f"{entry.get('name')} ended with {ended['exitCode']}: {ended.get('reason', '')} {ended.get('message', '')}".strip()
    if "running" in block(entry, "state") and not entry.get("ready"):
        return f"{entry.get('name')} runs and is not ready"
    return ""
