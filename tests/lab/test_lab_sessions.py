"""Sessions as BIRD 2.0.12 and FRR 8.4 print them, and why one is down."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from fabric_plans import plan

from lab.fabric import refused, status
from lab.fabric.reasons import End, why
from lab.fabric.refused import Refused
from lab.fabric.sessions import Seen, from_bird, from_frr
from lab.fabric.status import Speaker

BIRD = """\
BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     11:55:01.123
node_lab_worker_1 BGP        ---        up     11:55:03.456  Established
  Description:    lab-worker-1
  BGP state:          Established
    Neighbor address: 10.77.0.21
    Neighbor AS:      64512
    Local AS:         64512
    Neighbor ID:      10.77.0.21
    Session:          internal multihop AS4
    Source address:   10.77.0.11
    Hold timer:       171.234/240
  Channel ipv4
    State:          UP
    Input filter:   (unnamed)
    Routes:         3 imported, 1 exported, 2 preferred
    BGP Next hop:   10.77.0.11
router_tor BGP        ---        start  2026-11-22    Active        Received: Bad peer AS
  BGP state:          Active
    Neighbor address: 10.77.0.2
    Neighbor AS:      64600
    Local AS:         64512
    Connect delay:    0.5/2
    Last error:       Received: Bad peer AS
  Channel ipv4
    State:          DOWN
"""
FRR = """\
{"10.77.0.11": {"remoteAs": 64512, "localAs": 64600, "nbrDesc": "lab-cp-1", "bgpState": "Established", "bgpTimerUpEstablishedEpoch": 1795000000,
  "addressFamilyInfo": {"ipv4Unicast": {"acceptedPrefixCounter": 2, "sentPrefixCounter": 0}}},
 "10.77.0.21": {"remoteAs": 64512, "localAs": 64600, "bgpState": "Active", "lastNotificationReason": "OPEN Message Error/Bad Peer AS",
  "lastResetDueTo": "BGP Notification send"}}
