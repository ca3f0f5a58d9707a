"""No device of a node puts pods' packets into others, unless the stack says so."""

from collections.abc import Iterator

from ops.verify.model import Check, Finding, Seen, missing
from ops.verify.reading.findings import counted, failed, passed, several
from ops.verify.reading.network import LINKS, encapsulation, links, tunnels

ID = "pods.devices"


def judge(seen: Seen) -> Iterator[Finding]:
    """Every node by its links."""
    declared = encapsulation(seen.plan)
    for node in seen.plan.nodes:
        found, why = links(seen, node.name)
        strange = tunnels(seen.plan, found)
        if why:
            yield missing(ID, node.name, why)
        elif strange:
            names = several(f"{name} ({kind})" for name, kind in sorted(strange.items()))
            remedy = f"find out who made it, then: ip link delete {min(strange)}"
            yield failed(ID, node.name, declared, f"{counted(len(strange), 'tunnel')}: {names}", remedy)
        else:
            yield passed(ID, node.name, declared, f"{counted(len(found), 'link')}, no tunnel beyond that")


CHECKS: tuple[Check, ...] = (Check(id=ID, area="pods", title="No tunnel among a node's devices", severity="error", judge=judge, probes=(LINKS,)),)
