"""kube-proxy keeps its hands off connection tracking: the node owns the numbers."""

from collections.abc import Iterator

from ops.verify.model import Check, Finding, Seen
from ops.verify.reading.kube_proxy import CONFIG_MAP, declared_fields, in_config_map, in_kube_proxy
from ops.verify.reading.scripts import KUBE_PROXY

CHECK = "conntrack.kube-proxy"


def _agrees(seen: Seen) -> Iterator[Finding]:
    declared = declared_fields(seen.plan, conntrack=True)
    what = "kube-proxy leaves connection tracking to the node (maxPerCore 0, min 0, timeouts 0s)"
    yield in_config_map(CHECK, declared, what, seen)
    yield from in_kube_proxy(CHECK, declared, what, seen)


CHECKS: tuple[Check, ...] = (
    Check(
        id=CHECK,
        area="conntrack",
        title="kube-proxy leaves the node's connection tracking alone",
        severity="error",
        judge=_agrees,
        probes=(KUBE_PROXY,),
        api_paths=(CONFIG_MAP,),
    ),
)
