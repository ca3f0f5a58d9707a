"""The kernel's tables against the API: every Service port with its scheduler and ready endpoints, and nothing else."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from ops.verify.model import Check, Figure, Finding, Seen, missing
from ops.verify.reading.addresses import others
from ops.verify.reading.answers import Sections, Verdict, each_node
from ops.verify.reading.carried import API_PATHS, SETTLES_S, carried, carried_on
from ops.verify.reading.scripts import SERVICE_TABLES
from ops.verify.reading.services import ANY_ADDRESS, Expected, Key
from ops.verify.reading.tables import Served, Table, iptables, ipvs, nftables
from plan import NodePlan, Plan

CHECK = "services.tables"
READERS = {"ipvs": ("servers", ipvs), "nftables": ("nft", nftables), "iptables": ("nat", iptables)}
SHOW = {
    "ipvs": "ipvsadm -Ln",
    "nftables": "nft list table ip kube-proxy",
    "iptables": "iptables-save -t nat",
}
DUMMY_TEST = Key("tcp", "198.51.100.0", 20000)
"""What kube-proxy makes and removes when it starts, to see whether the kernel has IPVS (TEST-NET-2)."""


def _tables(seen: Seen) -> Iterator[Finding]:
    plan, mode = seen.plan, seen.plan.settings.kube_proxy.mode
    section, read = READERS[mode]
    services = carried(seen)

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        text, addresses = said.text(section), said.text("addresses")
        table = None if text is None else read(text)
        if table is None:
            yield missing(CHECK, node.name, said.why(section) if text is None else f"`{SHOW[mode]}` says something else than a table")
        elif isinstance(services, str) or addresses is None:
            yield missing(CHECK, node.name, services if isinstance(services, str) else said.why("addresses"))
        else:
            ports = tuple(others(addresses)) if mode == "ipvs" else (ANY_ADDRESS,)
            yield _finding(plan, node, carried_on(services, node, ports), table)

    yield from each_node(CHECK, SERVICE_TABLES, judge, seen)


def _finding(plan: Plan, node: NodePlan, services: dict[Key, Expected], table: Table) -> Finding:
    scheduler = f" with scheduler {plan.settings.kube_proxy.ipvs.scheduler}" if plan.settings.kube_proxy.mode == "ipvs" else ""
    mode = plan.settings.kube_proxy.mode
    verdict = Verdict(
        check=CHECK,
        where=node.name,
        declared=f"{len(services)} Service addresses and ports{scheduler}, each with its ready endpoints",
        remedy=f"see `{SHOW[mode]}` and kube-proxy's log on {node.name}; then: kubectl --namespace kube-system delete pod "
        f"--field-selector spec.nodeName={node.name} --selector k8s-app=kube-proxy",
    )
    lines = [line for key, service in sorted(services.items()) for line in _wrong(key, service, table.get(key), plan)]
    lines += [f"{key} is in the kernel and no Service's" for key in sorted(table) if _is_stale(key, services, plan)]
    endpoints = sum(len(served.endpoints) for served in table.values())
    figures = (
        Figure(name="Service addresses and ports in the kernel", value=len(table), unit="entries"),
        Figure(name="endpoints in the kernel", value=endpoints, unit="entries"),
    )
    return verdict.of(lines, f"{len(table)} entries with {endpoints} endpoints, as the API has them", figures)


def _wrong(key: Key, service: Expected, served: Served | None, plan: Plan) -> Iterator[str]:
    mode = plan.settings.kube_proxy.mode
    ready, name = service.endpoints(mode), f"{key} ({service.service})"
    if served is None:
        if mode == "ipvs" or ready:
            yield f"{name} is not in the kernel"
        return
    if mode == "ipvs":
        if served.scheduler != plan.settings.kube_proxy.ipvs.scheduler:
            yield f"{name} has scheduler {served.scheduler or 'none'}, declared {plan.settings.kube_proxy.ipvs.scheduler}"
        if not served.keeps_clients_for(service.affinity_s):
            yield f"{name} keeps clients for {served.affinity_ticks or 0} ticks, declared {service.affinity_s or 0} s"
    lost, quiet = sorted(ready - served.endpoints - served.draining), sorted(ready & served.draining)
    if lost:
        yield f"{name} lacks {', '.join(lost)}"
    if quiet:
        yield f"{name} gives {', '.join(quiet)} weight 0, though ready"
    if extra := sorted(served.endpoints - ready):
        yield f"{name} sends to {', '.join(extra)}, which {'is' if len(extra) == 1 else 'are'} no ready endpoint"
    if heavy := sorted(f"{address} weight {weight}" for address, weight in served.heavier.items()):
        yield f"{name} gives {', '.join(heavy)}, kube-proxy gives 1"


def _is_stale(key: Key, services: dict[Key, Expected], plan: Plan) -> bool:
    if key in services or key == DUMMY_TEST:
        return False
    if plan.settings.kube_proxy.mode != "ipvs":
        return True
    return not any(_lies_in(key.address, network) for network in plan.settings.kube_proxy.ipvs.exclude_cidrs)


def _lies_in(address: str, network: IPv4Network) -> bool:
    try:
        return IPv4Address(address) in network
    except ValueError:
        return False


CHECKS: tuple[Check, ...] = (
    Check(
        id=CHECK,
        area="services",
        title="The kernel has every Service port with its ready endpoints, and no other",
        severity="error",
        settles_s=SETTLES_S,
        judge=_tables,
        probes=(SERVICE_TABLES,),
        api_paths=API_PATHS,
    ),
)
