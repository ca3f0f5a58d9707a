"""Links and pods have the MTU of the stack, and packets of that size pass between nodes in one piece."""

from collections.abc import Iterator

from ops.verify.model import Check, Figure, Finding, Probe, Seen, missing
from ops.verify.programs import program
from ops.verify.reading.document import at, mapping, node_json, number, whole
from ops.verify.reading.findings import counted, failed, passed, several
from ops.verify.reading.network import LINKS, NIC, links
from ops.verify.reading.peers import bounded, peers
from plan import NodePlan, Plan

DEVICES_ID, PATH_ID = "pods.mtu", "pods.path-mtu"


def _script(plan: Plan, node: NodePlan) -> str:
    return program("path_mtu", {"mtu": plan.settings.network.mtu, "peers": {other.name: str(other.address) for other in peers(plan, node)}})


PATHS = Probe(key="path-mtu", script=_script, timeout_s=60)


def devices(seen: Seen) -> Iterator[Finding]:
    """The NIC and the host's ends of pods' links."""
    link, pods = seen.plan.settings.network.mtu, seen.plan.pod_network.mtu
    declared = f"{NIC} {link} bytes, pods {pods}"
    for node in seen.plan.nodes:
        found, why = links(seen, node.name)
        nic = next((device for device in found if device.name == NIC), None)
        if why or nic is None:
            yield missing(DEVICES_ID, node.name, why)
            continue
        of_pods = [device for device in found if device.of_a_pod]
        wrong = [f"{NIC} {nic.mtu}"] if nic.mtu != link else []
        wrong += [f"{device.name} of a pod {device.mtu}" for device in of_pods if device.mtu != pods]
        if wrong:
            remedy = (
                f"ip link set {NIC} mtu {link}, and networkctl reload"
                if nic.mtu != link
                else "restart those pods: a pod keeps the MTU that it began with"
            )
            yield failed(DEVICES_ID, node.name, declared, several(wrong), remedy)
        else:
            yield passed(DEVICES_ID, node.name, declared, f"{NIC} and {counted(len(of_pods), 'pod')} as declared")


def paths(seen: Seen) -> Iterator[Finding]:
    """Each node's paths that are good together, each bad one by itself."""
    size = seen.plan.settings.network.mtu
    declared = f"{size} bytes with Don't Fragment"
    for node in seen.plan.nodes:
        document, why = node_json(seen, node.name, PATHS.key)
        others = peers(seen.plan, node)
        answers = {other.name: whole(at(document, other.name, "largest")) for other in others}
        if not why and not mapping(document):
            why = "its answer names no other node"
        if why:
            yield missing(PATH_ID, node.name, why)
            continue
        for name, largest in answers.items():
            if largest is None:
                yield missing(PATH_ID, f"{node.name} -> {name}", "the node's answer does not name it")
            elif largest < size:
                yield _narrow(f"{node.name} -> {name}", declared, largest)
        good = [name for name, largest in answers.items() if largest is not None and largest >= size]
        if good:
            slowest = max((number(at(document, name, "round_trip_ms")) or 0.0 for name in good), default=0.0)
            figure = Figure(name="slowest round trip to a node", value=slowest, unit="ms")
            yield passed(PATH_ID, node.name, declared, f"passes to {counted(len(good), 'other node')}{bounded(seen.plan)}", figure)


def _narrow(where: str, declared: str, largest: int) -> Finding:
    if largest == 0:
        return failed(PATH_ID, where, declared, "no packet of any size is answered", "look at the link between them: ip neigh, bridge, filters")
    remedy = f"find the link in between with a smaller MTU (bridge, bond, switch port), or declare network.mtu: {largest}"
    return failed(PATH_ID, where, declared, f"{largest} bytes pass, no more", remedy, Figure(name="path MTU", value=largest, unit="bytes"))


def _several_nodes(plan: Plan) -> bool:
    return len(plan.nodes) > 1


CHECKS: tuple[Check, ...] = (
    Check(id=DEVICES_ID, area="pods", title="The NIC and pods have the declared MTU", severity="error", judge=devices, probes=(LINKS,)),
    Check(
        id=PATH_ID,
        area="pods",
        title="Full-sized packets pass between nodes in one piece",
        severity="error",
        judge=paths,
        probes=(PATHS,),
        applies=_several_nodes,
    ),
)