"""
NETSTAT = "TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPMinTTLDrop\nTcpExt: 5 {} {} {} {}\nIpExt: A\nIpExt: 1\n"
OWN = Seen(peer_address=IPv4Address("10.77.0.2"), peer_as=64600, local_as=64512, state="Active", since="-", received=0, sent=0, error="")
PEER = replace(OWN, peer_address=IPv4Address("10.77.0.11"), peer_as=64512, local_as=64600)


def test_birds_words_are_read() -> None:
    found = from_bird(BIRD)
    up, down = found[IPv4Address("10.77.0.21")], found[IPv4Address("10.77.0.2")]
    assert len(found) == 2
    assert (up.state, up.peer_as, up.local_as, up.since, up.received, up.sent, up.error) == ("Established", 64512, 64512, "11:55:03", 3, 1, "")
    assert (down.state, down.peer_as, down.since, down.error) == ("Active", 64600, "2026-11-22", "Received: Bad peer AS")


def test_frrs_words_are_read() -> None:
    found = from_frr(FRR)
    up, down = found[IPv4Address("10.77.0.11")], found[IPv4Address("10.77.0.21")]
    assert (up.state, up.peer_as, up.local_as, up.received, up.sent, up.error) == ("Established", 64512, 64600, 2, 0, "")
    assert (down.state, down.error, down.since) == ("Active", "OPEN Message Error/Bad Peer AS", "-")


@pytest.mark.parametrize("said", ["", "BIRD 2.0.12 ready.\n", "% Command incomplete", "{}"])
def test_a_speaker_without_sessions_has_none(said: str) -> None:
    assert from_bird(said) == {}
    assert from_frr(said) == {}


def test_the_kernels_counts_are_read_by_name() -> None:
    before, after = refused.read(NETSTAT.format(1, 2, 3, 4)), refused.read(NETSTAT.format(1, 2, 8, 4))
    assert (before.unsigned, before.unexpected, before.forged, before.too_far) == (1, 2, 3, 4)
    assert after.since(before) == Refused(forged=5)
    assert refused.read("") == Refused()


@pytest.mark.parametrize(
    ("own", "peer", "own_refused", "peer_refused", "expected"),
    [
        (OWN, PEER, Refused(), Refused(forged=3), "wrong password: tor refuses what lab-cp-1 signs"),
        (OWN, PEER, Refused(unsigned=1), Refused(), "no password at tor"),
        (OWN, PEER, Refused(), Refused(unexpected=1), "no password at tor"),
        (OWN, PEER, Refused(too_far=4), Refused(), "wrong TTL: lab-cp-1 refuses packets of tor"),
        (OWN, replace(PEER, local_as=64999), Refused(), Refused(), "wrong AS: lab-cp-1 expects tor in AS 64600, and it is in AS 64999"),
        (OWN, replace(PEER, peer_as=64999), Refused(), Refused(), "wrong AS: tor expects lab-cp-1 in AS 64999, and it is in AS 64512"),
        (replace(OWN, error="Error: Bad peer AS: 64999"), None, Refused(), Refused(), "wrong AS: lab-cp-1 says `Error: Bad peer AS: 64999`"),
        (replace(OWN, error="Socket: Connection refused"), None, Refused(), Refused(), "nothing listens on the BGP port of tor"),
        (replace(OWN, error="Socket: No route to host"), None, Refused(), Refused(), "tor cannot be reached"),
        (OWN, None, Refused(), Refused(), "tor does not answer"),
        (OWN, PEER, Refused(), Refused(), r"it is on its way \(Active\)"),
    ],
)
def test_why_a_session_is_down_is_one_sentence(own: Seen, peer: Seen | None, own_refused: Refused, peer_refused: Refused, expected: str) -> None:
    said = why(
        End(name="lab-cp-1", answers=True, seen=own, refused=own_refused),
        End(name="tor", answers=peer is not None, seen=peer, refused=peer_refused, router=True),
    )
    assert expected.replace("\\", "") in said


def test_what_a_node_refuses_of_a_router_is_no_reason_for_a_session_between_nodes() -> None:
    own = End(name="a", answers=True, seen=OWN, refused=Refused(forged=5, too_far=5))
    assert why(own, End(name="b", answers=False, seen=None)) == "b does not answer"


def test_what_the_router_itself_refuses_goes_before_what_a_node_may_have_refused_of_another() -> None:
    own = End(name="a", answers=True, seen=OWN, refused=Refused(forged=5))
    assert why(own, End(name="tor", answers=True, seen=PEER, refused=Refused(unsigned=1), router=True)).startswith("no password at a")


def test_a_silent_speaker_and_a_session_that_one_end_does_not_know_are_named() -> None:
    knows, silent = End(name="a", answers=True, seen=OWN), End(name="b", answers=False, seen=None)
    assert why(silent, knows) == "the BGP speaker of b does not answer"
    assert why(knows, End(name="b", answers=True, seen=None)) == "b has no session with a in its configuration"


def test_the_summary_has_both_ends_of_every_session_and_says_each_reason_once() -> None:
    cp, worker, tor = IPv4Address("10.77.0.11"), IPv4Address("10.77.0.21"), IPv4Address("10.77.0.2")

    def seen(peer: IPv4Address, state: str) -> Seen:
        number = 64600 if peer == tor else 64512
        return replace(OWN, peer_address=peer, peer_as=number, local_as=64512, state=state)

    speakers = {
        "lab-cp-1": Speaker(answers=True, sessions={worker: seen(worker, "Established"), tor: seen(tor, "Connect")}, refused=Refused()),
        "lab-worker-1": Speaker(answers=True, sessions={cp: seen(cp, "Established"), tor: seen(tor, "Established")}, refused=Refused()),
        "tor": Speaker(answers=True, sessions={cp: PEER, worker: replace(PEER, peer_address=worker, state="Established")}, refused=Refused(forged=2)),
    }
    facts = status.facts(plan(), speakers)
    ends = [(fact.speaker, fact.peer) for fact in facts]
    assert ends == [
        ("lab-cp-1", "lab-worker-1"),
        ("lab-cp-1", "tor"),
        ("lab-worker-1", "lab-cp-1"),
        ("lab-worker-1", "tor"),
        ("tor", "lab-cp-1"),
        ("tor", "lab-worker-1"),
    ]
    sentences = status.sentences(facts)
    assert len(sentences) == 1
    assert sentences[0].startswith("lab-cp-1 - tor is down: wrong password")
