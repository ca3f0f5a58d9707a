"""What changes of the pods' network: BGP sessions, routes, pools, encapsulation, and restarts of calico-node."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ops.preview.document import Change
from ops.preview.effects import Effect, Lines, Meaning, Section, Severity
from ops.preview.resources import whole
from ops.preview.values import Difference, at, plain

_OUTER: Final = {"ipipMode": "IPIP", "vxlanMode": "VXLAN"}
_SESSION_FIELDS: Final = {
    "asNumber": "AS",
    "peerIP": "address",
    "nodeSelector": "nodes",
    "peerSelector": "peers",
    "password": "password",
    "ttlSecurity": "TTL security",
    "sourceAddress": "source address",
    "keepOriginalNextHop": "next hop",
    "nextHopMode": "next hop",
    "localASNumber": "own AS",
}
"""Fields of a BGPPeer for which BIRD makes a session anew; others (filters) take effect on it as it stands."""
_ANNOUNCED: Final = {
    "serviceClusterIPs": "Service addresses",
    "serviceExternalIPs": "external addresses",
    "serviceLoadBalancerIPs": "load balancers' ranges",
}


def peer(change: Change) -> Meaning:
    """A BGPPeer: sessions that come, go or restart."""
    lines, subject = Lines(), f"BGP {_own_name(change)}"
    side = change.after or change.before
    if change.action == "create":
        lines.say(Section.DATA_PLANE, subject, f"sessions added: {_session(side)}", Severity.IN_PLACE)
    elif change.action == "delete":
        lines.say(Section.DATA_PLANE, subject, f"sessions lost: {_session(side)}", Severity.RESTARTS)
    elif change.action == "replace":
        lines.say(Section.DATA_PLANE, subject, f"sessions lost and made anew: {_session(side)}", Severity.RESTARTS)
    else:
        for item in _spec(change):
            field = item.path.partition(".")[0]
            anew = field in _SESSION_FIELDS
            text = f"{_SESSION_FIELDS.get(field, item.path)} {item}; " + ("its sessions restart" if anew else "its sessions stay")
            lines.say(Section.DATA_PLANE, subject, text, Severity.RESTARTS if anew else Severity.IN_PLACE)
    return lines.meaning()


def _session(side: Mapping[str, Any]) -> str:
    spec: Any = at(side, "spec") or {}
    address, selected = at(spec, "peerIP"), at(spec, "peerSelector")
    far = f"with {address}" if address else f"with nodes {plain(selected)}" if selected else "with all nodes"
    number = f" (AS {plain(at(spec, 'asNumber'))})" if at(spec, "asNumber") else ""
    near = at(spec, "nodeSelector") or at(spec, "node")
    return f"{far}{number} from {'nodes ' + plain(near) if near and near != 'all()' else 'all nodes'}"


def topology(change: Change) -> Meaning:
    """The BGPConfiguration: the mesh, the AS, announced ranges."""
    lines = Lines()
    for item in _spec(change):
        field = item.path.partition("[")[0].partition(".")[0]
        if field == "nodeToNodeMeshEnabled":
            goes = item.after is False
            text = (
                "full mesh goes: sessions between all nodes are lost, declared peers stay"
                if goes
                else "full mesh comes: every node has a session with every other"
            )
            lines.say(Section.DATA_PLANE, "BGP mesh", text, Severity.RESTARTS)
        elif field in _ANNOUNCED:
            lines.say(Section.DATA_PLANE, "BGP", f"announced {_ANNOUNCED[field]}: {item}", Severity.IN_PLACE)
        elif field in ("asNumber", "listenPort"):
            lines.say(Section.DATA_PLANE, "BGP", f"{field} {item}: all sessions restart", Severity.RESTARTS)
        else:
            lines.say(Section.DATA_PLANE, "BGP", f"{item.path} {item}", Severity.IN_PLACE)
    return lines.meaning() if lines.effects else whole(change, Section.DATA_PLANE, "BGP", "its configuration")


def bgp_filter(change: Change) -> Meaning:
    """A BGPFilter: which routes pass."""
    words = {"create": "made", "delete": "removed", "replace": "made anew"}
    text = f"filter {words.get(change.action, 'changed')}: other routes may pass or stop; sessions stay"
    severity = Severity.RESTARTS if change.action in ("delete", "replace") else Severity.IN_PLACE
    return _one(Section.DATA_PLANE, f"BGP {_own_name(change)}", text, severity)


def pool(change: Change) -> Meaning:
    """An IPPool: addresses, encapsulation, source translation."""
    lines, subject = Lines(), f"pool {_own_name(change)}"
    cidr = plain(at(change.after or change.before, "spec.cidr"))
    if change.action == "create":
        lines.say(Section.DATA_PLANE, subject, f"{cidr} added: new addresses may come from it", Severity.IN_PLACE)
    elif change.action in ("delete", "replace"):
        anew = " and made anew" if change.action == "replace" else ""
        lines.say(Section.DATA_PLANE, subject, f"{cidr} removed{anew}: what still has an address of it loses its route", Severity.REPLACEMENTS)
    for item in _spec(change):
        field = item.path.partition(".")[0]
        if field in _OUTER:
            text = f"encapsulation {_OUTER[field]} {item}: all packets between nodes of this pool change their form"
            lines.say(Section.DATA_PLANE, subject, text, Severity.RESTARTS)
        else:
            lines.say(Section.DATA_PLANE, subject, f"{item.path} {item}", Severity.IN_PLACE)
    return lines.meaning()


def felix(change: Change) -> Meaning:
    """A FelixConfiguration: WireGuard, the mode of its rules, and what was declared beside them."""
    lines = Lines()
    for item in _spec(change):
        restart = item.path in ("wireguardEnabled", "nftablesMode", "iptablesMarkMask")
        tail = ": Felix restarts by itself on every node" if restart else ""
        lines.say(Section.DATA_PLANE, "Felix", f"{item.path} {item}{tail}", Severity.RESTARTS if restart else Severity.IN_PLACE)
    return lines.meaning() if lines.effects else whole(change, Section.DATA_PLANE, "Felix", "its configuration")


def reflector(change: Change) -> Meaning:
    """A NodePatch: a node begins or stops reflecting."""
    node = change.name.partition("-node-")[2]
    words = {"create": "becomes a route reflector", "delete": "is a route reflector no longer"}
    severity = Severity.RESTARTS if change.action == "delete" else Severity.IN_PLACE
    return _one(Section.DATA_PLANE, node, words.get(change.action, "its cluster of reflectors changes"), severity)


def settings_map(change: Change) -> Meaning:
    """calico-config: MTU and CNI configuration that new pods get."""
    lines = Lines()
    for item in change.differences():
        if item.path.startswith("data."):
            name = item.path.removeprefix("data.")
            text = f"MTU of the pods {item}; only new pods get it" if name == "veth_mtu" else f"{name} of Calico's configuration changes"
            lines.say(Section.DATA_PLANE, "pods' network", text, Severity.IN_PLACE)
    return lines.meaning() if lines.effects else whole(change, Section.CLUSTER, "pods' network", "Calico's configuration")


def _spec(change: Change) -> Iterator[Difference]:
    if change.action == "update":
        for item in change.differences():
            if item.path.startswith("spec."):
                yield Difference(path=item.path.removeprefix("spec."), before=item.before, after=item.after)


def _own_name(change: Change) -> str:
    return plain(at(change.after or change.before, "metadata.name") or change.name)


def _one(section: Section, subject: str, text: str, severity: Severity) -> Meaning:
    return Meaning(effects=(Effect(section=section, subject=subject, text=text, severity=severity),))
