"""The ingress in numbers: where each value comes from, what fits memory, what a node must carry, where it runs and is reached."""

from dataclasses import dataclass
from typing import Any

import pytest
import yaml

import plan
from plan.ingress import IngressPlan
from plan.node import TaintPlan
from settings import load
from settings.nginx_buffers import Buffers, busy_for, needed_for
from tests.settings.documents import Tree, merged, minimal

SUM = "3b164b382cccfeae8785e070fbc71ae53d615ad3e03667e2d90f99df8dac3c77"
F5 = f"controller: f5-nginx, manifest: {{ source: f5.yaml, sha256: {SUM} }}"


def made(ingress: Tree, **areas: Any) -> IngressPlan:
    found = plan.make(load(minimal(ingress=ingress, **areas))).ingress
    assert found is not None
    return found


def yaml_of(text: str) -> Tree:
    return yaml.safe_load(text)


@dataclass(frozen=True)
class Numbers:
    """What follows on two workers with 4 vCPUs each: a worker has as many clients as half of its connections."""

    fits: int
    connection: int
    worker: int
    workers: int
    connections: int
    clients: int
    files: int
    table: int


CASES: dict[str, tuple[str, Numbers]] = {
    # 16384 connections a worker, half of them clients' (8192): 4 KiB each, and a file for each request body; 4 workers
    "as it comes": ("{}", Numbers(0, 4, 32, 4, 65536, 32768, 16384 + 8192 + 1024, 65536)),
    "2019": ("{ profile: reference }", Numbers(0, 16, 128, 4, 65536, 32768, 25600, 65536)),
    # 8 * 8 KiB and the headers' 8; no files for responses
    "api": ("{ profile: api }", Numbers(64, 72, 576, 4, 65536, 32768, 25600, 65536)),
    # 16 * 16 KiB and 16; no files at all
    "downloads": ("{ profile: downloads }", Numbers(256, 272, 2176, 4, 65536, 32768, 16384 + 1024, 65536)),
    # 16 * 4 KiB and 4; files for request bodies and responses
    "64 KiB": ("{ expected_response_kib: 64 }", Numbers(64, 68, 544, 4, 65536, 32768, 16384 + 2 * 8192 + 1024, 65536)),
    "65 KiB": ("{ expected_response_kib: 65 }", Numbers(68, 72, 576, 4, 65536, 32768, 33792, 65536)),
    "1 KiB": ("{ expected_response_kib: 1 }", Numbers(12, 16, 128, 4, 65536, 32768, 33792, 65536)),
    "512 KiB in buffers of 16": (
        "{ expected_response_kib: 512, nginx: { proxy_buffer_size_kib: 16 } }",
        Numbers(512, 528, 4224, 4, 65536, 32768, 33792, 65536),
    ),
    "512 KiB in the buffers of 2019": ("{ expected_response_kib: 512, profile: reference }", Numbers(512, 528, 4224, 4, 65536, 32768, 33792, 65536)),
    "more buffers than needed": (
        "{ expected_response_kib: 60, nginx: { proxy_buffers_number: 32 } }",
        Numbers(128, 132, 1056, 4, 65536, 32768, 33792, 65536),
    ),
    "buffers without buffering": ("{ nginx: { proxy_buffers_number: 64 } }", Numbers(0, 4, 32, 4, 65536, 32768, 25600, 65536)),
    "no files": (
        "{ nginx: { proxy_buffering: true, proxy_max_temp_file_size_mib: 0, proxy_request_buffering: false } }",
        Numbers(16, 20, 160, 4, 65536, 32768, 17408, 65536),
    ),
    "two and a half CPUs": ("{ cpu_limit_millis: 2500 }", Numbers(0, 4, 32, 3, 49152, 24576, 25600, 49152)),
    "less than a CPU": ("{ cpu_limit_millis: 500 }", Numbers(0, 4, 32, 1, 16384, 8192, 25600, 16384)),
    "five on two nodes": ("{ replicas: 5 }", Numbers(0, 4, 32, 4, 65536, 32768, 25600, 3 * 65536)),
    "an odd number": (
        "{ nginx: { worker_processes: 1, max_worker_connections: 513 } }",
        Numbers(0, 4, 1, 1, 513, 256, 513 + 256 + 1024, 513),
    ),
    # 8 * 4 KiB and 4, buffered; 512 clients a worker
    "F5 as it comes": (f"{{ {F5} }}", Numbers(32, 36, 18, 4, 4096, 2048, 1024 + 2 * 512 + 1024, 4096)),
    "F5 with 100 KiB": (f"{{ {F5}, expected_response_kib: 100 }}", Numbers(100, 104, 52, 4, 4096, 2048, 3072, 4096)),
    "somebody else's": (
        "{ controller: configmap-only, namespace: edge, config_map: tuning, cpu_limit_millis: 2000, expected_response_kib: 64 }",
        Numbers(64, 68, 544, 2, 32768, 16384, 33792, 32768),
    ),
}


