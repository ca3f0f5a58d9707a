"""`ops hypervisor describe`: topologies of many shapes, each core of which comes back from the printed block."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ops.hypervisor.topology import topology
from settings.hypervisor import Hypervisor
from tests.ops.hypervisor.made_answers import answers, read, said, text
from tests.ops.hypervisor.made_capabilities import ADJACENT, FOUR_NODES, INTERLEAVED, MEMORY_ALONE, ONE_SOCKET, SHAPES, Node, capabilities, numbered
from tests.ops.hypervisor.made_devices import Domain

SCHEMA = Path("/usr/share/libvirt/schemas/capability.rng")
KIB = {"2M": 2048, "1G": 1048576}
OWN = {"location": {"country": "NO", "site": "osl1"}, "network": {"bridge": "br0"}, "pool": {"name": "nvme", "kind": "dir"}}
"""What libvirt does not know."""
ODD: dict[str, dict[int, Node]] = {
    "one off": {0: Node(cores=numbered(4, 0), off=[4])},
    "some second threads off": {0: Node(cores=[*numbered(2, 0, 4), (2,), (3,)], off=[6, 7])},
    "hybrid": {0: Node(cores=[*numbered(2, 0, 1, step=2), (4,), (5,)])},
    "crossed": {0: Node(cores=[(0, 5), (1, 4), (2, 7), (3, 6)])},
}


@pytest.mark.skipif(shutil.which("xmllint") is None or not SCHEMA.exists(), reason="no xmllint with libvirt's schemas")
@pytest.mark.parametrize("nodes", [*SHAPES.values(), *ODD.values()], ids=[*SHAPES, *ODD])
def test_the_made_up_hosts_are_what_libvirt_can_say(nodes: Mapping[int, Node], tmp_path: Path) -> None:
    made = tmp_path / "capabilities.xml"
    made.write_text(capabilities(nodes))
    done = subprocess.run(["xmllint", "--noout", "--relaxng", SCHEMA, made], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("nodes", SHAPES.values(), ids=SHAPES)
def test_every_core_comes_back_through_the_settings(nodes: Mapping[int, Node]) -> None:
    declared = Hypervisor.model_validate({**read(answers(nodes)), **OWN})
    assert declared.topology is not None
    assert declared.topology.nodes.keys() == {number for number, node in nodes.items() if node.cores}
    for number, numa in declared.topology.nodes.items():
        assert numa.cores == tuple(sorted(nodes[number].cores))
        assert (numa.socket, numa.memory_mib) == (nodes[number].socket, nodes[number].memory_mib)
        assert {KIB[size]: pages for size, pages in numa.hugepages.items()} == nodes[number].pages


def test_numbers_with_a_gap_are_written() -> None:
    nodes = {0: FOUR_NODES[0], 1: MEMORY_ALONE[2], 2: FOUR_NODES[1], 8: replace(FOUR_NODES[2], memory_mib=0)}
    assert [node.get("id") for node in read(answers(nodes))["topology"]["numa"]] == [None, 2]
    assert "# NUMA node 8 is left out: it has CPUs 32-47,96-111 and 0 MiB\n" in text(answers(nodes))
    assert "# topology is left out: no NUMA node has both" in text(answers({1: MEMORY_ALONE[2], 8: nodes[8]}))


def test_one_line_says_what_it_is_in_all() -> None:
    assert "# 2 sockets, 2 NUMA nodes, 32 cores of 2 threads each\n" in text(answers(INTERLEAVED))
    assert "# 1 socket, 1 NUMA node, 8 cores of 1 thread each\n" in text(answers(ONE_SOCKET))
    assert "# 2 sockets, 2 NUMA nodes, 8 cores of 2 threads each\n" in text(answers(MEMORY_ALONE))
    assert "# NUMA node 2 is left out: it has 262144 MiB and no CPU\n" in text(answers(MEMORY_ALONE))


def test_the_first_core_of_each_node_is_proposed_for_the_host() -> None:
    assert read(answers(INTERLEAVED))["reserved_cpus"] == "0,16,32,48"
    assert read(answers(ADJACENT))["reserved_cpus"] == "0-1"
    assert read(answers(FOUR_NODES))["reserved_cpus"] == "0,16,32,48,64,80,96,112"
    assert read(answers(ONE_SOCKET))["reserved_cpus"] == "0"


def test_a_core_to_which_a_tenant_is_held_is_not_proposed() -> None:
    pinned = {"db-1": Domain(vcpus=4, pins={0: "0", 1: "32", 2: "1", 3: "33"})}
    assert read(answers(INTERLEAVED, domains=pinned))["reserved_cpus"] == "2,16,34,48"
    assert "# on NUMA node 0 tenants are held to the cores before CPU 2\n" in text(answers(INTERLEAVED, domains=pinned))
    everywhere = {"db-1": Domain(vcpus=2, cpuset="0-7")}
    assert "reserved_cpus" not in read(answers(ONE_SOCKET, domains=everywhere))
    assert "on NUMA node 0 a tenant is held to every core" in text(answers(ONE_SOCKET, domains=everywhere))


def test_a_cpu_that_is_switched_off_is_left_out_and_named() -> None:
    found = read(answers(ODD["one off"]))
    assert found["topology"]["numa"][0]["threads"] == ["0-3"]
    assert "# CPUs 4 of NUMA node 0 are switched off and left out\n" in text(answers(ODD["one off"]))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("some second threads off", "cores of 1 and 2 threads (1: CPUs 2-3); switch all threads on, or all second ones off"),
        ("hybrid", "cores of 1 and 2 threads (1: CPUs 4-5)"),
        ("crossed", "its cores number their threads in several orders, such as 5, 4, 7, 6"),
    ],
)
def test_a_topology_that_cannot_be_declared_is_left_out_with_the_reason(shape: str, words: str) -> None:
    assert "topology" not in read(answers(ODD[shape]))
    assert f"# topology is left out: NUMA node 0: {words}" in text(answers(ODD[shape]))


def test_pages_of_a_size_that_nobody_can_declare_are_a_comment() -> None:
    node = replace(ONE_SOCKET[0], pages={32768: 4, 2048: 8})
    assert read(answers({0: node}))["topology"]["numa"][0]["hugepages"] == {"2M": 8}
    assert "# NUMA node 0 reserves 4 pages of 32768 KiB, which machines cannot be declared to use\n" in text(answers({0: node}))


@pytest.mark.parametrize(
    "words", ["", "<capabilities/>", "<capabilities><host><topology><cells num='1'><cell id='0'/></cells></topology></host>", "\0"]
)
def test_an_answer_without_cpus_is_no_topology(words: str) -> None:
    found = topology(said(words))
    assert found.nodes == ()
    assert found.why_not
