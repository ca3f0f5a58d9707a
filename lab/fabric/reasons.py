"""Why a session is not Established, in one sentence."""

from dataclasses import dataclass

from lab.fabric.refused import Refused
from lab.fabric.sessions import ESTABLISHED, Seen

NOTHING = Refused()


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of a session: the speaker's name, what it reports, and what its kernel refused while somebody looked."""

    name: str
    answers: bool
    """Whether the speaker told anything at all."""
    seen: Seen | None
    refused: Refused = NOTHING
    router: bool = False


WORDS = {
    "Connection refused": "nothing listens on the BGP port of {peer}",
    "No route to host": "{peer} cannot be reached: no machine answers at its address",
    "Network is unreachable": "{own} has no route to {peer}",
    "Connection timed out": "{peer} does not answer",
    "Hold timer expired": "{peer} fell silent for longer than the hold time",
    "Administrative shutdown": "it is switched off at one end",
    "Administratively shutdown": "it is switched off at one end",
    "Maximum Number of Prefixes": "one end sent more routes than the other takes",
    "Route limit exceeded": "one end sent more routes than the other takes",
}
"""What speakers say, and what it means to the one who looks."""


def why(own: End, peer: End) -> str:
    """The reason, from what both ends say; the other end may be one that nobody can ask.

    A kernel does not tell of which session it refused something. Only a router's sessions have passwords and TTL security, and what the router's kernel
    refused comes first: a node may have other routers.
    """
    if not own.answers:
        return f"the BGP speaker of {own.name} does not answer"
    if own.seen is None:
        return f"{own.name} has no session with {peer.name} in its configuration"
    if peer.answers and peer.seen is None:
        return f"{peer.name} has no session with {own.name} in its configuration"
    ends = (peer, own) if peer.router else (own, peer)
    refused = _signatures(*ends) or _distance(*ends) if own.router or peer.router else ""
    return _numbers(own, peer) or refused or _said(own, peer)


def _numbers(own: End, peer: End) -> str:
    """Different opinions of an AS number; both sides' words are in the session."""
    for one, other in ((own, peer), (peer, own)):
        if one.seen and other.seen and one.seen.peer_as != other.seen.local_as:
            return f"wrong AS: {one.name} expects {other.name} in AS {one.seen.peer_as}, and it is in AS {other.seen.local_as}"
    for one, other in ((own, peer), (peer, own)):
        if one.seen and "bad peer as" in one.seen.error.lower():
            return f"wrong AS: {one.name} says `{one.seen.error}` of {other.name}, which it expects in AS {one.seen.peer_as}"
    return ""


def _signatures(own: End, peer: End) -> str:
    for one, other in ((own, peer), (peer, own)):
        if one.refused.forged:
            return f"wrong password: {one.name} refuses what {other.name} signs (TCP MD5, {one.refused.forged} segments meanwhile)"
        if one.refused.unsigned:
            return f"no password at {other.name}: {one.name} refuses what it does not sign (TCP MD5, {one.refused.unsigned} segments meanwhile)"
        if one.refused.unexpected:
            return f"no password at {one.name}: it refuses what {other.name} signs (TCP MD5, {one.refused.unexpected} segments meanwhile)"
    return ""


def _distance(own: End, peer: End) -> str:
    for one, other in ((own, peer), (peer, own)):
        if one.refused.too_far:
            return (
                f"wrong TTL: {one.name} refuses packets of {other.name} as from too far away "
                f"(TTL security, {one.refused.too_far} meanwhile); both ends must have it, with the same hops"
            )
    return ""


def _said(own: End, peer: End) -> str:
    for one, other in ((own, peer), (peer, own)):
        error = one.seen.error if one.seen else ""
        for words, meaning in WORDS.items():
            if words.lower() in error.lower():
                return f"{meaning.format(own=one.name, peer=other.name)} (`{error}`)"
        if error:
            return f"{one.name} says `{error}`"
    if not peer.answers:
        return f"{peer.name} does not answer"
    state = own.seen.state if own.seen else "?"
    return f"it is on its way ({state})" if state != ESTABLISHED else f"{peer.name} does not say so"
