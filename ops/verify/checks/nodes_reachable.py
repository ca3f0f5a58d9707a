"""Every declared node answers over SSH, with the host key that the stack gave it."""

from collections.abc import Iterator

from ops.verify.model import Check, Finding, Probe, Seen, Status
from plan import NodePlan, Plan

ID = "nodes.reachable"
GREETING = "here"


def _script(_plan: Plan, _node: NodePlan) -> str:
    return f"echo {GREETING}"


HERE = Probe(key="nodes.here", script=_script)


def judge(seen: Seen) -> Iterator[Finding]:
    """One finding for each node."""
    for node in seen.plan.nodes:
        said = seen.nodes[node.name][HERE.key]
        good = not said.error and said.output.strip() == GREETING
        yield Finding(
            check=ID,
            where=node.name,
            status=Status.PASSED if good else Status.FAILED,
            declared=f"answers at {node.address} with its pinned host key",
            found="answers" if good else said.error or "answers, and runs no script",
            remedy=""
            if good
            else f"look at its console on {node.hypervisor} (virsh console {node.name}), and at the way there: SSH to {node.address}",
        )


CHECKS = (Check(id=ID, area="nodes", title="Every node answers over SSH with its pinned host key", severity="error", judge=judge, probes=(HERE,)),)