@pytest.mark.parametrize(("ingress", "numbers"), CASES.values(), ids=CASES.keys())
def test_numbers_are_those_of_a_slip_of_paper(ingress: str, numbers: Numbers) -> None:
    found = made(yaml_of(ingress))
    response, capacity = found.response, found.capacity
    assert numbers == Numbers(
        response.fits_kib,
        response.of_a_connection_kib,
        response.of_a_worker_mib,
        capacity.workers,
        capacity.connections,
        capacity.clients,
        capacity.open_files,
        capacity.conntrack_entries,
    )


ORIGINS: dict[str, tuple[str, str, Any, str]] = {
    "the release's": ("{}", "proxy_buffers_number", 4, "default"),
    "the profile's": ("{ profile: api }", "proxy_buffers_number", 8, "profile"),
    "derived rather than the profile's": ("{ profile: api, expected_response_kib: 256 }", "proxy_buffers_number", 32, "derived"),
    "declared rather than derived": ("{ expected_response_kib: 16, nginx: { proxy_buffers_number: 9 } }", "proxy_buffers_number", 9, "declared"),
    "declared rather than the profile's": ("{ profile: reference, nginx: { keep_alive_s: 20 } }", "keep_alive_s", 20, "declared"),
    "declared as the release has it": ("{ nginx: { keep_alive_s: 75 } }", "keep_alive_s", 75, "declared"),
    "buffering follows what is expected": ("{ expected_response_kib: 16 }", "proxy_buffering", True, "derived"),
    "half of the buffers are busy": (
        "{ expected_response_kib: 512, nginx: { proxy_buffer_size_kib: 16 } }",
        "proxy_busy_buffers_size_kib",
        256,
        "derived",
    ),
    "two of three are busy": ("{ expected_response_kib: 1 }", "proxy_busy_buffers_size_kib", 8, "derived"),
    "half of the declared are busy": (
        "{ expected_response_kib: 16, nginx: { proxy_buffers_number: 20 } }",
        "proxy_busy_buffers_size_kib",
        40,
        "derived",
    ),
    "one of the declared two is busy": (
        "{ expected_response_kib: 8, nginx: { proxy_buffers_number: 2 } }",
        "proxy_busy_buffers_size_kib",
        4,
        "derived",
    ),
    "a worker for each begun CPU": ("{ cpu_limit_millis: 3001 }", "worker_processes", 4, "derived"),
    "as many as the limit rather than in 2019": ("{ profile: reference, cpu_limit_millis: 2000 }", "worker_processes", 2, "derived"),
    "as many as the node has": ("{}", "worker_processes", "auto", "default"),
    "off is a value": ("{ profile: api, nginx: { proxy_buffering: false } }", "proxy_buffering", False, "declared"),
    "nothing is a value": ("{ nginx: { upstream_keepalive_connections: 0 } }", "upstream_keepalive_connections", 0, "declared"),
    "two numbers": ("{ nginx: { large_client_header_buffers: { size_kib: 32 } } }", "large_client_header_buffers", (4, 32), "declared"),
    "F5's own": (f"{{ {F5} }}", "max_worker_connections", 1024, "default"),
    "files that F5's controller does not see to": (
        f"{{ {F5}, nginx: {{ max_worker_connections: 8192 }} }}",
        "max_worker_open_files",
        17408,
        "derived",
    ),
}


@pytest.mark.parametrize(("ingress", "name", "value", "origin"), ORIGINS.values(), ids=ORIGINS.keys())
def test_a_value_comes_from_where_it_should(ingress: str, name: str, value: object, origin: str) -> None:
    found = made(yaml_of(ingress)).tuned[name]
    assert (found.value, type(found.value), found.origin) == (value, type(value), origin)


def test_nothing_is_written_that_nobody_asked_for() -> None:
    assert {value.origin for value in made({}).tuned.values()} == {"default"}
    assert "max_worker_open_files" not in made(yaml_of(f"{{ {F5} }}")).tuned
    assert "proxy_busy_buffers_size_kib" not in made({"profile": "downloads"}).tuned
    assert "ssl_buffer_size_kib" not in made(yaml_of(f"{{ {F5}, profile: downloads }}")).tuned, "F5 has no key for it"


@pytest.mark.parametrize("size", [1, 4, 8, 16, 128])
def test_derived_buffers_hold_the_response_and_no_more_than_needed_and_nginx_starts(size: int) -> None:
    for expected in (*range(1, 300), 1000, 4095, 4096, 4097, 100_000):
        number = needed_for(expected, size)
        for busy in (None, busy_for(number, size)):
            buffers = Buffers(number=number, size_kib=size, busy_kib=busy)
            assert list(buffers.mistakes()) == []
            assert buffers.fits_kib >= expected
        assert number == 3 or (number - 1) * size < expected


