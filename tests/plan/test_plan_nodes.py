"""Properties that every plan has: nothing is used twice, nobody is moved by another's growth."""

from collections import Counter
from dataclasses import FrozenInstanceError
from ipaddress import IPv4Address
from itertools import product
from typing import Any

import pytest

import plan
from plan.node import mac_of
from settings import load
from settings.forms import cpu_ranges
from tests.settings.documents import STACKS, Tree, minimal, stack

HOSTS = ("kvm1", "kvm2", "kvm3")
PLACEMENTS = (("kvm1",), ("kvm1", "kvm2", "kvm3"), ("kvm3", "kvm1"))


def hypervisor(name: str) -> Tree:
    """Two NUMA nodes of 24 cores with two threads each, one core of both for the host."""
    return {
        "uri": f"qemu+ssh://root@{name}.example/system",
        "location": {"country": "NO", "site": f"site-{name}", "rack": f"rack-{name}"},
        "network": {"bridge": "br0"},
        "pool": {"name": "default", "kind": "dir"},
        "topology": {
            "numa": [
                {"socket": 0, "threads": ["0-23", "48-71"], "memory_mib": 393216, "reserved_memory_mib": 8192},
                {"socket": 1, "threads": ["24-47", "72-95"], "memory_mib": 393216, "reserved_memory_mib": 8192},
            ]
        },
        "reserved_cpus": "0,24,48,72",
    }


def pool(count: int, placement: tuple[str, ...], first_host: int, policy: Tree) -> Tree:
    return {
        "count": count,
        "vcpus": 3,
        "memory_mib": 16384,
        "disk": {"size_gib": 20},
        "cpu_policy": policy,
        "placement": list(placement),
        "first_host": first_host,
    }


def document(counts: tuple[int, int, int], placement: tuple[str, ...], policy: Tree | None = None) -> Tree:
    """Three hypervisors, three control planes or one, and two pools, one of them over `placement`."""
    return minimal(
        hypervisors={name: hypervisor(name) for name in HOSTS},
        control_plane={"count": counts[0]},
        workers={"worker": pool(counts[1], placement, 21, policy or {}), "extra": pool(counts[2], HOSTS, 61, policy or {})},
    )


POLICIES: dict[str, Tree] = {"pairs": {}, "alone": {"threads": "alone"}}
SHAPES = list(product([(1, 0, 0), (1, 2, 5), (3, 6, 1), (3, 9, 9)], PLACEMENTS, POLICIES))


def made(source: Tree) -> plan.Plan:
    return plan.make(load(source))


@pytest.mark.parametrize(("counts", "placement", "policy"), SHAPES)
def test_nothing_is_used_twice(counts: tuple[int, int, int], placement: tuple[str, ...], policy: str) -> None:
    shape = made(document(counts, placement, POLICIES[policy]))
    assert len(shape.nodes) == sum(counts)
    endpoint, gateway = shape.settings.cluster.endpoint.address, shape.settings.network.gateway
    for values in (
        [node.name for node in shape.nodes],
        [node.mac for node in shape.nodes],
        [node.address for node in shape.nodes] + [endpoint, gateway],
    ):
        assert len(set(values)) == len(values)
    for name, host in shape.settings.hypervisors.items():
        pins = [cpu for node in shape.nodes_on(name) for cpu in node.own_cpus]
        assert host.topology is not None
        assert len(pins) == len(set(pins))
        assert set(pins) <= host.topology.cpus - host.reserved
    for node in shape.nodes:
        assert len(node.own_cpus) == node.vcpus == len(node.vcpu_pins)
        assert node.address in shape.settings.network.cidr


@pytest.mark.parametrize(("counts", "placement", "policy"), SHAPES)
def test_a_dedicated_machine_lives_on_one_numa_node_beside_its_emulator(
    counts: tuple[int, int, int], placement: tuple[str, ...], policy: str
) -> None:
    shape = made(document(counts, placement, POLICIES[policy]))
    for node in shape.nodes:
        host = shape.settings.hypervisors[node.hypervisor]
        assert host.topology is not None
        assert node.numa_node is not None
        near = {cpu for core in host.topology.nodes[node.numa_node].cores for cpu in core}
        assert set(node.own_cpus) <= near
        assert set(node.emulator_cpus) == host.reserved & near


