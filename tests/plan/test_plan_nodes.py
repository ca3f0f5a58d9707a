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
from settings.forms import parse_cpu_set
from tests.settings.documents import STACKS, Tree, minimal, stack

HOSTS = ("kvm1", "kvm2", "kvm3")
PLACEMENTS = (("kvm1",), ("kvm1", "kvm2", "kvm3"), ("kvm3", "kvm1"))


def hypervisor(name: str) -> Tree:
    return {
        "uri": f"qemu+ssh://root@{name}.example/system",
        "location": {"country": "NO", "site": f"site-{name}"},
        "network": {"bridge": "br0"},
        "pool": {"name": "default", "kind": "dir"},
        "machine_cpus": "4-7,10-99",
        "emulator_cpus": "0-3",
    }


def pool(count: int, placement: tuple[str, ...], first_host: int, cpus: str | None = None) -> Tree:
    return {
        "count": count,
        "vcpus": 3,
        "memory_mib": 16384,
        "disk": {"size_gib": 20},
        "placement": list(placement),
        "first_host": first_host,
        "cpus": cpus,
    }


def document(counts: tuple[int, int, int], placement: tuple[str, ...], *, own_cpus: bool = True) -> Tree:
    """Three hypervisors, three control planes or one, and two pools over `placement`."""
    return minimal(
        hypervisors={name: hypervisor(name) for name in HOSTS},
        control_plane={"count": counts[0], "placement": list(HOSTS), "cpus": "4-7" if own_cpus else None},
        workers={
            "worker": pool(counts[1], placement, 21, "10-39" if own_cpus else None),
            "extra": pool(counts[2], HOSTS, 61, "40-69" if own_cpus else None),
        },
    )


SHAPES = list(product([(1, 0, 0), (1, 2, 5), (3, 6, 1), (3, 9, 9)], PLACEMENTS, [True, False]))


def made(source: Tree) -> plan.Plan:
    return plan.make(load(source))


@pytest.mark.parametrize(("counts", "placement", "own_cpus"), SHAPES)
def test_nothing_is_used_twice(counts: tuple[int, int, int], placement: tuple[str, ...], *, own_cpus: bool) -> None:
    shape = made(document(counts, placement, own_cpus=own_cpus))
    assert len(shape.nodes) == sum(counts)
    endpoint, gateway = shape.settings.cluster.endpoint.address, shape.settings.network.gateway
    for values in (
        [node.name for node in shape.nodes],
        [node.mac for node in shape.nodes],
        [node.address for node in shape.nodes] + [endpoint, gateway],
    ):
        assert len(set(values)) == len(values)
    for name, host in shape.settings.hypervisors.items():
        pins = [cpu for node in shape.nodes_on(name) for cpu in node.cpu_pins]
        assert len(pins) == len(set(pins))
        assert set(pins) <= set(parse_cpu_set(host.machine_cpus or ""))
    for node in shape.nodes:
        assert len(node.cpu_pins) == node.vcpus
        assert node.address in shape.settings.network.cidr


@pytest.mark.parametrize(("counts", "placement", "own_cpus"), SHAPES)
def test_machines_are_spread_evenly(counts: tuple[int, int, int], placement: tuple[str, ...], *, own_cpus: bool) -> None:
    shape = made(document(counts, placement, own_cpus=own_cpus))
    for name, node_set in shape.settings.node_sets().items():
        carried = Counter(dict.fromkeys(node_set.placement, 0))
        carried.update(node.hypervisor for node in shape.nodes if node.node_set == name)
        assert set(carried) == set(node_set.placement)
        assert max(carried.values()) - min(carried.values()) <= 1


GROWN = {"control_plane": ((1, 2, 5), (3, 2, 5)), "worker": ((3, 2, 5), (3, 3, 5)), "extra": ((3, 2, 5), (3, 2, 6))}


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("before", "after"), GROWN.values(), ids=GROWN.keys())
def test_growing_a_set_changes_no_other_machine(before: tuple[int, int, int], after: tuple[int, int, int], placement: tuple[str, ...]) -> None:
    small = {node.name: node for node in made(document(before, placement)).nodes}
    large = {node.name: node for node in made(document(after, placement)).nodes}
    assert len(large) == sum(after)
    assert {name: large[name] for name in small} == small


def test_growing_moves_pins_of_later_sets_only_where_the_warning_says_so() -> None:
    def named(counts: tuple[int, int, int]) -> dict[str, plan.NodePlan]:
        return {node.name: node for node in made(document(counts, ("kvm1",), own_cpus=False)).nodes}

    small, large = named((3, 2, 5)), named((3, 3, 5))
    moved = {name for name in small if small[name] != large[name]}
    assert moved == {"small-extra-1", "small-extra-4"}, "machines of a later set on the same hypervisor"
    shared = [problem.path for problem in load(document((3, 2, 5), ("kvm1",), own_cpus=False)).warnings() if "shared" in problem.message]
    assert "hypervisors.kvm1.machine_cpus" in shared


def test_a_set_without_cpus_takes_what_the_others_leave() -> None:
    source = document((3, 2, 3), HOSTS)
    source["workers"]["extra"]["cpus"] = None
    taken = {
        name: [cpu for node in made(source).nodes_on("kvm1") if node.node_set == name for cpu in node.cpu_pins] for name in ("cp", "worker", "extra")
    }
    assert taken == {"cp": [4, 5], "worker": [10, 11, 12], "extra": [40, 41, 42]}


def test_nothing_is_pinned_where_no_cpus_are_kept() -> None:
    assert all(node.cpu_pins == () for node in made(minimal()).nodes)


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
