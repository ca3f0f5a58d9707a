"""A time server for the nodes (RFC 5905's server answer): the lab has no way out, and Debian's chrony would displace the machine's own time service.

Run as `python -m lab.clock ADDRESS` inside the lab's namespace; it tells the machine's time as a local clock of stratum 8.
"""

import socket
import struct
import sys
import time

EPOCH_1900_S = 2_208_988_800
STRATUM = 8
PACKET = struct.Struct("!BBbbII4sQQQQ")
SERVER, CLIENT = 4, 3


def stamp(unix_s: float) -> int:
    """A moment as NTP's 64 bits: seconds since 1900 and their fraction."""
    return int((unix_s + EPOCH_1900_S) * (1 << 32)) & ((1 << 64) - 1)


def answer(request: bytes, received_s: float, sent_s: float) -> bytes | None:
    """The server's packet for a client's; None for what is not a client's question."""
    if len(request) < PACKET.size:
        return None
    first, _, poll, *_, transmitted = PACKET.unpack(request[: PACKET.size])
    version, mode = first >> 3 & 7, first & 7
    if mode != CLIENT or version not in {3, 4}:
        return None
    received = stamp(received_s)
    dispersion = 1 << 6  # 1 ms in 16.16 seconds
    return PACKET.pack(version << 3 | SERVER, STRATUM, poll, -20, 0, dispersion, b"LOCL", received, transmitted, received, stamp(sent_s))


def serve(address: str) -> None:
    """Answer on UDP port 123 until ended."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 123))
        while True:
            request, client = server.recvfrom(512)
            received_s = time.time()
            if reply := answer(request, received_s, time.time()):
                server.sendto(reply, client)


if __name__ == "__main__":
    serve(sys.argv[1])
