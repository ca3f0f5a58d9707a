"""IPVS mode: what kube-proxy sets in the kernel beside the virtual servers, and strict ARP."""

import re
from collections.abc import Iterator, Mapping

from ops.verify.model import Check, Finding, Seen
from ops.verify.reading.answers import Sections, Verdict, each_node
from ops.verify.reading.scripts import SERVICE_SYSCTLS
from plan import NodePlan, Plan

STRICT_ARP, IPVS = "services.strict-arp", "services.ipvs-settings"
ARP = {"net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.arp_announce": "2"}
"""kube-proxy's strictARP: no device answers for kube-ipvs0's addresses."""
OWN = {"net.ipv4.vs.conntrack": "1", "net.ipv4.vs.expire_nodest_conn": "1", "net.ipv4.vs.expire_quiescent_template": "1"}
"""What kube-proxy sets whenever it starts in this mode (pkg/proxy/ipvs/proxier.go, NewProxier)."""
TIMEOUTS = re.compile(r"Timeout \(tcp tcpfin udp\): ([0-9]+) ([0-9]+) ([0-9]+)")


def _in_ipvs_mode(plan: Plan) -> bool:
    return plan.settings.kube_proxy.mode == "ipvs"


def _with_strict_arp(plan: Plan) -> bool:
    return _in_ipvs_mode(plan) and plan.settings.kube_proxy.ipvs.strict_arp


def _others(said: Sections, declared: Mapping[str, str]) -> list[str] | None:
    """Values that are not as declared; None where the node did not say them."""
    text = said.text("values")
    if text is None:
        return None
    found = {words[0]: words[1] for line in text.splitlines() if len(words := line.split()) == 2}
    return [f"{name} is {found.get(name, 'unknown')}, wanted {value}" for name, value in declared.items() if found.get(name) != value]


def _words(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in values.items())


def _remedy(node: NodePlan) -> str:
    selector = f"--field-selector spec.nodeName={node.name} --selector k8s-app=kube-proxy"
    return f"kubectl --namespace kube-system delete pod {selector}: kube-proxy sets them when it starts; look for what sets them otherwise"


def _strict_arp(seen: Seen) -> Iterator[Finding]:
    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        lines = _others(said, ARP)
        verdict = Verdict(check=STRICT_ARP, where=node.name, declared=f"strict ARP: {_words(ARP)}", remedy=_remedy(node))
        yield verdict.missing(said.why("values")) if lines is None else verdict.of(lines, _words(ARP))

    yield from each_node(STRICT_ARP, SERVICE_SYSCTLS, judge, seen)


def _settings(seen: Seen) -> Iterator[Finding]:
    ipvs = seen.plan.settings.kube_proxy.ipvs
    declared = {"tcp": ipvs.tcp_timeout_s, "tcpfin": ipvs.tcp_fin_timeout_s, "udp": ipvs.udp_timeout_s}
    # 0 keeps the kernel's, whatever it is
    timeouts = {name: seconds for name, seconds in declared.items() if seconds}

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        what = _words(OWN) + "".join(f", {name} {seconds} s" for name, seconds in timeouts.items())
        lines, found = _others(said, OWN), TIMEOUTS.search(said.text("timeouts") or "")
        verdict = Verdict(check=IPVS, where=node.name, declared=what, remedy=_remedy(node))
        if lines is None or (timeouts and found is None):
            yield verdict.missing(said.why("values" if lines is None else "timeouts"))
            return
        has = dict(zip(declared, map(int, found.groups()), strict=True)) if found else {}
        lines += [f"timeout {name} is {has.get(name)} s, declared {seconds}" for name, seconds in timeouts.items() if has.get(name) != seconds]
        yield verdict.of(lines, what)

    yield from each_node(IPVS, SERVICE_SYSCTLS, judge, seen)


CHECKS: tuple[Check, ...] = (
    Check(
        id=STRICT_ARP,
        area="services",
        title="No device answers ARP for the Services' addresses",
        severity="error",
        judge=_strict_arp,
        probes=(SERVICE_SYSCTLS,),
        applies=_with_strict_arp,
    ),
    Check(
        id=IPVS,
        area="services",
        title="The kernel's IPVS settings are kube-proxy's and the declared timeouts",
        severity="error",
        judge=_settings,
        probes=(SERVICE_SYSCTLS,),
        applies=_in_ipvs_mode,
    ),
)
