"""Connection tables that hold what is expected of them."""

import re
from collections.abc import Iterator
from typing import Final

from policy.facts import ENVIRONMENT, environment
from policy.model import Resource, Stack
from policy.rule import Rule
from policy.workloads import kind_of

_COMMANDS: Final = "command:remote:Command"
_SYSCTL: Final = re.compile(r"net[./](?:netfilter[./])?nf_conntrack_max\s*=\s*(\d+)")
_PER_CORE: Final = re.compile(r"(?m)^\s*maxPerCore:\s*(\d+)\s*$")


def judge(resource: Resource, stack: Stack) -> Iterator[str]:
    """The declared table, and what scripts and kube-proxy make of it where that is less."""
    declared = environment(stack)
    if declared is None:
        return
    entries, needed = int(declared.number("conntrack", "maxEntries")), int(declared.number("conntrack", "neededEntries"))
    if resource.type == ENVIRONMENT:
        if needed > entries:
            load = declared.text("conntrack", "neededFor") or "the declared load"
            yield f"node.conntrack.max_entries is {entries}, needed {needed} ({load}); raise it, or spread the load over more nodes"
    elif resource.type == _COMMANDS and needed <= entries:
        yield from _of_script(resource, stack, max(needed, 0), entries)
    elif kind_of(resource) == "ConfigMap" and resource.text("metadata", "name") == "kube-proxy":
        per_core = _PER_CORE.search(resource.text("data", "config.conf"))
        if per_core and int(per_core.group(1)):
            yield (
                f"kube-proxy's conntrack.maxPerCore is {per_core.group(1)}, with which it sets nf_conntrack_max by the number of cores, whatever the node declares; "
                "write 0 there, so that node.conntrack.max_entries holds"
            )


def _of_script(resource: Resource, stack: Stack, needed: int, entries: int) -> Iterator[str]:
    """Said of the first script alone: all nodes get the same number."""
    told = _least(resource)
    if told is None or told >= needed or any((_least(other) or needed) < needed for other in stack.before(resource)):
        return
    yield f"{resource.name} sets nf_conntrack_max to {told}, declared {entries}, needed {needed}; let the script set what the environment declares"


def _least(resource: Resource) -> int | None:
    """The table that a script on a node sets, where it is known and sets one."""
    found = [int(number) for number in _SYSCTL.findall(resource.text("stdin") or resource.text("create"))]
    return min(found, default=None)


RULE: Final = Rule(
    id="conntrack-load",
    level="mandatory",
    demand="Every node's connection table holds what the declared load needs.",
    reason="A full table drops new connections, and UDP senders hear nothing of it; kube-proxy sizes the table by cores unless it is told not to.",
    source="Linux kernel documentation, networking/nf_conntrack-sysctl; KubeProxyConfiguration, conntrack.maxPerCore",
    judge=judge,
)
