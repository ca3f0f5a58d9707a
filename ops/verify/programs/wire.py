"""Sends marked packets from one of the node's pod addresses to other nodes' pods, and prints what is seen of them on the node's link.

Argument: {"nic": name, "pools": [networks], "peers": [addresses of nodes], "most": number}. The packets are written by hand, so that no pod and no
network namespace is needed; their destinations are the last addresses of the other nodes' blocks, and no answer is waited for.
"""

import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from ipaddress import IPv4Address, IPv4Network
from typing import Any

MARK = b"underlay-verify-"
LENGTH = 640
"""Of the packet: longer than what an ICMP error repeats of it (576), shorter than a full one."""
ROOM = 140
"""Bytes of outer headers that are still seen."""
NOWHERE = ("blackhole", "unreachable", "prohibit")
START_S, LISTEN_S, TIMES = 10.0, 1.0, 3


def table() -> list[dict[str, Any]]:
    """The node's main table."""
    said = subprocess.run(["ip", "-details", "-json", "-4", "route", "show", "table", "main"], capture_output=True, text=True, check=True)
    return [route for route in json.loads(said.stdout) if route.get("dst") != "default"]


def own_address(routes: list[dict[str, Any]], nic: str) -> IPv4Address | None:
    """An address of the node's own block: the last one, or that of a pod."""
    blocks = [IPv4Network(route["dst"]) for route in routes if route.get("type") in NOWHERE]
    pods = [IPv4Network(route["dst"]) for route in routes if "gateway" not in route and route.get("dev") not in (None, nic)]
    return next((network[-1] for network in (*blocks, *sorted(pods, key=lambda network: -network.prefixlen))), None)


def targets(routes: list[dict[str, Any]], own: IPv4Address, peers: list[str], most: int) -> list[dict[str, str]]:
    """Addresses in other nodes' blocks, those through the named peers first."""
    found: list[dict[str, str]] = []
    for route in routes:
        network = IPv4Network(route["dst"])
        hop = (route.get("nexthops") or [route])[0]
        gateway, device = str(hop.get("gateway", "")), str(hop.get("dev", ""))
        if route.get("type") in NOWHERE or not device or own in network or (not gateway and network.prefixlen == 32):
            continue
        address = network[-2] if network.num_addresses > 2 else network[0]
        found.append({"to": str(address), "block": str(network), "via": gateway, "device": device})
    return sorted(found, key=lambda target: target["via"] not in peers and bool(target["via"]))[:most]


def checksum(data: bytes) -> int:
    """The Internet checksum of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source: IPv4Address, to: IPv4Address, sequence: int) -> bytes:
    """An echo request with the mark behind its header; the kernel writes IP's checksum."""
    payload = (MARK * LENGTH)[: LENGTH - 28]
    head = struct.pack("!BBHHH", 8, 0, 0, 0x7576, sequence)
    icmp = struct.pack("!BBHHH", 8, 0, checksum(head + payload), 0x7576, sequence) + payload
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, LENGTH, 0, 0x4000, 64, 1, 0, source.packed, to.packed) + icmp


def capture(nic: str, aims: list[dict[str, str]], source: IPv4Address) -> tuple[str, str]:
    """What tcpdump prints while the packets leave, and why it did not look. It leaves the link's mode alone (-p)."""
    hosts = sorted({host for aim in aims for host in (aim["to"], aim["via"]) if host} | {str(source)})
    wanted = f"greater {LENGTH + 14} and less {LENGTH + 14 + ROOM}" + (
        f" and ({' or '.join(f'host {host}' for host in hosts)})" if all(aim["via"] for aim in aims) else ""
    )
    words = ["tcpdump", "-i", nic, "-p", "-nn", "-l", "-x", "-s", "256", wanted]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listener:
        try:
            assert listener.stderr is not None  # noqa: S101 - it was asked for
            complaint = b""
            while b"listening on" not in complaint:
                piece = os.read(listener.stderr.fileno(), 4096) if select.select([listener.stderr], [], [], START_S)[0] else b""
                if not piece:
                    return "", f"tcpdump does not listen: {complaint.decode(errors='replace').strip() or 'it says nothing'}"
                complaint += piece
            send(aims, source)
            time.sleep(LISTEN_S)
        finally:
            listener.terminate()
        said, _ = listener.communicate(timeout=START_S)
    return said.decode(errors="replace"), ""


def send(aims: list[dict[str, str]], source: IPv4Address) -> None:
    """Each packet a few times: the first may only find out who has the next hop's address."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
        for sequence in range(1, TIMES + 1):
            for aim in aims:
                try:
                    out.sendto(packet(source, IPv4Address(aim["to"]), sequence), (aim["to"], 0))
                except OSError as error:
                    aim["refused"] = str(error)
            time.sleep(0.2)


def main() -> None:
    """Print one JSON object."""
    argument = json.loads(sys.argv[1])
    pools = [IPv4Network(pool) for pool in argument["pools"]]
    routes = [route for route in table() if any(IPv4Network(route["dst"]).subnet_of(pool) for pool in pools)]
    source = own_address(routes, argument["nic"])
    aims = targets(routes, source, argument["peers"], int(argument["most"])) if source else []
    said, why = capture(argument["nic"], aims, source) if source and aims else ("", "")
    print(json.dumps({"source": str(source or ""), "targets": aims, "capture": said, "why": why}))


if __name__ == "__main__":
    main()
