"""Made-up reports for the tests of their forms: what a verification might say, never what one said."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ops.verify.model import Area, Check, Figure, Finding, Severity, Status, missing
from ops.verify.report.model import Report

STARTED_S = 1790000000.25
EVIL = "</td></style><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J\x07\u202e[bold]\ud800\x00&amp; {{ 7*7 }} ]]>"
"""What a broken or hostile node may say."""

TITLES: dict[str, tuple[Area, str, Severity]] = {
    "services.mode": ("services", "kube-proxy runs in the declared mode", "error"),
    "services.scheduler": ("services", "Every Service's virtual server has the declared scheduler", "error"),
    "services.sync": ("services", "kube-proxy programs changes in time", "warning"),
    "pods.encapsulation": ("pods", "Nothing wraps pods' packets", "error"),
    "pods.path-mtu": ("pods", "Whole packets pass between every pair of nodes", "error"),
    "conntrack.maximum": ("conntrack", "The kernel's table is as large as declared", "error"),
    "conntrack.headroom": ("conntrack", "The table is not nearly full", "warning"),
    "nodes.reachable": ("nodes", "Every node answers over SSH with its pinned host key", "error"),
    "nodes.clock": ("nodes", "Clocks agree", "error"),
    "machines.steal": ("machines", "Nobody takes CPU time from the nodes", "warning"),
    "machines.fsync": ("machines", "The disk syncs fast enough for etcd", "error"),
    "ingress.configuration": ("ingress", "The controller runs with the declared ConfigMap", "error"),
    "dependencies.distance": ("dependencies", "Dependencies are as near as declared", "error"),
}


def check(id_: str) -> Check:
    area, title, severity = TITLES[id_]
    return Check(id=id_, area=area, title=title, severity=severity, judge=lambda _seen: ())


def passed(id_: str, where: str, found: str, *figures: Figure) -> Finding:
    return Finding(check=id_, where=where, status=Status.PASSED, declared=found, found=found, figures=figures)


def failed(id_: str, where: str, said: tuple[str, str, str], *figures: Figure) -> Finding:
    declared, found, remedy = said
    return Finding(check=id_, where=where, status=Status.FAILED, declared=declared, found=found, remedy=remedy, figures=figures)


def node_names(count: int) -> list[str]:
    return [f"oslo-cp-{number}" for number in range(1, 4)] + [f"oslo-worker-{number}" for number in range(1, count - 2)]


def report(findings: Iterable[Finding], nodes: int, *, notes: tuple[str, ...] = ()) -> Report:
    return Report(
        environment="oslo",
        stack="example-oslo",
        started_s=STARTED_S,
        seconds=41.72,
        checks=tuple(map(check, TITLES)),
        findings=tuple(findings),
        nodes=nodes,
        notes=notes,
    )


def healthy_findings(names: Sequence[str]) -> list[Finding]:
    """Figures vary with the node, by arithmetic alone."""
    found: list[Finding] = [Finding(check="ingress.configuration", where="cluster", status=Status.SKIPPED, found="the stack declares no ingress")]
    for number, name in enumerate(names):
        wave = (number * 37) % 23
        found += [
            passed("nodes.reachable", name, "answers"),
            passed("services.mode", name, "ipvs"),
            passed("services.scheduler", name, "lc"),
            passed("services.sync", name, f"{21 + wave} ms", Figure(name="slowest sync", value=21 + wave, unit="ms", limit=1000)),
            passed("pods.encapsulation", name, "no tunnel"),
            passed("pods.path-mtu", f"{name} -> {names[(number + 1) % len(names)]}", "1500 bytes"),
            passed("conntrack.maximum", name, "1048576 connections"),
            passed("conntrack.headroom", name, "enough", Figure(name="connections", value=1840 + 97 * wave, unit="", limit=1048576)),
            passed("nodes.clock", name, "in step", Figure(name="offset", value=(wave - 11) / 9, unit="ms", limit=50)),
            passed("machines.steal", name, "next to none", Figure(name="steal", value=round(wave * 0.013, 3), unit="%", limit=2)),
            passed("dependencies.distance", f"{name} -> database", "near", Figure(name="round trip", value=0.8 + wave / 20, unit="ms", limit=5)),
        ]
    found += [
        passed("machines.fsync", name, "fast", Figure(name="99th percentile", value=1.9 + n, unit="ms", limit=10)) for n, name in enumerate(names[:3])
    ]
    return found


def healthy(count: int = 5) -> Report:
    return report(healthy_findings(node_names(count)), count)


def instead(findings: Iterable[Finding], *others: Finding) -> list[Finding]:
    """The findings, those of the same check and place replaced."""
    new = {(other.check, other.where): other for other in others}
    return [new.get((finding.check, finding.where), finding) for finding in findings]


def broken(count: int = 5) -> Report:
    """A scheduler loaded by hand on one node, a delayed link, an old setting on all workers, and a node that is gone."""
    names = node_names(count)
    lost = names[-1]
    findings = instead(
        healthy_findings(names),
        failed(
            "services.scheduler",
            names[3],
            (
                "lc",
                "rr at 10.96.0.1:443, 10.96.0.10:53 and 12 more",
                f"kubectl delete pod --namespace kube-system --selector k8s-app=kube-proxy --field-selector spec.nodeName={names[3]}",
            ),
        ),
        failed(
            "dependencies.distance",
            f"{names[1]} -> database",
            (
                "5 ms round trip, 10 calls one after the other: 50 ms",
                "25.8 ms, which makes 258 ms",
                "move oslo-cp-2 nearer, or raise dependencies.database.round_trip_ms",
            ),
            Figure(name="round trip", value=25.8, unit="ms", limit=5),
        ),
        failed(
            "machines.steal",
            names[0],
            ("at most 2%", "14.2% over 5 s", "see what else runs on its hypervisor: virsh list; top"),
            Figure(name="steal", value=14.2, unit="%", limit=2),
        ),
        *(
            failed("conntrack.maximum", name, ("1048576", "262144", f"pulumi up, then on {name}: sysctl net.netfilter.nf_conntrack_max=1048576"))
            for name in names[:-1]
        ),
    )
    gone = [
        replace(missing(finding.check, finding.where, f"no answer from {lost}"), remedy="virsh start") if finding.where.startswith(lost) else finding
        for finding in findings
    ]
    said = ("answers with its pinned host key", "no route to host", f"virsh start {lost}")
    return report(
        instead(gone, failed("nodes.reachable", lost, said)),
        count,
        notes=("The stack's outputs name a node that the settings do not: oslo-worker-9.",),
    )


def fleet(count: int = 200) -> Report:
    """Many nodes: one thing wrong on a run of them, one with a value of its own at each, and one node gone."""
    found = broken(count)
    names = node_names(count)
    slow = [
        failed(
            "services.sync",
            name,
            ("at most 1 s", f"{1200 + 7 * n} ms", "see kube-proxy's log"),
            Figure(name="slowest sync", value=1200 + 7 * n, unit="ms", limit=1000),
        )
        for n, name in enumerate(names[40:110])
    ]
    return replace(found, findings=tuple(instead(found.findings, *slow)))


def hostile() -> Report:
    """Whatever a node may say, at every place where its words go."""
    figure = Figure(name=EVIL, value=3.0, unit=EVIL, limit=None)
    said = [
        failed("nodes.clock", f"a{EVIL}", (EVIL, EVIL, EVIL), figure),
        passed("services.mode", f"b{EVIL}", EVIL, figure),
        missing("machines.fsync", f"c{EVIL}", EVIL),
        Finding(check="pods.path-mtu", where=EVIL, status=Status.SKIPPED, found=EVIL),
        Finding(check=f"strange.{EVIL}", where="cluster", status=Status.FAILED, found=EVIL, figures=(replace(figure, value=float("nan")),)),
    ]
    return replace(report(said, 3, notes=(EVIL,)), environment=EVIL, stack=EVIL)


CASES = {"healthy": healthy, "broken": broken}
