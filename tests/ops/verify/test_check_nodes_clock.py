"""nodes.clock: declared servers asked directly, and chrony's own word."""

import pytest

from ops.verify.checks import nodes_clock
from ops.verify.model import Seen
from plan import Plan
from tests.ops.verify.made_seen import CP, WORKER, findings, found, lab_plan, seen_with, statuses, unreachable

CLOCK = nodes_clock.CHECKS[0]
# chronyc 4.3 -c tracking
TRACKING = "0A4D0001,10.77.0.1,9,1795448563.118127346,0.000012346,-0.000004512,0.000017735,-4.262,-0.001,0.045,0.000412117,0.001097210,64.4,Normal"
SERVERS = "10.77.0.1 0.001203 0.000842"
PASSED = {CP: "passed", WORKER: "passed"}


REAL = lab_plan(hypervisors__local__domain_type="kvm")


def seen(plan: Plan = REAL, /, **changes: str | None) -> Seen:
    own: dict[str, str | None] = {"servers": SERVERS, "tracking": TRACKING}
    return seen_with(plan, "node-clock", own, others={WORKER: {**own, **changes}})


def test_a_clock_in_time_passes_with_its_offset() -> None:
    said = findings(CLOCK, seen())
    assert {where: finding.status for where, finding in said.items()} == PASSED
    assert said[CP].found == "1.2 ms behind 10.77.0.1"
    assert [(figure.name, figure.value, figure.limit) for figure in said[CP].figures] == [("clock offset", 1.203, 500)]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"servers": "10.77.0.1 -5.001203 0.000842"}, "5 s ahead of 10.77.0.1, limit 500 ms"),
        ({"servers": "10.77.0.1 0.612 0.000842"}, "612 ms behind 10.77.0.1, limit 500 ms"),
        ({"servers": "10.77.0.1 failed timed out"}, "10.77.0.1 does not answer (timed out)"),
        ({"tracking": TRACKING.replace("Normal", "Not synchronised")}, "chrony is not synchronised"),
        ({"tracking": None}, "chrony: tracking ended with 1: no such thing"),
        ({"tracking": "506 Cannot talk to daemon"}, "chrony says '506 Cannot talk to daemon' of itself"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, str | None], says: str) -> None:
    assert found(CLOCK, seen(**changes), WORKER) == says
    assert statuses(CLOCK, seen(**changes))[CP] == "passed"


def test_an_emulated_clock_may_lag_by_ten_times_as_much() -> None:
    emulated = lab_plan()
    assert statuses(CLOCK, seen(emulated, servers="10.77.0.1 0.791 0.000842")) == PASSED
    assert found(CLOCK, seen(emulated, servers="10.77.0.1 -10.01 0.000842"), WORKER) == "10 s ahead of 10.77.0.1, limit 5000 ms"


def test_a_slow_way_to_the_server_is_not_taken_for_an_offset() -> None:
    assert statuses(CLOCK, seen(servers="10.77.0.1 0.7 0.9")) == PASSED


def test_most_of_the_servers_decide() -> None:
    three = "a 0.001 0.001\nb 9.0 0.001\nc 0.002 0.001"
    assert statuses(CLOCK, seen(servers=three)) == PASSED
    assert statuses(CLOCK, seen(servers=f"{three}\nd failed refused")) == PASSED


def test_who_cannot_be_asked_is_not_checked() -> None:
    assert findings(CLOCK, unreachable(seen(), WORKER))[WORKER].found == "no route to host"
    assert statuses(CLOCK, seen(servers=None))[WORKER] == "not checked"
    assert statuses(CLOCK, seen(servers="python3: not found"))[WORKER] == "not checked"
