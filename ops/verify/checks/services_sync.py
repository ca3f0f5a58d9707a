"""How long kube-proxy takes to bring the kernel up to date, whether it is behind, and whether it failed."""

import math
from collections.abc import Iterator

from ops.verify.model import Check, Figure, Finding, Seen
from ops.verify.reading.answers import Sections, Verdict, each_node
from ops.verify.reading.document import number
from ops.verify.reading.emulation import allowance
from ops.verify.reading.metrics import Histogram, Sample, histogram, samples, total
from ops.verify.reading.scripts import KUBE_PROXY
from plan import NodePlan, Plan

CHECK = "services.sync"
SYNC = "kubeproxy_sync_proxy_rules_duration_seconds"
PROGRAMMING = "kubeproxy_network_programming_duration_seconds"
QUEUED, DONE = "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "kubeproxy_sync_proxy_rules_last_timestamp_seconds"
FAILURES = {
    "nftables": "kubeproxy_sync_proxy_rules_nftables_sync_failures_total",
    "iptables": "kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
    "ipvs": "kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
}
PERIODS_BEHIND = 2
"""kube-proxy calls itself unhealthy when a change waits for two sync periods (pkg/proxy/healthcheck)."""


def sync_period_s(plan: Plan) -> float:
    """Declared seconds between full syncs."""
    settings = plan.settings.kube_proxy
    return settings.ipvs.sync_period_s if settings.mode == "ipvs" else settings.rules.sync_period_s


def _sync(seen: Seen) -> Iterator[Finding]:
    declared_s, mode = sync_period_s(seen.plan), seen.plan.settings.kube_proxy.mode

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        period = declared_s * allowance(seen.plan, node)
        verdict = Verdict(
            check=CHECK,
            where=node.name,
            declared=f"a sync takes at most {period:g} s ({'sync_period_s' if period == declared_s else 'emulated'}), none fails",
            remedy=f"raise kube_proxy.cpu_request_millis ({seen.plan.settings.kube_proxy.cpu_request_millis}) if {node.name} is busy; "
            f"see kube-proxy's log for failures{'; nftables programs many Services faster' if mode == 'ipvs' else ''}",
        )
        found = samples(said.text("metrics") or "")
        took = histogram(found, SYNC)
        if took is None or not took.count:
            why = said.why("metrics") if said.text("metrics") is None else "kube-proxy has not synced yet"
            yield verdict.missing(f"no sync was measured: {why}")
            return
        lines = list(_late(found, took, number(said.text("now")), period))
        if failures := total(found, FAILURES[mode]) or 0:
            lines.append(f"{failures:.0f} syncs failed since kube-proxy started")
        yield verdict.of(lines, f"{took.count:.0f} syncs took {took.mean:.2g} s on average", _figures(took, histogram(found, PROGRAMMING), period))

    yield from each_node(CHECK, KUBE_PROXY, judge, seen)


def _late(found: list[Sample], took: Histogram, now: float | None, period: float) -> Iterator[str]:
    if took.mean > period:
        yield f"a sync takes {took.mean:.3g} s on average, limit {period:g}"
    queued, done = total(found, QUEUED), total(found, DONE)
    if queued is None or done is None or now is None or queued <= done:
        return
    if now - queued > PERIODS_BEHIND * period:
        yield f"a change waits since {now - queued:.0f} s, limit {PERIODS_BEHIND * period:g}"


def _figures(took: Histogram, programming: Histogram | None, period: float) -> list[Figure]:
    named = [("Service sync, mean", took.mean), ("Service sync, 99 of 100 within", took.bound(0.99))]
    if programming is not None and programming.count:
        named.append(("endpoint change to kernel, 99 of 100 within", programming.bound(0.99)))
    return [
        Figure(name=name, value=value, unit="s", limit=period if place == 0 else None)
        for place, (name, value) in enumerate(named)
        if math.isfinite(value)
    ]


CHECKS: tuple[Check, ...] = (
    Check(
        id=CHECK,
        area="services",
        title="kube-proxy keeps up with changes and none of its syncs fails",
        severity="warning",
        judge=_sync,
        probes=(KUBE_PROXY,),
    ),
)
