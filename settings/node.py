"""What every node gets before Kubernetes: connection tracking, sysctls, modules, time, access."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from settings.base import Problem, Settings
from settings.forms import Distinct, Flag, Host, Whole, Words, text

ModuleName = Annotated[str, text(r"[a-z0-9_-]+", "expected the name of a kernel module", "br_netfilter", 56), Words("kernel module")]
SysctlName = Annotated[str, text(r"[a-z0-9_]+([./][A-Za-z0-9_*-]+)+", "expected the name of a sysctl", "net.core.somaxconn"), Words("sysctl")]
SysctlValue = Annotated[str, text(r"[^\n\x00]+", "expected one line of text", '"4096"')]
KEY_KINDS = r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com)"
PublicKey = Annotated[
    str,
    text(rf"{KEY_KINDS} [A-Za-z0-9+/]+={{0,3}}( [^\n]*)?", "expected a public SSH key on one line", "'ssh-ed25519 AAAA... name'"),
    Words("public SSH key"),
]

OWNED_SYSCTLS = {
    "net.netfilter.nf_conntrack_max": "node.conntrack.max_entries",
    "net.nf_conntrack_max": "node.conntrack.max_entries",
    "net.netfilter.nf_conntrack_buckets": "node.conntrack.max_entries",
    "net.netfilter.nf_conntrack_tcp_timeout_established": "node.conntrack.tcp_established_s",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait": "node.conntrack.tcp_close_wait_s",
    "net.netfilter.nf_conntrack_udp_timeout": "node.conntrack.udp_s",
    "net.netfilter.nf_conntrack_udp_timeout_stream": "node.conntrack.udp_stream_s",
    "net.netfilter.nf_conntrack_tcp_be_liberal": "node.conntrack.tcp_be_liberal",
    "net.ipv4.vs.conntrack": "",  # kube-proxy's
    "net.ipv4.vs.expire_nodest_conn": "",
    "net.ipv4.vs.expire_quiescent_template": "",
    "net.ipv4.ip_forward": "",
}
"""Sysctls that underlay or kube-proxy sets, and the setting that stands behind each."""

BYTES_PER_ENTRY = 425
"""Kernel memory of one tracked connection: 200,000 entries cost 85 MB (measured, kernel 6.1)."""
BYTES_PER_BUCKET = 8
"""A list head of the hash on a 64-bit kernel."""
ENTRIES_PER_BUCKET = 4
"""More entries a bucket lose new connections (`chaintoolong`): measured, and the kernel's own ratio of old."""


class Conntrack(Settings):
    """Connection tracking, from one number. A change is made in place; no machine is touched and kube-proxy keeps off."""

    max_entries: Whole = Field(default=1_048_576, ge=65_536, le=16_777_216)
    """Connections a node can track; some 430 bytes of kernel memory each when full. The hash gets a bucket for every four."""
    tcp_established_s: Whole = Field(default=86_400, ge=60, le=432_000)
    """Idle established TCP connections, s (the kernel's own default is five days)."""
    tcp_close_wait_s: Whole = Field(default=3_600, ge=10, le=432_000)
    """TCP connections whose peer has closed, s."""
    udp_s: Whole = Field(default=30, ge=1, le=86_400)
    """UDP flows seen in one direction, s."""
    udp_stream_s: Whole = Field(default=120, ge=1, le=86_400)
    """UDP flows seen in both directions, s."""
    tcp_be_liberal: Flag = False
    """Accept out-of-window TCP packets: for paths on which packets take different ways."""

    @property
    def full_table_mib(self) -> int:
        """Kernel memory of the full table and its hash, MiB, rounded up."""
        return -(-self.max_entries * (BYTES_PER_ENTRY + BYTES_PER_BUCKET // ENTRIES_PER_BUCKET) // 2**20)

    def disagreements(self) -> Iterator[Problem]:
        """A flow in both directions is kept at least as long as one in one; an open connection as one half closed."""
        if self.udp_stream_s < self.udp_s:
            yield Problem("udp_stream_s", f"is {self.udp_stream_s}, limit: at least {self.udp_s} (udp_s); raise it")
        if self.tcp_established_s < self.tcp_close_wait_s:
            yield Problem("tcp_established_s", f"is {self.tcp_established_s}, limit: at least {self.tcp_close_wait_s} (tcp_close_wait_s); raise it")


class Time(Settings):
    """Clock synchronisation by chrony."""

    servers: Annotated[tuple[Host, ...], Distinct] = Field(min_length=1)
    """NTP servers, names or addresses; three or more outvote a wrong one. A change is made in place."""


class Access(Settings):
    """Who may log in to the nodes, beside the environment's own key."""

    authorized_keys: Annotated[tuple[PublicKey, ...], Distinct] = ()
    """Further public SSH keys for root, in OpenSSH's form. A change is made in place."""


class NodePreparation(Settings):
    """What every node gets before Kubernetes. Changes are made in place, node by node."""

    conntrack: Conntrack = Conntrack()
    """Connection tracking."""
    time: Time
    """Clock synchronisation."""
    modules: Annotated[tuple[ModuleName, ...], Distinct] = ()
    """Further kernel modules, loaded at boot and checked. A change is made in place."""
    sysctls: dict[SysctlName, SysctlValue] = {}
    """Further sysctls, written after underlay's own. A change is made in place."""
    access: Access = Access()
    """Who may log in. A change replaces no machine: keys go over SSH."""

    def disagreements(self) -> Iterator[Problem]:
        """Sysctls that underlay or kube-proxy sets are left to them; none is named in both spellings."""
        seen: set[str] = set()
        for spelling in self.sysctls:
            name = spelling.replace("/", ".")
            if name in OWNED_SYSCTLS:
                setting = OWNED_SYSCTLS[name]
                yield Problem(f"sysctls.{spelling}", f"is set by underlay itself; remove it{f' and use {setting}' if setting else ''}")
            elif name in seen:
                yield Problem(f"sysctls.{spelling}", "is there once more with dots, limit once; remove one of them")
            seen.add(name)
