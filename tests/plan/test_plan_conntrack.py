"""Connection tracking: the numbers in the plan are those that the kernel will report, and never too small a hash."""

import pytest

from plan.conntrack import conntrack_plan
from settings.node import Conntrack

PAGE_BYTES, BUCKET_BYTES = 4096, 8

VALUES = [
    65_536,
    65_537,
    67_583,
    67_584,
    131_072,
    200_000,
    262_143,
    262_144,
    262_145,
    999_999,
    1_000_000,
    1_048_576,
    2_097_152,
    9_999_999,
    16_777_216,
]


def as_the_kernel_allocates(buckets: int) -> int:
    """nf_ct_alloc_hashtable (net/netfilter/nf_conntrack_core.c): nr_slots = roundup(buckets, PAGE_SIZE / sizeof(struct hlist_nulls_head))."""
    slots = PAGE_BYTES // BUCKET_BYTES
    return (buckets + slots - 1) // slots * slots


@pytest.mark.parametrize("entries", [*VALUES, *range(70_000, 75_000, 97), *range(3_000_001, 3_002_100, 61)])
def test_the_hash_size_is_one_that_the_kernel_leaves_as_it_is(entries: int) -> None:
    made = conntrack_plan(Conntrack(max_entries=entries))
    assert made.buckets == as_the_kernel_allocates(made.buckets)
    assert made.max_entries == entries


@pytest.mark.parametrize("entries", [*VALUES, *range(70_000, 75_000, 97)])
def test_a_bucket_has_four_entries_at_most_and_no_page_is_wasted(entries: int) -> None:
    buckets = conntrack_plan(Conntrack(max_entries=entries)).buckets
    assert entries / buckets <= 4, "more lose new connections (measured: chaintoolong)"
    assert entries / (buckets - PAGE_BYTES // BUCKET_BYTES) > 4, "a page less would do"


def test_each_timeout_goes_to_the_sysctl_of_its_name() -> None:
    declared = Conntrack(tcp_established_s=7_200, tcp_close_wait_s=61, udp_s=31, udp_stream_s=181, tcp_be_liberal=True)
    made = conntrack_plan(declared)
    assert dict(made.timeouts) == {
        "nf_conntrack_tcp_timeout_established": 7_200,
        "nf_conntrack_tcp_timeout_close_wait": 61,
        "nf_conntrack_udp_timeout": 31,
        "nf_conntrack_udp_timeout_stream": 181,
    }
    assert made.tcp_be_liberal
    assert list(made.timeouts) == sorted(made.timeouts)


def test_the_memory_estimate_is_the_measured_one() -> None:
    assert Conntrack(max_entries=200_000).full_table_mib == pytest.approx(85e6 / 2**20, rel=0.02)  # 85 MB for 200,000 (facts/data-plane.md)
