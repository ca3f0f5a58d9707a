"""BGP sessions as BIRD and FRR report them."""

import json
import re
import time
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, cast

ESTABLISHED = "Established"
HEAD = re.compile(r"^(\S+) +BGP +\S+ +\S+ +(?P<since>\d{4}-\d\d-\d\d(?: [\d:.]+)?|[\d:.]+)")
FIELD = re.compile(r"^ +(?P<key>[A-Z][A-Za-z ]+): +(?P<value>.+?) *$")
ROUTES = re.compile(r"(\d+) (imported|exported)")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One end of a session, as the speaker there reports it."""

    peer_address: IPv4Address
    peer_as: int
    local_as: int
    state: str
    """BGP's own: Idle, Connect, Active, OpenSent, OpenConfirm, Established; or Down where the speaker has switched it off."""
    since: str
    received: int
    """Routes taken from the peer."""
    sent: int
    """Routes told to the peer."""
    error: str
    """The last error in the speaker's own words; empty where it had none."""


def from_bird(said: str) -> dict[IPv4Address, Seen]:
    """Sessions by the peer's address, from `birdc show protocols all`."""
    found: dict[IPv4Address, Seen] = {}
    for block in re.split(r"\n(?=\S)", said):
        head = HEAD.match(block)
        fields = {field["key"]: field["value"] for line in block.splitlines() if (field := FIELD.match(line))}
        if head and "Neighbor address" in fields:
            routes = {direction: int(count) for count, direction in ROUTES.findall(fields.get("Routes", ""))}
            # An address may carry the interface: 10.77.0.2%eth0.
            address = IPv4Address(fields["Neighbor address"].partition("%")[0])
            found[address] = Seen(
                peer_address=address,
                peer_as=int(fields.get("Neighbor AS", "0")),
                local_as=int(fields.get("Local AS", "0")),
                state=fields.get("BGP state", "?"),
                since=head["since"].partition(".")[0],
                received=routes.get("imported", 0),
                sent=routes.get("exported", 0),
                error=fields.get("Last error", ""),
            )
    return found


def from_frr(said: str) -> dict[IPv4Address, Seen]:
    """Sessions by the peer's address, from FRR's `show bgp neighbors json`."""
    try:
        neighbours = cast("dict[str, dict[str, Any]]", json.loads(said))
    except ValueError:
        return {}
    addresses = [address for address in neighbours if address.count(".") == 3 and "bgpState" in neighbours[address]]
    return {IPv4Address(address): _frr_seen(IPv4Address(address), neighbours[address]) for address in addresses}


def _frr_seen(address: IPv4Address, peer: dict[str, Any]) -> Seen:
    family: dict[str, Any] = peer.get("addressFamilyInfo", {}).get("ipv4Unicast", {})
    up, since = peer["bgpState"] == ESTABLISHED, "-"
    if up and peer.get("bgpTimerUpEstablishedEpoch"):
        since = time.strftime("%H:%M:%S", time.localtime(peer["bgpTimerUpEstablishedEpoch"]))
    return Seen(
        peer_address=address,
        peer_as=int(peer.get("remoteAs", 0)),
        local_as=int(peer.get("localAs", 0)),
        state=str(peer["bgpState"]),
        since=since,
        received=int(family.get("acceptedPrefixCounter", 0)),
        sent=int(family.get("sentPrefixCounter", 0)),
        error="" if up else str(peer.get("lastNotificationReason") or peer.get("lastResetDueTo") or ""),
    )
