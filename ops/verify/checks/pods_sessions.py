"""Every BGP session of the plan is up, tells the routes that it should, and there is no other."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address

from ops.verify.model import Check, Figure, Finding, Seen, missing
from ops.verify.reading.bird import ESTABLISHED, SESSIONS, SeenSession, sessions
from ops.verify.reading.blocks import PATHS, Blocks, blocks
from ops.verify.reading.document import node_output
from ops.verify.reading.findings import counted, failed, passed, several
from ops.verify.reading.network import ROUTES
from plan.bgp import BgpPlan, Session

ID = "pods.sessions"


def judge(seen: Seen) -> Iterator[Finding]:
    """Every node's sessions as its own speaker has them."""
    owned = blocks(seen)
    for node in seen.plan.nodes:
        said, why = node_output(seen, node.name, SESSIONS.key)
        if not why and "BIRD" not in said:
            why = "the speaker's answer is no BIRD's"
        yield missing(ID, node.name, why) if why else _finding(seen.plan.pod_network.bgp, node.name, sessions(said), owned)


def _finding(bgp: BgpPlan, node: str, found: Mapping[IPv4Address, SeenSession], owned: Blocks) -> Finding:
    wanted = bgp.sessions(node)
    problems = [said for session in wanted if (said := _problem(bgp, session, found.get(session.peer_address), owned))]
    known = {session.peer_address for session in wanted}
    problems += [f"a session with {peer} ({found[peer].state}), which the stack does not have" for peer in sorted(found.keys() - known)]
    up = [seen for session in wanted if (seen := found.get(session.peer_address)) is not None and seen.state == ESTABLISHED]
    figures = (
        Figure(name="sessions up", value=len(up), unit="sessions", limit=len(wanted)),
        Figure(name="routes received", value=sum(seen.received for seen in up), unit="routes"),
        Figure(name="routes sent", value=sum(seen.sent for seen in up), unit="routes"),
    )
    declared = f"{counted(len(wanted), 'session')}, topology {bgp.settings.topology}"
    if problems:
        return failed(ID, node, declared, several(problems), _remedy(node), *figures)
    received, sent = int(figures[1].value), int(figures[2].value)
    return passed(ID, node, declared, f"all established, {counted(received, 'route')} received, {sent} sent", *figures)


def _problem(bgp: BgpPlan, session: Session, seen: SeenSession | None, owned: Blocks) -> str:
    """What is wrong with one session; empty: nothing."""
    peer = f"{session.peer} ({session.peer_address})"
    if seen is None:
        return f"no session with {peer}"
    if seen.peer_as != session.peer_as:
        return f"{peer} is expected in AS {seen.peer_as}, declared {session.peer_as}"
    if seen.state != ESTABLISHED:
        return f"{peer} is {seen.state}{', last error: ' if seen.error else ''}{seen.error}"
    if session.router is not None:
        limit = next((router.max_prefixes for router in bgp.routers if router.name == session.peer), None)
        return f"{peer} is sent {seen.sent} routes, limit {limit}" if limit is not None and seen.sent > limit else ""
    least = len(owned.of(session.peer))
    return f"{peer} told {counted(seen.received, 'route')}, expected its {counted(least, 'block')} at least" if seen.received < least else ""


def _remedy(node: str) -> str:
    return f"compare both ends with `python -m ops bgp --stack NAME --node {node}`; AS number, password, TTL and port 179 are what usually differs"


CHECKS: tuple[Check, ...] = (
    Check(
        id=ID,
        area="pods",
        title="BGP sessions are established and routes are told",
        severity="error",
        judge=judge,
        probes=(SESSIONS, ROUTES),
        api_paths=PATHS,
    ),
)
