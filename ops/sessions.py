"""All BGP sessions of a plan as a table for people."""

from collections import Counter
from collections.abc import Iterable

from ops.columns import aligned
from plan import Plan
from plan.bgp import BgpPlan, Session, SpeakerPlan

HEAD = ("NODE", "ADDRESS", "AS", "PEER", "ADDRESS", "AS", "PEER IS", "BGP")
NAMES = {"node": "node", "client": "client", "reflector": "route reflector", "router": "router"}


def table(plan: Plan, node: str | None = None) -> str:
    """Every session once, or all that one node has as it sees them; KeyError where there is no such node."""
    bgp = plan.pod_network.bgp
    pairs = list(_once(bgp)) if node is None else [(bgp.speaker(node), session) for session in bgp.sessions(node)]
    rows = [_row(speaker, session) for speaker, session in pairs]
    counts = Counter(session.kind for _, session in pairs)
    parts = ", ".join(f"{count} with a {NAMES[kind]}" for kind, count in counts.items())
    lines = "".join(f"{line}\n" for line in aligned([HEAD, *rows]))
    noun = "session" if len(rows) == 1 else "sessions"
    return f"{lines}{len(rows)} {noun}{': ' if parts else ''}{parts}; topology {bgp.settings.topology}\n"


def _once(bgp: BgpPlan) -> Iterable[tuple[SpeakerPlan, Session]]:
    """Each session from one end: between equals the first node's, otherwise that of the served node."""
    seen: set[str] = set()
    for speaker in bgp.speakers:
        seen.add(speaker.node)
        for session in bgp.sessions(speaker.node):
            if session.kind != "client" and session.peer not in (seen if session.kind == "node" else ()):
                yield speaker, session


def _row(speaker: SpeakerPlan, session: Session) -> tuple[str, ...]:
    kind = "iBGP" if session.peer_as == speaker.as_number else "eBGP"
    own = (speaker.node, str(speaker.address), str(speaker.as_number))
    return (*own, session.peer, str(session.peer_address), str(session.peer_as), NAMES[session.kind], kind)