def test_nginx_starts_with_two_buffers_if_half_of_them_are_busy() -> None:
    assert list(Buffers(number=2, size_kib=4, busy_kib=busy_for(2, 4)).mistakes()) == []
    assert [problem.path for problem in Buffers(number=2, size_kib=4, busy_kib=None).mistakes()] == ["proxy_buffers_number"]


EDGE: Tree = {"count": 2, "vcpus": 2, "memory_mib": 4096, "disk": {"size_gib": 20}, "placement": ["kvm1"], "first_host": 61}


def edge(effect: str) -> Tree:
    """A pool for the ingress alone."""
    return {"edge": {**EDGE, "taints": [{"key": "dedicated", "value": "ingress", "effect": effect}]}}


PLACES: dict[str, tuple[Tree, Tree, list[str]]] = {
    "nodes for ordinary pods": ({}, {}, ["small-worker-1", "small-worker-2"]),
    "control planes that take them": ({}, {"control_plane": {"workloads": True}}, ["small-cp-1", "small-worker-1", "small-worker-2"]),
    "no tainted ones": ({}, {"workers": edge("NoSchedule")}, ["small-worker-1", "small-worker-2"]),
    "some that would rather not": ({}, {"workers": edge("PreferNoSchedule")}, ["small-worker-1", "small-worker-2", "small-edge-1", "small-edge-2"]),
    "named ones, tainted or not": ({"nodes": {"underlay.dev/pool": "edge"}}, {"workers": edge("NoSchedule")}, ["small-edge-1", "small-edge-2"]),
    "one by its name": ({"nodes": {"kubernetes.io/hostname": "small-worker-2"}}, {}, ["small-worker-2"]),
}


@pytest.mark.parametrize(("ingress", "areas", "names"), PLACES.values(), ids=PLACES.keys())
def test_it_runs_where_it_may(ingress: Tree, areas: Tree, names: list[str]) -> None:
    assert list(made(ingress, **areas).nodes) == names


def test_taints_of_named_nodes_are_tolerated_and_no_others() -> None:
    tainted = made({"nodes": {"underlay.dev/pool": "edge"}}, workers=edge("NoSchedule"))
    assert tainted.tolerations == (TaintPlan(key="dedicated", value="ingress", effect="NoSchedule"),)
    assert made({}, workers=edge("NoSchedule")).tolerations == ()
    every = made({"nodes": {"kubernetes.io/os": "linux"}}, workers=edge("PreferNoSchedule"))
    assert [taint.key for taint in every.tolerations] == ["node-role.kubernetes.io/control-plane"]


def test_the_smallest_node_says_how_many_workers_there_are() -> None:
    assert made({}, workers={"edge": EDGE}).capacity.workers == 2


ADDRESSES: dict[str, tuple[str, list[str]]] = {
    "a load balancer's that is only known later": ("{}", []),
    "a declared one": ("{ exposure: { address: 10.88.0.7 } }", ["10.88.0.7"]),
    "the nodes'": ("{ exposure: { kind: host-network } }", ["10.20.0.21", "10.20.0.22"]),
    "the nodes' with ports": ("{ exposure: { kind: node-port } }", ["10.20.0.21", "10.20.0.22"]),
    "of named nodes": ("{ replicas: 1, nodes: { kubernetes.io/hostname: small-worker-2 }, exposure: { kind: host-network } }", ["10.20.0.22"]),
}


@pytest.mark.parametrize(("ingress", "addresses"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_addresses_are_told_as_far_as_they_are_known(ingress: str, addresses: list[str]) -> None:
    assert [str(address) for address in made(yaml_of(ingress)).addresses] == addresses


def test_the_manifest_is_the_published_one_unless_another_is_declared() -> None:
    published = made({}).manifest
    assert published is not None
    assert published.source.endswith("/controller-v1.15.1/deploy/static/provider/baremetal/deploy.yaml")
    own = {"source": "deploy.yaml", "sha256": SUM}
    assert made({"version": "1.14.5", "manifest": own}).manifest == made({"manifest": own}).manifest != published
    assert made({"controller": "configmap-only", "namespace": "edge", "config_map": "tuning"}).manifest is None


def test_the_config_map_is_the_controllers_or_that_of_somebody_elses() -> None:
    def place(ingress: Tree) -> tuple[str, str]:
        found = made(ingress)
        return found.namespace, found.config_map

    assert place({}) == ("ingress-nginx", "ingress-nginx-controller")
    assert place(yaml_of(f"{{ {F5} }}")) == ("nginx-ingress", "nginx-config")
    assert place({"controller": "configmap-only", "namespace": "edge", "config_map": "tuning"}) == ("edge", "tuning")


def test_without_an_ingress_there_is_no_plan_of_one() -> None:
    assert plan.make(load(minimal())).ingress is None


def test_an_ingress_changes_nothing_else_of_the_plan() -> None:
    before, after = plan.make(load(minimal())), plan.make(load(merged(minimal(), {"ingress": {"profile": "api"}})))
    assert (after.nodes, after.pod_network, after.conntrack) == (before.nodes, before.pod_network, before.conntrack)
