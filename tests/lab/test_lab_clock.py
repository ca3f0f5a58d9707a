"""The nodes' time server, asked as a client asks it (RFC 5905, figure 8)."""

import struct

import pytest

from lab import clock


def request(version: int = 4, mode: int = 3, sent: int = 0x1122334455667788) -> bytes:
    return bytes([version << 3 | mode]) + bytes(39) + struct.pack("!Q", sent)


def test_the_answer_carries_the_clients_own_moment_back() -> None:
    reply = clock.answer(request(), 1_000_000_000.25, 1_000_000_000.5)
    assert reply is not None
    assert len(reply) == 48
    assert reply[24:32] == request()[40:48]


def test_the_answer_tells_the_time_as_a_synchronised_server() -> None:
    reply = clock.answer(request(version=3), 1_000_000_000.25, 1_000_000_000.5)
    assert reply is not None
    leap, version, mode, stratum = reply[0] >> 6, reply[0] >> 3 & 7, reply[0] & 7, reply[1]
    assert (leap, version, mode) == (0, 3, 4)
    assert 0 < stratum < 16
    # 2001-09-09T01:46:40Z in seconds since 1900, and halves as the top bit of the fraction.
    received, sent = struct.unpack("!QQ", reply[32:48])
    assert (received >> 32, received & 0xFFFFFFFF) == (3_208_988_800, 1 << 30)
    assert (sent >> 32, sent & 0xFFFFFFFF) == (3_208_988_800, 1 << 31)


@pytest.mark.parametrize("datagram", [b"", request()[:47], request(mode=4), request(mode=6), request(version=1)])
def test_what_is_no_clients_question_gets_no_answer(datagram: bytes) -> None:
    assert clock.answer(datagram, 0.0, 0.0) is None
