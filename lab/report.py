"""The short table after `up`: each node as the API server and the node itself report it."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from lab.access import Access, Node, answer
from lab.progress import readable

QUESTIONS = """\
echo "proxy mode: $(curl --silent --max-time 20 http://127.0.0.1:10249/proxyMode)"
echo "kernel: $(uname -r)"
echo "conntrack max: $(cat /proc/sys/net/netfilter/nf_conntrack_max)"
echo "virtual servers:"
ipvsadm -Ln
"""
ASK_S = 90.0


@dataclass(frozen=True, kw_only=True)
class NodeFacts:
    """One node: what the API says of it, and what it says of itself; a question without an answer is `?`."""

    name: str
    ready: str
    kubernetes: str
    kernel: str
    proxy_mode: str
    virtual_servers: str
    conntrack_max: str


def own_words(answer: str) -> tuple[str, str, str, str]:
    """Proxy mode, kernel, conntrack maximum and virtual servers from the answer to QUESTIONS."""
    said = dict(line.split(": ", 1) for line in answer.splitlines() if ": " in line)
    mode, kernel, maximum = (said.get(key, "").strip() or "?" for key in ("proxy mode", "kernel", "conntrack max"))
    _, found, table = answer.partition("IP Virtual Server")
    schedulers = [words[2] for line in table.splitlines() if len(words := line.split()) >= 3 and words[0] in {"TCP", "UDP", "SCTP", "FWM"}]
    kinds = f" ({', '.join(sorted(set(schedulers)))})" if schedulers else ""
    return mode, kernel, maximum, f"{len(schedulers)}{kinds}" if found else "?"


def from_api(node: Mapping[str, Any]) -> tuple[str, str]:
    """Readiness and kubelet version of a Node object."""
    conditions: Sequence[Mapping[str, Any]] = node.get("status", {}).get("conditions", [])
    ready = next((str(condition["status"]) for condition in conditions if condition["type"] == "Ready"), "Unknown")
    return {"True": "yes", "False": "no"}.get(ready, "unknown"), str(node.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", "?"))


def collect(access: Access) -> list[NodeFacts]:
    """Ask the API server and, all at once, every node."""
    listed = answer(access.kubectl("get", "nodes", "-o", "json"), timeout_s=ASK_S)
    objects = {node["metadata"]["name"]: node for node in json.loads(listed)["items"]} if listed else {}
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(partial(_ask, access), access.nodes))
    return [_facts(node, objects.get(node.name, {}), said) for node, said in zip(access.nodes, answers, strict=True)]


def _ask(access: Access, node: Node) -> str:
    return answer(access.ssh(node, "bash", "-s"), stdin=QUESTIONS, timeout_s=ASK_S)


def _facts(node: Node, api_object: Mapping[str, Any], said: str) -> NodeFacts:
    ready, kubernetes = from_api(api_object)
    mode, kernel, maximum, servers = own_words(said)
    return NodeFacts(
        name=node.name,
        ready=ready,
        kubernetes=kubernetes,
        kernel=kernel,
        proxy_mode=mode,
        virtual_servers=servers,
        conntrack_max=maximum,
    )


def node_table(facts: Sequence[NodeFacts]) -> Table:
    """The nodes, one a line."""
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("node", "Ready", "Kubernetes", "kernel", "kube-\nproxy", "virtual\nservers", "conntrack\nmax"):
        table.add_column(title, overflow="fold")
    for node in facts:
        table.add_row(
            node.name,
            node.ready,
            node.kubernetes,
            node.kernel,
            node.proxy_mode,
            node.virtual_servers,
            node.conntrack_max,
        )
    return table


def times_line(times: Mapping[str, float]) -> str:
    """The time of each phase, and of all."""
    each = " · ".join(f"{name} {readable(seconds)}" for name, seconds in times.items())
    return f"{each} · total {readable(sum(times.values()))}"
