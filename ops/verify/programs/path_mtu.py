"""Finds the largest packet that reaches each peer in one piece, and how long it takes. Argument: {"mtu": bytes, "peers": {name: address}}."""

import json
import os
import select
import socket
import struct
import sys
import time

IP_MTU_DISCOVER, PMTUDISC_PROBE = 10, 3
"""Don't Fragment is set, and what the kernel remembers of paths is not asked."""
HEADERS = 28
SMALLEST = 576
WAIT_S, TRIES, LIMIT_S = 1.0, 3, 15.0


def checksum(data: bytes) -> int:
    """The Internet checksum."""
    even = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Prober:
    """Echo requests of given sizes to several peers at once."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE)
        self.socket.settimeout(0)
        self.identity = os.getpid() & 0xFFFF
        self.sequence = 0
        self.fastest_ms: dict[str, float] = {}
        self.wait_s = WAIT_S

    def passing(self, sizes: dict[str, int]) -> set[str]:
        """Addresses that answered a packet of their size."""
        found: set[str] = set()
        for _ in range(TRIES):
            left = {address: size for address, size in sizes.items() if address not in found}
            if not left:
                break
            found |= self._once(left)
        return found

    def _once(self, sizes: dict[str, int]) -> set[str]:
        self.sequence = (self.sequence + 1) & 0xFFFF
        sent: dict[str, float] = {}
        for address, size in sizes.items():
            payload = b"\0" * (size - HEADERS)
            head = struct.pack("!BBHHH", 8, 0, 0, self.identity, self.sequence)
            packet = struct.pack("!BBHHH", 8, 0, checksum(head + payload), self.identity, self.sequence) + payload
            try:
                sent[address] = time.monotonic()
                self.socket.sendto(packet, (address, 0))
            except OSError:
                del sent[address]  # too long for the node's own link, or no route
        return self._answers(sent)

    def _answers(self, sent: dict[str, float]) -> set[str]:
        found: set[str] = set()
        until = time.monotonic() + self.wait_s
        while len(found) < len(sent) and (left := until - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                break
            packet, (address, _) = self.socket.recvfrom(65535)
            start = (packet[0] & 15) * 4
            if len(packet) < start + 8 or struct.unpack_from("!BxxxHH", packet, start) != (0, self.identity, self.sequence) or address not in sent:
                continue
            found.add(address)
            taken = (time.monotonic() - sent[address]) * 1000
            self.fastest_ms[address] = min(taken, self.fastest_ms.get(address, taken))
        return found


def largest(prober: Prober, addresses: list[str], mtu: int) -> dict[str, int]:
    """The largest size that passes, by address; 0 where none does."""
    until = time.monotonic() + LIMIT_S
    whole = prober.passing(dict.fromkeys(addresses, mtu))
    rest = [address for address in addresses if address not in whole]
    small = prober.passing(dict.fromkeys(rest, SMALLEST))
    found = {address: mtu if address in whole else SMALLEST if address in small else 0 for address in addresses}
    above = dict.fromkeys(small, mtu)
    if prober.fastest_ms:  # sizes that do not pass are waited for: not longer than answers take
        prober.wait_s = min(WAIT_S, max(0.1, max(prober.fastest_ms.values()) / 50))
    while time.monotonic() < until and (
        open_ := {address: (found[address] + above[address]) // 2 for address in small if above[address] - found[address] > 1}
    ):
        passed = prober.passing(open_)
        for address, size in open_.items():
            if address in passed:
                found[address] = size
            else:
                above[address] = size
    return found


def main() -> None:
    """Print one JSON object: {name: {"largest": bytes, "round_trip_ms": number or null}}."""
    argument = json.loads(sys.argv[1])
    names = {address: name for name, address in argument["peers"].items()}
    prober = Prober()
    found = largest(prober, list(names), int(argument["mtu"]))
    print(json.dumps({names[address]: {"largest": size, "round_trip_ms": prober.fastest_ms.get(address)} for address, size in found.items()}))


if __name__ == "__main__":
    main()
