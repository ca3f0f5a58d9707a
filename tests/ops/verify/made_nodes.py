"""Answers of nodes, hypervisors and the API of a small environment that is as it should be, to be spoilt one at a time."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

from ops.verify.model import Check, Finding, Said, Seen, Status
from plan import NodePlan, Plan, make
from settings import load
from tests.settings.documents import minimal

Answers = dict[str, dict[str, Said]]
PODS = IPv4Network("10.128.0.0/14")


def plan_of(**areas: Any) -> Plan:
    """The minimal environment (one control plane, two workers) with changes."""
    return make(load(minimal(**areas)))


PLAN = plan_of()
CP, ONE, TWO = (node.name for node in PLAN.nodes)


def said(value: Any, exit_code: int = 0) -> Said:
    """An answer: text as it is, anything else as JSON."""
    return Said(output=value if isinstance(value, str) else json.dumps(value), exit_code=exit_code)


def unreachable() -> Said:
    return Said(output="", exit_code=255, error="no route to host")


def nodes(key: str, answer: Callable[[NodePlan], Any] | Any, plan: Plan = PLAN) -> Answers:
    """Every node's answer to one probe."""
    return {node.name: {key: said(answer(node) if callable(answer) else answer)} for node in plan.nodes}


def together(*parts: Answers) -> Answers:
    """Answers to several probes."""
    merged: Answers = {}
    for part in parts:
        for node, answers in part.items():
            merged.setdefault(node, {}).update(answers)
    return merged


def seen(answers: Answers | None = None, *, plan: Plan = PLAN, api: Mapping[str, Any] | None = None, hypervisors: Answers | None = None) -> Seen:
    return Seen(plan=plan, nodes=answers or {}, api=api or {}, api_errors={}, hypervisors=hypervisors or {})


def otherwise(what: Seen, node: str, key: str, answer: Said) -> Seen:
    """The same, but one node answers one probe otherwise."""
    return replace(what, nodes={**what.nodes, node: {**what.nodes[node], key: answer}})


def listing(*items: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "List", "items": list(items)}


def block(number: int) -> IPv4Network:
    """The pods of the node with this number, from 0."""
    return list(PODS.subnets(new_prefix=24))[number]


def link(name: str, mtu: int = 1500, kind: str = "", *, up: bool = True, **fields: Any) -> dict[str, Any]:
    """A link as `ip -details -json` has it."""
    info = {"linkinfo": {"info_kind": kind}} if kind else {}
    return {"ifname": name, "flags": ["BROADCAST", *(["UP"] if up else [])], "mtu": mtu, "operstate": "UP", **info, **fields}


def links_of(_node: NodePlan) -> list[dict[str, Any]]:
    return [link("lo", 65536), link("eth0"), link("veth1", kind="veth", link_netnsid=0), link("kube-ipvs0", kind="dummy")]


def routes_of(node: NodePlan, plan: Plan = PLAN) -> list[dict[str, Any]]:
    """A node's routes: its own block nowhere, a pod of its own, everybody else's block through him."""
    own = plan.nodes.index(node)
    table: list[dict[str, Any]] = [
        {"type": "unicast", "dst": "default", "gateway": "10.20.0.1", "dev": "eth0", "table": "main", "protocol": "static"},
        {"type": "local", "dst": "10.20.0.11", "dev": "eth0", "table": "local", "protocol": "kernel"},
        {"type": "blackhole", "dst": str(block(own)), "table": "main", "protocol": "bird"},
        {"type": "unicast", "dst": str(block(own)[2]), "dev": "veth1", "table": "main", "protocol": "boot", "scope": "host"},
    ]
    others = [(number, other) for number, other in enumerate(plan.nodes) if other != node]
    return table + [_route(number, str(other.address)) for number, other in others]


def _route(number: int, gateway: str) -> dict[str, Any]:
    return {"type": "unicast", "dst": str(block(number)), "gateway": gateway, "dev": "eth0", "table": "main", "protocol": "bird"}


def changed(table: Iterable[dict[str, Any]], to: str, **fields: Any) -> list[dict[str, Any]]:
    """The routes, with one of them otherwise; None takes a field away."""
    return [{key: value for key, value in {**route, **(fields if route["dst"] == to else {})}.items() if value is not None} for route in table]


def found(check: Check, what: Seen) -> list[Finding]:
    """All findings, each of which must say what a person needs."""
    findings = list(check.judge(what))
    for finding in findings:
        assert finding.check == check.id
        assert finding.where
        if finding.status is Status.FAILED:
            assert finding.found
            assert finding.declared
            assert finding.remedy
    return findings


def failures(check: Check, what: Seen) -> dict[str, str]:
    """What failed, by place; the rest passed or does not apply."""
    findings = found(check, what)
    assert all(finding.status is not Status.NOT_CHECKED for finding in findings), findings
    return {finding.where: finding.found for finding in findings if finding.status is Status.FAILED}


def statuses(check: Check, what: Seen) -> dict[str, Status]:
    return {finding.where: finding.status for finding in found(check, what)}


def all_passed(check: Check, what: Seen) -> bool:
    findings = found(check, what)
    return bool(findings) and all(finding.status is Status.PASSED for finding in findings)
