"""The BGP part of the summary: every session of the plan, as the speakers at both ends report it."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address

from rich.box import SIMPLE
from rich.table import Table

from lab.access import Access, Node, answer
from lab.fabric import daemons, namespace, refused
from lab.fabric.reasons import End, why
from lab.fabric.refused import Refused
from lab.fabric.sessions import ESTABLISHED, Seen, from_bird, from_frr
from lab.places import Lab
from lab.process import attempt, in_namespace
from plan import Plan

WATCH_S = 8
"""How long the kernels' counts are watched where a session is down: a speaker tries again after 5 s."""
ASK_S = 90.0
MARK = "--- counts"
QUESTIONS = f"""\
said=$(birdc -r show protocols all)
echo "$said"
if echo "$said" | grep 'BGP state:' | grep -qv {ESTABLISHED}; then
    echo '{MARK}'
    cat /run/lab-bgp-counts
    echo '{MARK}'
    grep ^TcpExt: {refused.FILE}
    sleep {WATCH_S}
    echo '{MARK}'
    grep ^TcpExt: {refused.FILE}
else
    grep ^TcpExt: {refused.FILE} > /run/lab-bgp-counts
fi 2> /dev/null
"""
"""The counts of the last look at which all was well are kept: see `refused.between`."""


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """What one speaker tells."""

    answers: bool
    sessions: dict[IPv4Address, Seen]
    refused: Refused


@dataclass(frozen=True, kw_only=True)
class SessionFacts:
    """One end of a session of the plan; `reason` says why it is not Established."""

    speaker: str
    peer: str
    seen: Seen | None
    reason: str


def collect(access: Access, plan: Plan) -> list[SessionFacts]:
    """Ask the lab's routers and, where BIRD on them is the lab's own, all nodes; takes some seconds longer where a session is down."""
    routers, lab = namespace.names(access.lab), access.lab
    nodes = access.nodes if plan.settings.pod_network.kind == "external" else ()
    with ThreadPoolExecutor(max_workers=16) as pool:
        asked = pool.map(partial(_ask_node, access), nodes)
        played = pool.map(partial(ask_router, lab), routers)
        speakers = dict(zip([node.name for node in nodes], asked, strict=True)) | dict(zip(routers, played, strict=True))
    return facts(plan, speakers)


def facts(plan: Plan, speakers: dict[str, Speaker]) -> list[SessionFacts]:
    """Every session of the plan from each end that was asked: nodes first, then routers."""
    found: list[SessionFacts] = []
    for router in (False, True):
        for speaker in plan.pod_network.bgp.speakers:
            for session in plan.pod_network.bgp.sessions(speaker.node):
                node, peer = (
                    _end(speaker.node, session.peer_address, speakers),
                    _end(session.peer, speaker.address, speakers, router=session.kind == "router"),
                )
                if not router and speaker.node in speakers:
                    found.append(_fact(node, peer))
                elif router and session.kind == "router" and session.peer in speakers:
                    found.append(_fact(peer, node))
    return found


def _end(name: str, peer_address: IPv4Address, speakers: dict[str, Speaker], *, router: bool = False) -> End:
    speaker = speakers.get(name)
    if speaker is None:
        return End(name=name, answers=False, seen=None, router=router)
    return End(name=name, answers=speaker.answers, seen=speaker.sessions.get(peer_address), refused=speaker.refused, router=router)


def _fact(own: End, peer: End) -> SessionFacts:
    up = own.seen is not None and own.seen.state == ESTABLISHED
    return SessionFacts(speaker=own.name, peer=peer.name, seen=own.seen, reason="" if up else why(own, peer))


def from_node(said: str) -> Speaker:
    """What a node's answer to QUESTIONS tells."""
    protocols, *counts = said.split(MARK)
    looks = [refused.read(text) for text in counts]
    return Speaker(answers="BIRD" in protocols, sessions=from_bird(protocols), refused=refused.between(*looks) if len(looks) == 3 else Refused())


def _ask_node(access: Access, node: Node) -> Speaker:
    return from_node(answer(access.ssh(node, "bash", "-s"), stdin=QUESTIONS, timeout_s=ASK_S))


def ask_router(lab: Lab, router: str) -> Speaker:
    """What a router of the lab tells."""
    runs_bird = daemons.kind(lab, router) == "bird"
    said = daemons.ask(lab, router, "show protocols all" if runs_bird else "show bgp neighbors json")
    seen = from_bird(said) if runs_bird else from_frr(said)
    changed, kept = Refused(), namespace.router_dir(lab, router) / "counts"
    before = _counts(lab, router)
    if any(session.state != ESTABLISHED for session in seen.values()):
        time.sleep(WATCH_S)
        changed = refused.between(refused.read(kept.read_text() if kept.exists() else ""), refused.read(before), refused.read(_counts(lab, router)))
    elif seen:
        kept.write_text(before)
    return Speaker(answers=said != "", sessions=seen, refused=changed)


def _counts(lab: Lab, router: str) -> str:
    return attempt(in_namespace(namespace.name(lab, router), ["cat", refused.FILE])).stdout


def table(found: Sequence[SessionFacts]) -> Table:
    """The sessions, one end a line."""
    shown = Table(box=SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("BGP speaker", "peer", "AS", "state", "since", "routes\nin", "out"):
        shown.add_column(title, overflow="fold", justify="right" if title in {"AS", "routes\nin", "out"} else "left")
    for fact in found:
        seen = fact.seen
        if seen is None:
            shown.add_row(fact.speaker, fact.peer, "?", "?", "-", "-", "-")
        else:
            up = seen.state == ESTABLISHED
            counts = (str(seen.received), str(seen.sent)) if up else ("-", "-")
            shown.add_row(fact.speaker, fact.peer, str(seen.peer_as), seen.state, seen.since if up else "-", *counts)
    return shown


def sentences(found: Sequence[SessionFacts]) -> list[str]:
    """A sentence for each session that is not Established, once where both ends give the same reason."""
    said: dict[tuple[frozenset[str], str], str] = {}
    for fact in found:
        if fact.reason:
            said.setdefault((frozenset((fact.speaker, fact.peer)), fact.reason), f"{fact.speaker} - {fact.peer} is down: {fact.reason}")
    return list(said.values())