def test_the_guest_sees_the_threads_that_its_vcpus_fill() -> None:
    shape = made(document((1, 1, 1), HOSTS))
    topology = {node.node_set: node.guest_topology for node in shape.nodes}
    assert topology["cp"] == plan.GuestTopology(sockets=1, cores=1, threads=2), "two vCPUs are one core"
    assert topology["worker"] == plan.GuestTopology(sockets=1, cores=3, threads=1), "three vCPUs fill no pairs"
    alone = made(document((1, 1, 1), HOSTS, {"threads": "alone"})).workers[0]
    assert alone.guest_topology == plan.GuestTopology(sockets=1, cores=3, threads=1)
    assert len({core % 48 for core in alone.own_cpus}) == 3, "a core for each vCPU"


def test_shared_machines_float_over_the_shared_cpus_and_emulated_ones_over_all() -> None:
    source = document((1, 2, 2), HOSTS, {"kind": "shared", "overcommit": 1.5})
    for name in HOSTS:
        source["hypervisors"][name]["shared_cpus"] = "1-2,49-50"
    source["workers"]["extra"]["cpu_policy"] = {"kind": "emulated"}
    for node in made(source).workers:
        assert node.own_cpus == ()
        assert (node.numa_node, node.guest_topology) == (None, None)
        shared = node.node_set == "worker"
        assert node.vcpu_pins == (((1, 2, 49, 50),) * 3 if shared else ())
        assert node.emulator_cpus == ((0, 24, 48, 72) if shared else ())


@pytest.mark.parametrize(("counts", "placement", "policy"), SHAPES)
def test_machines_are_spread_evenly(counts: tuple[int, int, int], placement: tuple[str, ...], policy: str) -> None:
    shape = made(document(counts, placement, POLICIES[policy]))
    for name, node_set in shape.settings.node_sets().items():
        allowed = node_set.placement or HOSTS
        carried = Counter(dict.fromkeys(allowed, 0))
        carried.update(node.hypervisor for node in shape.nodes if node.node_set == name)
        assert set(carried) == set(allowed)
        assert max(carried.values()) - min(carried.values()) <= 1


GROWN = {"control_plane": ((1, 2, 5), (3, 2, 5)), "worker": ((3, 2, 5), (3, 3, 5)), "extra": ((3, 2, 5), (3, 2, 6))}


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("before", "after"), GROWN.values(), ids=GROWN.keys())
def test_growing_a_set_changes_no_other_machine_once_seats_are_recorded(
    before: tuple[int, int, int], after: tuple[int, int, int], placement: tuple[str, ...]
) -> None:
    small = {node.name: node for node in made(document(before, placement)).nodes}
    recorded = {name: {"hypervisor": node.hypervisor, "cpus": cpu_ranges(set(own_cores(node)))} for name, node in small.items()}
    large = {node.name: node for node in made({**document(after, placement), "placements": recorded}).nodes}
    assert len(large) == sum(after)
    assert {name: large[name] for name in small} == small


def own_cores(node: plan.NodePlan) -> set[int]:
    """Whole cores of a machine on the two-threaded hypervisors of this module."""
    return {thread for cpu in node.own_cpus for thread in (cpu % 48, cpu % 48 + 48)}


def test_growing_moves_later_sets_without_a_record_and_the_warning_says_so() -> None:
    def named(counts: tuple[int, int, int]) -> dict[str, plan.NodePlan]:
        return {node.name: node for node in made(document(counts, ("kvm1",))).nodes}

    small, large = named((3, 2, 5)), named((3, 3, 5))
    moved = {name for name in small if small[name] != large[name]}
    assert moved
    assert moved <= {f"small-extra-{number}" for number in range(1, 6)}, "machines of a later set"
    assert "placements" in [problem.path for problem in load(document((3, 2, 5), ("kvm1",))).warnings()]


