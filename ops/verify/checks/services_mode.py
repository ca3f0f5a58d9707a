"""The mode that each kube-proxy reports."""

from collections.abc import Iterator

from ops.verify.model import Check, Finding, Seen
from ops.verify.reading.answers import Sections, Verdict, each_node
from ops.verify.reading.kube_proxy import ROLL
from ops.verify.reading.scripts import KUBE_PROXY
from plan import NodePlan

CHECK = "services.mode"


def _mode(seen: Seen) -> Iterator[Finding]:
    declared = seen.plan.settings.kube_proxy.mode

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        remedy = f"pulumi up, then: {ROLL} (its logs say why it runs otherwise)"
        verdict = Verdict(check=CHECK, where=node.name, declared=f"kube-proxy in mode {declared}", remedy=remedy)
        found = said.text("mode")
        if found is None:
            yield verdict.missing(f"kube-proxy does not say its mode: {said.why('mode')}")
            return
        # answers of a proxy or a login page are long
        short = found.strip()[:60]
        yield verdict.of([f"kube-proxy reports {short!r}"] if short != declared else [], short)

    yield from each_node(CHECK, KUBE_PROXY, judge, seen)


CHECKS: tuple[Check, ...] = (
    Check(
        id=CHECK,
        area="services",
        title="Each kube-proxy runs in the declared mode",
        severity="error",
        judge=_mode,
        probes=(KUBE_PROXY,),
    ),
)
