"""The pods' checks on a real link between two namespaces with real BIRDs: all pass, and each fault of the table is named where it is, and only it."""

import shutil
import time
from collections.abc import Iterator

import pytest
from two_nodes import Node, bad, looked_at, two_nodes, words

from ops.verify.checks import pods_devices, pods_mtu, pods_routes, pods_sessions, pods_wire
from ops.verify.model import Finding
from tests.ops.verify.sabotage import Sabotage, filled
from tests.ops.verify.sabotage_pods import SABOTAGES

pytestmark = pytest.mark.engine

LINK = () if shutil.which("tcpdump") is None else pods_wire.CHECKS
CHECKS = (*pods_devices.CHECKS, *pods_mtu.CHECKS, *pods_routes.CHECKS, *pods_sessions.CHECKS, *LINK)
IDS = {check.id for check in CHECKS}
FAULTS = [fault for fault in SABOTAGES if fault.where == "node" and fault.names <= {*IDS, "pods.wire", "pods.source"} and fault.names & IDS]
CONVERGED_S = 90.0


def settled(nodes: dict[str, Node]) -> list[Finding]:
    """What is still bad after BGP has had time."""
    until = time.monotonic() + CONVERGED_S
    while (left := bad(looked_at(nodes, CHECKS))) and time.monotonic() < until:
        time.sleep(1)
    return left


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Node]]:
    with two_nodes(tmp_path_factory.mktemp("two-nodes")) as found:
        assert settled(found) == []
        yield found


def test_the_table_has_faults_of_every_check_that_can_be_had_here() -> None:
    assert {name for fault in FAULTS for name in fault.names} >= IDS - {"pods.source", "pods.wire"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named_where_it_is_and_nothing_else_is(nodes: dict[str, Node], fault: Sabotage) -> None:
    one, other = nodes.values()
    broken = one.shell(filled(fault.breaks, **words(one, other)))
    try:
        assert broken.exit_code == 0, broken.output
        time.sleep(3)  # BIRD hears of it
        found = bad(looked_at(nodes, CHECKS))
    finally:
        mended = one.shell(filled(fault.mends, **words(one, other)))
    assert mended.exit_code == 0, mended.output
    named = {finding.check for finding in found}
    assert fault.names & IDS <= named, found
    assert named <= fault.names | fault.may, found
    if not fault.both_ends:
        assert all(one.plan.name in finding.where for finding in found), found
    assert settled(nodes) == []
