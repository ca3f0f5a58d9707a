"""Connection tracking from one number."""

from dataclasses import dataclass

from settings.node import ENTRIES_PER_BUCKET, Conntrack

BUCKETS_PER_PAGE = 512
"""The kernel rounds the hash up to whole pages of 4096 bytes with 8 bytes a bucket (nf_ct_alloc_hashtable)."""


@dataclass(frozen=True, kw_only=True)
class ConntrackPlan:
    """What every node's kernel is told; kube-proxy is told to keep off."""

    max_entries: int
    """net.netfilter.nf_conntrack_max."""
    buckets: int
    """Hash size, buckets, as the kernel will report it."""
    timeouts: tuple[tuple[str, int], ...]
    """sysctl names below net.netfilter and their seconds, sorted."""
    tcp_be_liberal: bool


def conntrack_plan(conntrack: Conntrack) -> ConntrackPlan:
    """The kernel's numbers for the declared maximum."""
    wanted = -(-conntrack.max_entries // ENTRIES_PER_BUCKET)
    buckets = -(-wanted // BUCKETS_PER_PAGE) * BUCKETS_PER_PAGE
    timeouts = {
        "nf_conntrack_tcp_timeout_established": conntrack.tcp_established_s,
        "nf_conntrack_tcp_timeout_close_wait": conntrack.tcp_close_wait_s,
        "nf_conntrack_udp_timeout": conntrack.udp_s,
        "nf_conntrack_udp_timeout_stream": conntrack.udp_stream_s,
    }
    return ConntrackPlan(
        max_entries=conntrack.max_entries,
        buckets=buckets,
        timeouts=tuple(sorted(timeouts.items())),
        tcp_be_liberal=conntrack.tcp_be_liberal,
    )
