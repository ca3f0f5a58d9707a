"""BGP sessions as BIRD 1 (Calico's) and BIRD 2 print them."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

from ops.verify.model import Probe
from ops.verify.programs import program
from ops.verify.reading.document import address

ESTABLISHED = "Established"
HEAD = re.compile(r"^(?P<name>\S+) +BGP +\S+ +(?P<state>\S+)")
FIELD = re.compile(r"^ +(?P<key>[A-Z][A-Za-z ]+): +(?P<value>.+?) *$")
ROUTES = re.compile(r"(\d{1,9}) (imported|exported)")

SESSIONS = Probe(key="bgp-sessions", script=lambda _plan, _node: program("bird"))


@dataclass(frozen=True, kw_only=True)
class SeenSession:
    """A session as the node's BIRD has it."""

    name: str
    peer: IPv4Address
    peer_as: int
    state: str
    """BGP's own: Idle, Connect, Active, OpenSent, OpenConfirm, Established; down where the speaker has switched it off."""
    received: int
    """Routes taken from the peer."""
    sent: int
    """Routes told to the peer."""
    error: str


def sessions(said: str) -> dict[IPv4Address, SeenSession]:
    """All sessions by the peer's address; protocols that are switched off have no fields, and none is made up for them."""
    found: dict[IPv4Address, SeenSession] = {}
    for part in re.split(r"\n(?=\S)", said):
        head = HEAD.match(part)
        fields = {field["key"]: field["value"] for line in part.splitlines() if (field := FIELD.match(line))}
        peer = address(fields.get("Neighbor address", "").partition("%")[0])  # it may carry the interface: 10.77.0.2%eth0
        if head is None or peer is None:
            continue
        routes = {direction: int(count) for count, direction in ROUTES.findall(fields.get("Routes", ""))}
        number = fields.get("Neighbor AS", "")
        found[peer] = SeenSession(
            name=head["name"],
            peer=peer,
            peer_as=int(number) if re.fullmatch(r"\d{1,10}", number) else 0,
            state=fields.get("BGP state") or head["state"],
            received=routes.get("imported", 0),
            sent=routes.get("exported", 0),
            error=fields.get("Last error", ""),
        )
    return found
