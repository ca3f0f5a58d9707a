"""Calico's pools, tunnels and BGP are as the stack says, in Calico's own objects."""

from collections.abc import Iterator
from typing import Any

from ops.verify.model import Check, Finding, Seen, missing
from ops.verify.reading.document import at, listed, mapping, name_of, unlike
from ops.verify.reading.findings import counted, failed, passed, several
from ops.verify.reading.network import encapsulation
from plan import Plan
from render.calico import v3

POOLS_ID, SETTINGS_ID = "pods.pools", "pods.calico"
GROUP = "/apis/projectcalico.org/v3"
POOLS, FELIX, BGP = f"{GROUP}/ippools", f"{GROUP}/felixconfigurations", f"{GROUP}/bgpconfigurations"
SWITCHES = ("ipipEnabled", "vxlanEnabled")
"""Felix' own switches for tunnels: unset follows the pools."""
REMEDY = "run `pulumi up`, which writes it as declared; whoever changed it by hand does it in the stack file"


def _calico(plan: Plan) -> bool:
    return plan.settings.pod_network.kind == "calico"


def pools(seen: Seen) -> Iterator[Finding]:
    """Each pool of pods against the plan's, and none beside them."""
    items, why = listed(seen, POOLS)
    if why:
        yield missing(POOLS_ID, "cluster", why)
        return
    wanted = {thing.name: thing.spec for thing in v3.objects(seen.plan) if thing.kind == "IPPool"}
    found = {name_of(item): mapping(item.get("spec")) for item in items}
    problems = [f"{name} is missing" for name in sorted(wanted.keys() - found.keys())]
    problems += [f"{name} ({at(found[name], 'cidr')}) is nobody's" for name in sorted(found.keys() - wanted.keys())]
    problems += [said for name in sorted(wanted.keys() & found.keys()) for said in _unlike(name, wanted[name], found[name])]
    declared = f"{counted(len(wanted), 'pool')}, {encapsulation(seen.plan)}"
    if problems:
        yield failed(POOLS_ID, "cluster", declared, several(problems), REMEDY)
    else:
        yield passed(POOLS_ID, "cluster", declared, "as declared")


def settings(seen: Seen) -> Iterator[Finding]:
    """Felix and BGP, as far as the stack declares them."""
    problems: list[str] = []
    for kind, path in (("FelixConfiguration", FELIX), ("BGPConfiguration", BGP)):
        items, why = listed(seen, path)
        if why:
            yield missing(SETTINGS_ID, "cluster", why)
            return
        found = next((mapping(item.get("spec")) for item in items if name_of(item) == "default"), dict[str, Any]())
        wanted = next(thing.spec for thing in v3.objects(seen.plan) if thing.kind == kind)
        problems += _unlike(kind, wanted, found)
        if kind == "FelixConfiguration":
            tunnel = seen.plan.settings.pod_network.encapsulation.protocol
            problems += [f"{kind}: {name} is true" for name in SWITCHES if found.get(name) is True and not name.startswith(tunnel)]
    if problems:
        yield failed(SETTINGS_ID, "cluster", encapsulation(seen.plan), several(problems), REMEDY)
    else:
        yield passed(SETTINGS_ID, "cluster", encapsulation(seen.plan), "FelixConfiguration and BGPConfiguration as declared")


def _unlike(name: str, wanted: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    for place, value, other in unlike(wanted, found):
        if value or other is not None:  # Calico leaves out what is empty or false
            yield f"{name}: {place} is {'unset' if other is None else repr(other)}, declared {value!r}"


CHECKS: tuple[Check, ...] = (
    Check(id=POOLS_ID, area="pods", title="Calico's pools are as declared", severity="error", judge=pools, api_paths=(POOLS,), applies=_calico),
    Check(
        id=SETTINGS_ID,
        area="pods",
        title="Felix and Calico's BGP are as declared",
        severity="error",
        judge=settings,
        api_paths=(FELIX, BGP),
        applies=_calico,
    ),
)
