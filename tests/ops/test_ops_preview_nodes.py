"""What a summary says of nodes: each change of a plan, told as the engine tells it, in words and by node."""

from collections.abc import Sequence

import pytest

from ops.preview import plain_text
from ops.preview.document import read
from ops.preview.effects import Severity
from ops.preview.summary import Summary, summarise
from plan import Plan
from tests.ops import made_previews as made
from tests.ops.made_previews import Step


def told(steps: Sequence[Step], plan: Plan | None = None) -> Summary:
    return summarise(read(made.document(steps)), plan)


def lines(summary: Summary) -> list[str]:
    return [f"{line.section.value} | {line.subjects}: {line.text}" for line in summary.lines]


def test_more_memory_of_a_worker_is_a_drain_and_keeps_its_disk() -> None:
    old, new = made.plan(), made.plan(workers={"worker": {"memory_mib": 20480}})
    summary = told([step for node in new.workers for step in made.redefined(old, new, node)], new)
    assert lines(summary) == [
        "Nodes | small-worker-1, small-worker-2: machine replaced because memory changed (16384 → 20480 MiB): it will be drained first; its disk stays"
    ]
    assert summary.severity is Severity.REPLACEMENTS
    assert summary.cost.lines == ("2 nodes of set worker drained and rebooted, 1 at a time",)
    timeouts = new.settings.cluster.timeouts
    assert summary.cost.at_most_s == 2 * (timeouts.drain_s + timeouts.boot_s + timeouts.ready_s)


def test_the_only_control_plane_takes_the_api_with_it() -> None:
    old, new = made.plan(), made.plan(control_plane={"memory_mib": 9216})
    summary = told(made.redefined(old, new, new.control_planes[0]), new)
    assert "it is the only control plane: the API stops meanwhile" in lines(summary)[0]


def test_the_more_may_be_missing_the_faster_it_goes() -> None:
    one, two = (made.plan(workers={"worker": {"memory_mib": 20480, "max_unavailable": width}}) for width in (1, 2))
    costs = [told([step for node in new.workers for step in made.redefined(made.plan(), new, node)], new).cost for new in (one, two)]
    assert costs[0].expected_s == 2 * costs[1].expected_s
    assert costs[1].lines == ("2 nodes of set worker drained and rebooted, 2 at a time",)


def test_a_larger_connection_table_is_data_plane_and_in_place() -> None:
    old, new = made.plan(), made.plan(node={"conntrack": {"max_entries": 2097152}})
    summary = told(made.prepared(old, new), new)
    text = "connection tracking: entries 1048576 → 2097152 (hash 262144 → 524288 buckets); set live, no machine is touched and kube-proxy does not restart"
    assert lines(summary) == [f"Data plane | small-cp-1, small-worker-1, small-worker-2: {text}"]
    assert summary.severity is Severity.IN_PLACE


def test_a_smaller_one_says_what_that_does() -> None:
    summary = told(made.prepared(made.plan(), made.plan(node={"conntrack": {"max_entries": 65536}})))
    assert "smaller than before: a node that tracks more already takes no new connection" in lines(summary)[0]


PREPARED = {
    "a time server": ({"node": {"time": {"servers": ["10.20.0.2"]}}}, "/etc/chrony/chrony.conf changed: chrony restarts", Severity.RESTARTS),
    "a login": (
        {"node": {"access": {"authorized_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJfSH3WYBrbZeBBKSCBdF0Lt0aQMYPLCTIQ3cs5bVqjY a"]}}},
        "who may log in as root changes",
        Severity.IN_PLACE,
    ),
    "a sysctl": ({"node": {"sysctls": {"vm.swappiness": "10"}}}, "sysctl vm.swappiness the kernel's own → 10, set live", Severity.IN_PLACE),
    "a module": ({"node": {"modules": ["sctp"]}}, "kernel modules loaded: sctp", Severity.IN_PLACE),
    "a version without its image": (
        {"cluster": {"kubernetes_version": "1.36.4"}},
        "Kubernetes 1.36.3 → 1.36.4 without a new image: the node will refuse it and `up` will stop",
        Severity.REFUSED,
    ),
}


@pytest.mark.parametrize("case", PREPARED)
def test_what_prepare_changes_is_said_value_by_value(case: str) -> None:
    areas, expected, severity = PREPARED[case]
    new = made.plan(**areas)
    summary = told(made.prepared(made.plan(), new), new)
    assert [line for line in lines(summary) if expected in line], lines(summary)
    assert summary.severity is severity


