"""BGP sessions that come and go by the stack's outputs: where somebody else builds the pods' network, no resource tells of them."""

from collections.abc import Mapping
from typing import Any, cast

from ops.preview.effects import Lines, Meaning, Section, Severity
from ops.preview.values import at, plain


def meaning(before: Mapping[str, Any], after: Mapping[str, Any]) -> Meaning:
    """What differs of the routers, the topology and the announced ranges. Nothing where the outputs had no BGP before."""
    lines = Lines()
    if at(before, "bgp.routers") is None or at(after, "bgp.routers") is None:
        return lines.meaning()
    old, new = _routers(before), _routers(after)
    for name in (*new, *(name for name in old if name not in new)):
        subject = f"BGP {name}"
        if name not in old:
            lines.say(Section.DATA_PLANE, subject, f"sessions added: {_session(new[name])}", Severity.IN_PLACE)
        elif name not in new:
            lines.say(Section.DATA_PLANE, subject, f"sessions lost: {_session(old[name])}", Severity.RESTARTS)
        elif old[name] != new[name]:
            lines.say(Section.DATA_PLANE, subject, f"its sessions restart: {_session(old[name])} → {_session(new[name])}", Severity.RESTARTS)
    for field, severity in (("as_number", Severity.RESTARTS), ("topology", Severity.RESTARTS), ("advertised", Severity.IN_PLACE)):
        sides = at(before, f"bgp.{field}"), at(after, f"bgp.{field}")
        if sides[0] != sides[1]:
            lines.say(Section.DATA_PLANE, "BGP", f"{field} {plain(sides[0])} → {plain(sides[1])}", severity)
    return lines.meaning()


def _routers(outputs: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = cast("list[Mapping[str, Any]]", at(outputs, "bgp.routers"))
    return {plain(router.get("name")): router for router in found}


def _session(router: Mapping[str, Any]) -> str:
    return f"with {plain(router.get('address'))} (AS {plain(router.get('as_number'))})"
