"""BGPPeers. One that chooses its peers among the nodes by `peerSelector` makes both ends of its sessions (Calico's confd); one is enough."""

from collections.abc import Iterator
from typing import Any

from plan.bgp import BgpPlan, RouterPlan
from render.calico.access import SECRET
from render.calico.selectors import selector
from settings.bgp import OWN_FILTER, REFLECTOR_LABEL

SOURCES = {"node": "UseNodeIP", "route": "None"}
NEXT_HOPS = {"auto": "Auto", "self": "Self", "keep": "Keep"}
Peer = tuple[str, dict[str, Any]]
"""Name and specification of a BGPPeer."""


def reflectors(bgp: BgpPlan) -> Iterator[Peer]:
    """Sessions of reflectors with their clients, and with each other. Labels choose them, so a node that comes later has its own at once."""
    for cluster in bgp.reflectors:
        clients = f"!has({REFLECTOR_LABEL})" + (f" && {selector(cluster.settings.clients)}" if cluster.settings.clients else "")
        yield f"clients-of-{cluster.name}", {"nodeSelector": clients, "peerSelector": _members((cluster.name,)), **_restart(bgp)}
    by_name = {cluster.name: cluster for cluster in bgp.reflectors}
    for names in bgp.reflector_groups:
        members = [member for name in names for member in by_name[name].members]
        if len(members) > 1:
            both = _members(names)
            yield f"reflectors-of-as-{members[0].as_number}", {"nodeSelector": both, "peerSelector": both, **_restart(bgp)}


def routers(bgp: BgpPlan) -> Iterator[Peer]:
    """The nodes' end of sessions with routers outside."""
    for router in bgp.routers:
        yield f"router-{router.name}", {**_router(router), **_restart(bgp)}


def duration(seconds: int) -> str:
    """A time as Go writes it: Calico's API gives it back so, and another spelling would show as a change for ever."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if seconds >= 60 else "") + f"{left}s"


def _router(router: RouterPlan) -> dict[str, Any]:
    settings = router.settings
    return {
        "nodeSelector": selector(settings.nodes),
        "peerIP": str(settings.address),
        "asNumber": settings.as_number,
        "sourceAddress": SOURCES[settings.source_address],
        "nextHopMode": NEXT_HOPS[settings.next_hop],
        "filters": [OWN_FILTER, *settings.filters],
        **({"password": {"secretKeyRef": {"name": SECRET, "key": settings.password}}} if settings.password else {}),
        **({"ttlSecurity": settings.ttl_security_hops} if settings.ttl_security_hops is not None else {}),
        **({"numAllowedLocalASNumbers": settings.allow_own_as} if settings.allow_own_as is not None else {}),
    }


def _members(clusters: tuple[str, ...]) -> str:
    if len(clusters) == 1:
        return f"{REFLECTOR_LABEL} == '{clusters[0]}'"
    return f"{REFLECTOR_LABEL} in {{{', '.join(repr(name) for name in clusters)}}}"


def _restart(bgp: BgpPlan) -> dict[str, str]:
    restart = bgp.settings.restart_time_s
    return {} if restart is None else {"maxRestartTime": duration(restart)}
