"""The lab's routers: each declared one whose address is in the nodes' network, running what the product prints for it."""

from collections.abc import Mapping
from pathlib import Path

from lab.fabric import daemons, namespace
from lab.fabric.daemons import RouterKind
from lab.network import LabNetwork
from lab.places import Lab, LabError
from plan import Plan
from plan.bgp import RouterPlan
from render import router_config


def here(plan: Plan, network: LabNetwork) -> tuple[RouterPlan, ...]:
    """The declared routers that the lab plays: those on the nodes' link."""
    return tuple(router for router in plan.pod_network.bgp.routers if router.settings.address in network.gateway.network)


def text(plan: Plan, router: str, kind: RouterKind, passwords: Mapping[str, str]) -> str:
    """The router's configuration as the product prints it, with the lab's passwords in it."""
    content = router_config.bird(plan, router) if kind == "bird" else router_config.frr(plan, router)
    for name, password in passwords.items():
        content = content.replace(router_config.placeholder(name), password)
    return content


def bring_up_first(lab: Lab, plan: Plan, network: LabNetwork, kind: RouterKind, passwords: Mapping[str, str]) -> None:
    """What routers do before nodes change: all, unless a running one is to end passing blocks on.

    That waits for `bring_up`: the nodes hear of each other by nothing else until they have changed.
    """
    for router in here(plan, network):
        passes_on = daemons.answers(lab, router.name) and _passing_on(lab, router.name).exists()
        if not passes_on or plan.pod_network.bgp.settings.topology == "routers":
            _bring_up(lab, plan, network, router, kind, passwords)


def bring_up(lab: Lab, plan: Plan, network: LabNetwork, kind: RouterKind, passwords: Mapping[str, str]) -> tuple[RouterPlan, ...]:
    """Make and start the routers; what runs unchanged stays, and one that is not declared any more goes. Gives those that the lab plays."""
    played = here(plan, network)
    for name in set(namespace.names(lab)) - {router.name for router in played}:
        remove(lab, name)
    for router in played:
        _bring_up(lab, plan, network, router, kind, passwords)
    return played


def _bring_up(lab: Lab, plan: Plan, network: LabNetwork, router: RouterPlan, kind: RouterKind, passwords: Mapping[str, str]) -> None:
    namespace.make(lab, network, router.name, router.settings.address)
    daemons.bring_up(lab, router.name, kind, text(plan, router.name, kind, passwords))
    if plan.pod_network.bgp.settings.topology == "routers":
        _passing_on(lab, router.name).touch()
    else:
        _passing_on(lab, router.name).unlink(missing_ok=True)


def _passing_on(lab: Lab, router: str) -> Path:
    """Is there while the router passes blocks on."""
    return namespace.router_dir(lab, router) / "passes-on"


def remove(lab: Lab, name: str) -> None:
    """End and remove a router; LabError where a process of it would not end."""
    if left := daemons.stop(lab, name):
        raise LabError(f"router {name!r}: processes {left} would not end")
    namespace.remove(lab, name)