def test_a_removed_sysctl_stays_until_the_next_boot() -> None:
    summary = told(made.prepared(made.plan(node={"sysctls": {"vm.swappiness": "10"}}), made.plan()))
    assert "10 → the kernel's own, no longer declared; the running kernel keeps it until the next boot" in lines(summary)[0]


def test_the_links_mtu_is_data_plane_and_replaces_machines() -> None:
    old, new = made.plan(), made.plan(network={"mtu": 9000})
    summary = told(made.seeds(old, new), new)
    assert lines(summary)[0] == "Data plane | small-cp-1, small-worker-1, small-worker-2: MTU of the link 1500 → 9000"
    assert "machine replaced because network configuration: mtu 1500 → 9000: it will be drained first" in lines(summary)[-1]


def test_a_node_that_comes_touches_nothing_else() -> None:
    new = made.plan(workers={"worker": {"count": 3}})
    summary = told(made.whole_node("create", new.workers[2]), new)
    assert lines(summary) == ["Nodes | small-worker-3: new node: made, prepared, joined to the cluster"]
    assert summary.severity is Severity.IN_PLACE


def test_a_node_that_goes_is_drained_and_leaves() -> None:
    summary = told(made.whole_node("delete", made.plan().workers[1]), made.plan(workers={"worker": {"count": 1}}))
    assert lines(summary) == [
        "Nodes | small-worker-2: leaves the cluster: it will be drained first, then its Node object goes; its machine, disk and seed are deleted"
    ]
    assert summary.severity is Severity.REPLACEMENTS


def test_a_control_plane_that_goes_takes_its_etcd_member_along() -> None:
    three = made.plan(control_plane={"count": 3})
    assert "its etcd member is removed" in lines(told(made.whole_node("delete", three.control_planes[2])))[0]


def test_a_new_disk_is_a_node_built_anew() -> None:
    node, kind = made.plan().workers[0], "libvirt:index/volume:Volume"
    old, new = made.plan(), made.plan(workers={"worker": {"disk": {"size_gib": 100}}})
    sizes = [{"size": gib * 2**30} for gib in (80, 100)]
    volume = made.step("replace", made.MACHINE, kind, f"{node.name}-root", *sizes, owner=node.name, replaceReasons=["size"])
    summary = told([volume, *made.redefined(old, new, node, "disks")], new)
    assert lines(summary) == [
        (
            "Nodes | small-worker-1: machine built anew because its disk size changed (80 → 100 GiB): it will be drained first, leaves the cluster, "
            "and joins again on an empty disk"
        )
    ]


def test_protected_disks_are_named_with_the_way_to_lift_it() -> None:
    node = made.plan().control_planes[0]
    name = f"{node.name}-root"
    kind = "libvirt:index/volume:Volume"
    sides = ({"size": 1}, {"size": 2})
    summary = told(
        [made.step("replace", made.MACHINE, kind, name, *sides, owner=node.name, old_protect=True, new_protect=True, replaceReasons=["size"])]
    )
    found = [line for line in lines(summary) if line.startswith("Protected")]
    assert found == [
        (
            f"Protected | {name}: is protected and would be replaced: `up` stops. Where that is what you want: "
            "protection.control_plane_disks: false, for this `up`"
        )
    ]
    assert summary.severity is Severity.REFUSED


def test_labels_change_in_place_and_a_new_no_execute_taint_evicts() -> None:
    sides = [{"connection": {"host": "a"}, "stdin": f"taints() {{ printf %s '{taints}'; }}\n"} for taints in ("[]", '[{"effect":"NoExecute"}]')]
    summary = told([made.step("update", made.SEAT, made.COMMAND, "small-worker-1-member", *sides, owner="small-worker-1")])
    assert lines(summary) == [
        "Nodes | small-worker-1: labels, annotations or taints of its Node object change; a new NoExecute taint evicts pods at once"
    ]


def test_hundreds_of_nodes_are_one_line() -> None:
    fleet = {"network": {"cidr": "10.20.0.0/16"}, "hypervisors": made.hosts(26)}
    old = made.plan(**fleet, workers={"worker": {"count": 300}})
    new = made.plan(**fleet, workers={"worker": {"count": 300, "memory_mib": 20480, "max_unavailable": 10}})
    summary = told([step for node in new.workers for step in made.redefined(old, new, node)], new)
    assert [line.subjects for line in summary.lines] == ["small-worker-1 ... small-worker-300 (300)"]
    assert summary.cost.lines == ("300 nodes of set worker drained and rebooted, 10 at a time",)
    assert len(plain_text.write(summary)) < 1000
