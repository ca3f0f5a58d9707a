"""Marked packets among what tcpdump printed of a link."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

from ops.verify.model import Probe
from ops.verify.programs import program
from ops.verify.reading.network import NIC
from ops.verify.reading.peers import peers
from plan import NodePlan, Plan

MARK = b"underlay-verify-"
"""What programs/wire.py puts into its packets."""
BEFORE_MARK = 28
"""Bytes of IP's and ICMP's headers before it."""
MOST = 8
"""Other nodes' blocks that one node sends to."""
HEX = re.compile(r"^\s+0x[0-9a-f]{4,8}:\s+((?:[0-9a-f]{2,4} ?)+)", re.MULTILINE)
KINDS = {4: "IP in IP", 47: "GRE", 50: "ESP", 17: "UDP"}
PORTS = {4789: "VXLAN", 8472: "VXLAN", 6081: "Geneve", 51820: "WireGuard", 51821: "WireGuard"}


def _script(plan: Plan, node: NodePlan) -> str:
    others = [str(other.address) for other in peers(plan, node)]
    pools = [str(pool.cidr) for pool in plan.pod_network.pools]
    return program("wire", {"nic": NIC, "pools": pools, "peers": others, "most": MOST})


WIRE = Probe(key="wire", script=_script, timeout_s=40, heavy=True)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A marked packet as it was on the link."""

    source: IPv4Address
    to: IPv4Address
    outer: int
    """Bytes of headers before the packet's own IP header; 0: it was sent as it is."""
    header: str
    """What the outermost header is; empty where there is none."""


def frames(capture: str) -> list[Frame]:
    """All marked packets; the others are not looked at."""
    found: list[Frame] = []
    for part in re.split(r"\n(?=\S)", capture):
        data = bytes.fromhex("".join("".join(line.split()) for line in HEX.findall(part)))
        start = data.find(MARK) - BEFORE_MARK
        if start >= 0:
            source, to = IPv4Address(data[start + 12 : start + 16]), IPv4Address(data[start + 16 : start + 20])
            found.append(Frame(source=source, to=to, outer=start, header=_header(data) if start else ""))
    return found


def _header(data: bytes) -> str:
    kind = KINDS.get(data[9], f"IP protocol {data[9]}")
    if kind != "UDP":
        return kind
    port = int.from_bytes(data[22:24], "big")
    return PORTS.get(port, f"UDP to port {port}")