def test_data_disks_get_the_drives_that_the_planner_hands_out() -> None:
    source = document((3, 1, 0), HOSTS)
    for name in HOSTS:
        source["hypervisors"][name]["drives"] = {
            "big": {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 1000, "numa": 0},
            "small": {"kind": "nvme", "address": "0000:42:00.0", "size_gib": 400, "numa": 1},
            "passed": {"kind": "pci", "address": "0000:43:00.0", "size_gib": 1000},
        }
    source["control_plane"]["etcd_disk"] = {"kind": "drive", "of": "nvme", "min_size_gib": 100, "queues": 2}
    source["control_plane"]["containerd_disk"] = {"kind": "drive", "of": "pci"}
    source["workers"]["worker"]["containerd_disk"] = {"kind": "volume", "size_gib": 50, "cache": "writeback", "io": "threads"}
    shape = made(source)
    for node in shape.control_planes:
        etcd, containerd = node.disks
        assert etcd.drive == plan.DrivePlan(name="small", kind="nvme", place="0000:42:00.0", size_gib=400, numa=1)
        assert node.numa_node == 1, "where the drive is"
        assert (etcd.mount_point, etcd.target, etcd.serial, etcd.volume, etcd.size_gib) == ("/var/lib/etcd", "vdc", "underlay-etcd", None, 400)
        assert etcd.driver is not None
        assert etcd.driver.queues == 2
        assert (containerd.driver, containerd.target, containerd.serial) == (None, None, None), "QEMU sees nothing of it"
        assert containerd.guest_device != etcd.guest_device
    volume = shape.workers[0].disks[0]
    assert (volume.volume, volume.size_gib, volume.target, volume.drive) == ("small-worker-1-containerd", 50, "vdd", None)
    assert volume.driver is not None
    assert volume.driver.cache == "writeback"


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_the_same_settings_give_the_same_plan(path: Any) -> None:
    assert made(stack(path)) == made(stack(path))


def test_a_plan_is_frozen() -> None:
    shape = made(minimal())
    for owner, field in ((shape, "nodes"), (shape.nodes[0], "address"), (shape.conntrack, "buckets")):
        with pytest.raises(FrozenInstanceError):
            setattr(owner, field, None)


@pytest.mark.parametrize("address", ["10.0.0.1", "10.255.254.253", "192.168.7.200"])
def test_a_mac_is_unicast_locally_administered_and_holds_the_address(address: str) -> None:
    octets = bytes.fromhex(mac_of(IPv4Address(address)).replace(":", ""))
    assert len(octets) == 6
    assert not octets[0] & 1, "multicast"
    assert octets[0] & 2, "a vendor's"
    assert octets[3:] == IPv4Address(address).packed[1:]


def test_macs_stay_distinct_in_the_largest_network() -> None:
    first, last = IPv4Address("10.0.0.1"), IPv4Address("10.255.255.254")
    step = 65_537
    macs = [mac_of(IPv4Address(number)) for number in range(int(first), int(last), step)]
    assert len(set(macs)) == len(macs) > 250


def test_control_planes_come_first_and_only_they_lead() -> None:
    shape = made(document((3, 2, 2), HOSTS))
    assert [node.is_control_plane for node in shape.nodes] == [True] * 3 + [False] * 4
    assert shape.control_planes + shape.workers == shape.nodes


@pytest.mark.parametrize(("workloads", "tainted"), [(False, True), (True, False)])
def test_ordinary_pods_stay_off_control_planes_unless_they_may(*, workloads: bool, tainted: bool) -> None:
    node = made(minimal(control_plane={"workloads": workloads, "taints": [{"key": "own", "effect": "NoExecute"}]})).nodes[0]
    assert [taint.key for taint in node.taints] == ["node-role.kubernetes.io/control-plane"] * tainted + ["own"]


def test_labels_say_where_a_node_stands() -> None:
    shape = made(document((3, 2, 2), HOSTS))
    for node in shape.nodes:
        labels = dict(node.labels)
        assert labels["topology.kubernetes.io/zone"] == f"site-{node.hypervisor}"
        assert labels["underlay.dev/rack"] == f"rack-{node.hypervisor}"
        assert labels["underlay.dev/hypervisor"] == node.hypervisor
        assert labels["underlay.dev/pool"] == node.node_set
        assert list(node.labels) == sorted(node.labels)


@pytest.mark.parametrize(
    ("endpoint", "url"), [({}, "https://10.20.0.10:6443"), ({"name": "api.example", "port": 443}, "https://api.example:443")], ids=["address", "name"]
)
def test_clients_reach_the_api_by_name_where_it_has_one(endpoint: Tree, url: str) -> None:
    assert made(minimal(cluster={"endpoint": endpoint})).api_url == url


def test_service_addresses_are_those_that_kubeadm_takes() -> None:
    shape = made(minimal(cluster={"service_network": "10.97.16.0/20"}))
    assert (str(shape.api_service), str(shape.dns_service)) == ("10.97.16.1", "10.97.16.10")
