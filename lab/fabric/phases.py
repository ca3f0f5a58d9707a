"""BGP in the course of `up`: passwords before the engine runs, routers before the nodes, then each node's sessions."""

import sources
from lab.access import Access
from lab.fabric import passwords, push, routers
from lab.fabric.daemons import RouterKind
from lab.network import LabNetwork
from lab.places import Lab, LabError
from lab.progress import Progress
from lab.session import Session
from plan import Plan

SETTLE_S = 40
"""How long `up` waits for sessions: a speaker tries again after 5 s, and at most 30 s after an error."""


def declare_passwords(session: Session, plan: Plan) -> None:
    """Put the passwords into the stack's secrets, where it is Calico that needs them."""
    if plan.settings.pod_network.kind != "calico":
        return
    for name, password in passwords.ensure(session.lab, plan).items():
        session.capture(["config", "set", "--secret", "--path", f"underlay:bgp_passwords.{name}", "--non-interactive"], stdin=password)


def fetch_manifests(plan: Plan) -> None:
    """Fetch what the program will read, since it runs where no internet is; LabError where a manifest cannot be had or is another one."""
    try:
        for setting, manifest in plan.manifests.items():
            sources.text(manifest.source, manifest.sha256, setting=setting)
    except sources.SourceError as error:
        raise LabError(str(error)) from None


def routers_up(lab: Lab, plan: Plan, network: LabNetwork, kind: RouterKind, progress: Progress) -> None:
    """Bring the lab's routers up, as far as nodes need them before they change; says where the declared ones are."""
    with progress.phase("routers"):
        routers.bring_up_first(lab, plan, network, kind, passwords.ensure(lab, plan))
    played, software = routers.here(plan, network), {"bird": "BIRD", "frr": "FRR"}[kind]
    for router in plan.pod_network.bgp.routers:
        where = (
            f"{software} in namespace {lab.namespace}-{router.name}" if router in played else "elsewhere, its address is not in the nodes' network"
        )
        progress.say(f"  router {router.name} ({router.settings.address}, AS {router.settings.as_number}): {where}")


def fabric_up(access: Access, plan: Plan, network: LabNetwork, kind: RouterKind, progress: Progress) -> None:
    """Give the nodes their sessions, then routers what is left for them, and wait until all is up. Nodes with Calico have theirs from Calico."""
    known, done = passwords.ensure(access.lab, plan), dict[str, str]()
    with progress.phase("fabric"):
        if plan.settings.pod_network.kind == "external":
            progress.note("each node's BGP sessions")
            done = push.push(access, plan, network, known)
            progress.note("waiting for sessions")
            push.settle(access, SETTLE_S)
        routers.bring_up(access.lab, plan, network, kind, known)
        if done:
            push.settle(access, SETTLE_S)
    if done:
        progress.say("  BIRD: " + ", ".join(f"{node} {what}" for node, what in done.items()))
