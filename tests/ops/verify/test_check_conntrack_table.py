"""conntrack.maximum, .hash, .timeouts, .headroom and .losses."""

import pytest

from ops.verify.checks import conntrack_table
from ops.verify.model import Check, Seen
from tests.ops.verify.made_seen import CP, WORKER, findings, found, lab_plan, named, seen_with, statuses, unreachable

MAXIMUM, HASH, TIMEOUTS, HEADROOM, LOSSES = (
    named(f"conntrack.{name}", conntrack_table.CHECKS) for name in ("maximum", "hash", "timeouts", "headroom", "losses")
)
OF_VALUES = (MAXIMUM, HASH, TIMEOUTS, HEADROOM)
VALUES = {
    "nf_conntrack_max": "131072",
    "nf_conntrack_tcp_timeout_close_wait": "3600",
    "nf_conntrack_tcp_timeout_established": "86400",
    "nf_conntrack_udp_timeout": "30",
    "nf_conntrack_udp_timeout_stream": "120",
    "nf_conntrack_tcp_be_liberal": "0",
    "nf_conntrack_count": "412",
    "nf_conntrack_buckets": "32768",
}
# conntrack 1.4.7 on Linux 6.1, two CPUs
STATISTICS = """\
cpu=0   \tfound=2 invalid=14 insert=0 insert_failed=0 drop=0 early_drop=0 error=1 search_restart=0 clash_resolve=0 chaintoolong=0
cpu=1   \tfound=9 invalid=3 insert=0 insert_failed=1 drop=0 early_drop=0 error=0 search_restart=0 clash_resolve=2 chaintoolong=0"""
PASSED = {CP: "passed", WORKER: "passed"}


def seen(**changes: str) -> Seen:
    def text(values: dict[str, str]) -> dict[str, str | None]:
        return {"values": "\n".join(f"net.netfilter.{name} {value}" for name, value in values.items())}

    return seen_with(lab_plan(), "conntrack", text(VALUES), others={WORKER: text({**VALUES, **changes})})


def losses(after: str | None = STATISTICS, before: str | None = STATISTICS) -> Seen:
    own: dict[str, str | None] = {"before": STATISTICS, "after": STATISTICS}
    return seen_with(lab_plan(), "conntrack-losses", own, others={WORKER: {"before": before, "after": after}})


@pytest.mark.parametrize("check", OF_VALUES)
def test_a_table_as_declared_passes(check: Check) -> None:
    assert statuses(check, seen()) == PASSED


@pytest.mark.parametrize(
    ("check", "changes", "says"),
    [
        (MAXIMUM, {"nf_conntrack_max": "65536"}, "net.netfilter.nf_conntrack_max is 65536, declared 131072"),
        (HASH, {"nf_conntrack_buckets": "4096"}, "the hash has 4096 buckets, declared 32768"),
        (TIMEOUTS, {"nf_conntrack_udp_timeout": "300"}, "net.netfilter.nf_conntrack_udp_timeout is 300, declared 30"),
        (TIMEOUTS, {"nf_conntrack_tcp_be_liberal": "1"}, "net.netfilter.nf_conntrack_tcp_be_liberal is 1, declared 0"),
        (HEADROOM, {"nf_conntrack_count": "98305"}, "98305 of 131072 in use (75%), limit 75%"),
    ],
)
def test_what_differs_is_named_by_one_check(check: Check, changes: dict[str, str], says: str) -> None:
    assert found(check, seen(**changes), WORKER) == says
    assert statuses(check, seen(**changes))[CP] == "passed"
    for other in OF_VALUES:
        if other is not check:
            assert statuses(other, seen(**changes)) == PASSED


def test_headroom_is_measured_against_what_the_kernel_has() -> None:
    said = findings(HEADROOM, seen(nf_conntrack_count="60000", nf_conntrack_max="65536"))[WORKER]
    assert said.status == "failed"
    assert [(figure.value, figure.limit) for figure in said.figures] == [(60000, 49152)]


def test_what_was_lost_before_is_a_figure_and_what_is_lost_now_a_failure() -> None:
    said = findings(LOSSES, losses())
    assert {where: finding.status for where, finding in said.items()} == PASSED
    assert said[CP].found == "nothing in 5 s; since boot: drop 0, early_drop 0, insert_failed 1, chaintoolong 0"
    assert {figure.name: figure.value for figure in said[CP].figures}["insert_failed since boot"] == 1


@pytest.mark.parametrize("name", ["drop", "early_drop", "insert_failed", "chaintoolong"])
def test_each_kind_of_loss_is_named(name: str) -> None:
    grown = STATISTICS.replace(f" {name}=0", f" {name}=7", 1)
    assert found(LOSSES, losses(grown), WORKER).startswith(f"{name} grew by 7 in 5 s: ")
    assert statuses(LOSSES, losses(grown))[CP] == "passed"


def test_a_kernel_without_connection_tracking_is_not_checked() -> None:
    without = seen(**dict.fromkeys(VALUES, "absent"))
    for check in (MAXIMUM, HASH, HEADROOM):
        assert statuses(check, without)[WORKER] == "not checked"
    assert statuses(TIMEOUTS, without)[WORKER] == "failed"


def test_who_cannot_be_asked_is_not_checked() -> None:
    for check in OF_VALUES:
        assert statuses(check, unreachable(seen(), WORKER))[WORKER] == "not checked"
        nothing = seen_with(lab_plan(), "conntrack", {"values": None})
        assert statuses(check, nothing) == {CP: "not checked", WORKER: "not checked"}
    assert statuses(LOSSES, unreachable(losses(), WORKER))[WORKER] == "not checked"
    for strange in (losses(after=None), losses(before=None), losses(after="conntrack: command not found"), losses(before="cpu=0 found=1")):
        assert statuses(LOSSES, strange) == {CP: "passed", WORKER: "not checked"}
