"""IPVS mode: kube-ipvs0 holds the Services' addresses, and kube-proxy's sets their ports: without either, packets pass the virtual servers by."""

from collections.abc import Iterator, Mapping

from ops.verify.model import Check, Finding, Seen, missing
from ops.verify.reading.addresses import DUMMY, on_dummy, others
from ops.verify.reading.answers import Sections, Verdict, each_node
from ops.verify.reading.carried import API_PATHS, SETTLES_S, carried, carried_on
from ops.verify.reading.scripts import SERVICE_TABLES
from ops.verify.reading.services import Expected, Key, Services
from plan import NodePlan, Plan

ADDRESSES, SETS = "services.addresses", "services.sets"
WATCHED = ("KUBE-CLUSTER-IP", "KUBE-EXTERNAL-IP", "KUBE-EXTERNAL-IP-LOCAL", "KUBE-LOAD-BALANCER", "KUBE-NODE-PORT-TCP", "KUBE-NODE-PORT-UDP")


def _in_ipvs_mode(plan: Plan) -> bool:
    return plan.settings.kube_proxy.mode == "ipvs"


def _on(check: str, services: Services | str, node: NodePlan, said: Sections, part: str) -> Mapping[Key, Expected] | Finding:
    if isinstance(services, str):
        return missing(check, node.name, services)
    gap = next((said.why(needed) for needed in ("addresses", part) if said.text(needed) is None), "")
    return missing(check, node.name, gap) if gap else carried_on(services, node, tuple(others(said.text("addresses") or "")))


def _addresses(seen: Seen) -> Iterator[Finding]:
    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        services = _on(ADDRESSES, known, node, said, "addresses")
        if isinstance(services, Finding):
            yield services
            return
        text = said.text("addresses") or ""
        found, own = set(on_dummy(text)), set(others(text))
        wanted = {key.address for key, service in services.items() if service.kind != "node-port"} - own
        lines = [f"{address} is missing" for address in sorted(wanted - found)] + [f"{address} is no Service's" for address in sorted(found - wanted)]
        verdict = Verdict(
            check=ADDRESSES,
            where=node.name,
            declared=f"{DUMMY} with the {len(wanted)} addresses of the Services",
            remedy=f"see kube-proxy's log on {node.name}; `ip address delete ADDRESS/32 dev {DUMMY}` removes a wrong one",
        )
        yield verdict.of(lines, f"{len(found)} addresses, the Services' own")

    known = carried(seen)
    yield from each_node(ADDRESSES, SERVICE_TABLES, judge, seen)


def _sets(seen: Seen) -> Iterator[Finding]:
    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        services = _on(SETS, known, node, said, "sets")
        if isinstance(services, Finding):
            yield services
            return
        found, wanted = _members(said.text("sets") or ""), _wanted(services)
        lines = [f"there is no set {name}" for name in WATCHED if name not in found]
        for name in WATCHED:
            has = found.get(name, set())
            lines += [f"{name} lacks {entry}" for entry in sorted(wanted[name] - has)] if name in found else []
            lines += [f"{name} has {entry}, which is no Service's" for entry in sorted(has - wanted[name])]
        verdict = Verdict(
            check=SETS,
            where=node.name,
            declared="kube-proxy's sets with every Service port",
            remedy="see kube-proxy's log; sets that stay empty: its image lacks /etc/protocols (Debian's netbase), so ipset does not know tcp",
        )
        yield verdict.of(lines, f"{sum(len(found[name]) for name in WATCHED if name in found)} entries in {len(WATCHED)} sets")

    known = carried(seen)
    yield from each_node(SETS, SERVICE_TABLES, judge, seen)


def _wanted(services: Mapping[Key, Expected]) -> dict[str, set[str]]:
    wanted: dict[str, set[str]] = {name: set() for name in WATCHED}
    for key, service in services.items():
        entry = f"{key.address},{key.protocol}:{key.port}"
        if service.kind == "cluster":
            wanted["KUBE-CLUSTER-IP"].add(entry)
        elif service.kind == "external":
            wanted["KUBE-EXTERNAL-IP-LOCAL" if service.policy_local else "KUBE-EXTERNAL-IP"].add(entry)
        elif service.kind == "load-balancer":
            wanted["KUBE-LOAD-BALANCER"].add(entry)
        elif key.protocol in ("tcp", "udp"):
            wanted[f"KUBE-NODE-PORT-{key.protocol.upper()}"].add(str(key.port))
    return wanted


def _members(text: str) -> dict[str, set[str]]:
    """Set to entries, from `ipset save`."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["create"] and len(words) > 1:
            found.setdefault(words[1], set())
        elif words[:1] == ["add"] and len(words) > 2:
            found.setdefault(words[1], set()).add(words[2])
    return found


CHECKS: tuple[Check, ...] = (
    Check(
        id=ADDRESSES,
        area="services",
        title="kube-ipvs0 has the Services' addresses, and no other",
        severity="error",
        settles_s=SETTLES_S,
        judge=_addresses,
        probes=(SERVICE_TABLES,),
        api_paths=API_PATHS,
        applies=_in_ipvs_mode,
    ),
    Check(
        id=SETS,
        area="services",
        title="kube-proxy's sets name the Services' ports",
        severity="error",
        settles_s=SETTLES_S,
        judge=_sets,
        probes=(SERVICE_TABLES,),
        api_paths=API_PATHS,
        applies=_in_ipvs_mode,
    ),
)
