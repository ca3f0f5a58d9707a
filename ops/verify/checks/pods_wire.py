"""Packets between nodes' pods are on the link as pods send them: no outer header, and the source is the pod's."""

from collections.abc import Iterator

from ops.verify.model import Check, Figure, Finding, Seen, missing
from ops.verify.reading.document import address, mapping, mappings, node_json, text
from ops.verify.reading.findings import counted, failed, passed, several
from ops.verify.reading.frames import WIRE, Frame, frames
from ops.verify.reading.network import encapsulation
from plan import Plan
from settings.pod_network import OVERHEAD

WIRE_ID, SOURCE_ID = "pods.wire", "pods.source"


def wire(seen: Seen) -> Iterator[Finding]:
    """What each node puts on its link."""
    for node in seen.plan.nodes:
        report, why = _report(seen, node.name)
        if why:
            yield missing(WIRE_ID, node.name, why)
            continue
        aims, caught = mappings(report.get("targets")), frames(text(report.get("capture")))
        problems = [said for aim in aims if (said := _problem(seen.plan, aim, caught))]
        figure = Figure(
            name="outer headers", value=max((frame.outer for frame in caught), default=0), unit="bytes", limit=seen.plan.pod_network.overhead
        )
        if problems:
            remedy = "look at pods.devices and pods.routes of this node, then at the sender's CNI: it shall route and not encapsulate"
            yield failed(WIRE_ID, node.name, encapsulation(seen.plan), several(problems), remedy, figure)
        else:
            found = f"{counted(len(caught), 'packet')} to {counted(len(aims), 'other block')} captured, each as it was sent"
            yield passed(WIRE_ID, node.name, encapsulation(seen.plan), found, figure)


def _problem(plan: Plan, aim: dict[str, object], caught: list[Frame]) -> str:
    block = f"{text(aim.get('block'))} via {text(aim.get('via')) or text(aim.get('device'))}"
    if text(aim.get("refused")):
        return f"{block}: the node does not send it ({text(aim.get('refused'))})"
    to = address(aim.get("to"))
    own = [frame for frame in caught if frame.to == to]
    if plan.settings.pod_network.wireguard and plan.settings.pod_network.kind == "calico":
        return f"{block}: not encrypted" if own else ""
    if not own:
        return f"{block}: no packet to {to} was seen on the link in plain"
    allowed = {0, OVERHEAD[plan.settings.pod_network.encapsulation.protocol] if plan.pod_network.overhead else 0}
    strange = next((frame for frame in own if frame.outer not in allowed), None)
    return f"{block}: {strange.outer} bytes of outer headers ({strange.header})" if strange else ""


def source(seen: Seen) -> Iterator[Finding]:
    """Whose address each packet bears as it leaves its node."""
    for node in seen.plan.nodes:
        report, why = _report(seen, node.name)
        own, caught = text(report.get("source")), frames(text(report.get("capture")))
        wanted = f"packets to other nodes' pods leave with the pod's address ({own})"
        if not why and not caught:
            why = "no marked packet was seen in plain (pods.wire)"
        strange = sorted({str(frame.source) for frame in caught if str(frame.source) != own})
        if why:
            yield missing(SOURCE_ID, node.name, why)
        elif strange:
            remedy = (
                "look for the rule: iptables-save -t nat | grep -E 'MASQUERADE|SNAT', nft list ruleset; pods' networks belong into its exceptions"
            )
            yield failed(SOURCE_ID, node.name, wanted, f"they leave with {several(strange)}", remedy)
        else:
            yield passed(SOURCE_ID, node.name, wanted, f"so do {counted(len(caught), 'packet')}, written by hand with that source")


def _report(seen: Seen, node: str) -> tuple[dict[str, object], str]:
    document, why = node_json(seen, node, WIRE.key)
    report = mapping(document)
    if not why and text(report.get("why")):
        why = text(report.get("why"))
    if not why and not text(report.get("source")):
        why = "the node has no block of pods' addresses yet, so there is nothing to send from"
    if not why and not mappings(report.get("targets")):
        why = "the node has no route to another node's pods (pods.routes)"
    return report, why


def _several_nodes(plan: Plan) -> bool:
    return len(plan.nodes) > 1


CHECKS: tuple[Check, ...] = (
    Check(
        id=WIRE_ID,
        area="pods",
        title="Packets between pods carry no outer header on the link",
        severity="error",
        judge=wire,
        probes=(WIRE,),
        applies=_several_nodes,
    ),
    Check(
        id=SOURCE_ID,
        area="pods",
        title="Packets between pods keep their source address",
        severity="error",
        judge=source,
        probes=(WIRE,),
        applies=_several_nodes,
    ),
)
