"""Legal choices that warn, each with its line; what is right warns of nothing."""

from typing import Any

import pytest

from settings import load
from tests.settings.documents import minimal

NFTABLES: dict[str, Any] = {"mode": "nftables"}
WORKER = {"count": 1, "vcpus": 1, "memory_mib": 16384, "disk": {"size_gib": 20}, "placement": ["kvm1"]}
KVM2 = {
    "uri": "qemu+ssh://root@kvm2.example/system",
    "location": {"country": "NO", "site": "oslo"},
    "network": {"bridge": "br0"},
    "pool": {"name": "default", "kind": "dir"},
}


def warnings(**areas: Any) -> list[str]:
    return [str(problem) for problem in load(minimal(**{"kube_proxy": NFTABLES, **areas})).warnings()]


def test_the_minimal_document_warns_of_nothing_with_nftables() -> None:
    assert warnings() == []


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "deprecated mode": (
        {"kube_proxy": {"mode": "ipvs"}},
        "kube_proxy.mode: ipvs is deprecated by Kubernetes; it goes with 1.43: plan the move to mode: nftables",
    ),
    "ipvs settings in another mode": (
        {"kube_proxy": {"mode": "nftables", "ipvs": {"scheduler": "lc"}}},
        "kube_proxy.ipvs: is ignored in mode nftables; remove it, or set kube_proxy.rules instead",
    ),
    "unused hypervisor": ({"hypervisors": {"kvm2": KVM2}}, "hypervisors.kvm2: carries no machine; name it in a placement or remove it"),
    "unencrypted libvirt": (
        {"hypervisors": {"kvm1": {"uri": "qemu+tcp://kvm1/system"}}},
        "hypervisors.kvm1.uri: uses qemu+tcp, neither encrypted nor signed; use qemu+ssh or qemu+tls",
    ),
    "no CPUs for QEMU": (
        {"hypervisors": {"kvm1": {"machine_cpus": "2-20"}}, "control_plane": {"cpus": "2-3"}},
        "hypervisors.kvm1.emulator_cpus: is missing: QEMU's own threads may take the machines' CPUs; name CPUs outside machine_cpus",
    ),
    "pins that move": (
        {"hypervisors": {"kvm1": {"machine_cpus": "2-20", "emulator_cpus": "0-1"}}},
        (
            "hypervisors.kvm1.machine_cpus: is shared by control_plane and workers.worker without cpus of their own: "
            "growing an earlier one replaces machines of the later ones; name cpus for each"
        ),
    ),
    "adopted pool with a path": (
        {"hypervisors": {"kvm1": {"pool": {"path": "/srv/disks"}}}},
        "hypervisors.kvm1.pool.path: is ignored: the pool is adopted as it is; remove it, or write managed: true",
    ),
    "unsafe disk": (
        {"workers": {"worker": {"disk": {"cache": "unsafe", "io": "threads"}}}},
        "workers.worker.disk.cache: is unsafe: a power cut of the hypervisor loses the disk; use none for production",
    ),
    "control planes together": (
        {"control_plane": {"count": 3}},
        "control_plane.placement: puts 3 control planes on 1 hypervisor: losing one may lose etcd's majority; name three",
    ),
    "whole pool at once": (
        {"workers": {"worker": {"max_unavailable": 2}}},
        "workers.worker.max_unavailable: is 2 of 2: all may be missing at once; write 1 or less",
    ),
    "tainted everywhere": (
        {"workers": {"worker": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}}},
        "workers: has no machine without a taint: ordinary pods have nowhere to run; add one, or write control_plane.workloads: true",
    ),
    "etcd without fsync": (
        {"cluster": {"etcd": {"args": {"unsafe-no-fsync": "true"}}}},
        "cluster.etcd.args.unsafe-no-fsync: lets etcd lose acknowledged writes at a power cut; remove it for production",
    ),
    "NodePorts over the kubelet's": (
        {"cluster": {"api_server": {"args": {"service-node-port-range": "10250-10999"}}}},
        (
            "cluster.api_server.args.service-node-port-range: holds 10250, where the kubelet listens: a Service on it would take its traffic; "
            "choose ports without it"
        ),
    ),
    "VRRP beside a load balancer": (
        {"cluster": {"endpoint": {"held_by": "external", "vrrp": {"router_id": 7}}}},
        "cluster.endpoint.vrrp: is ignored: held_by is external; remove it, or write held_by: keepalived",
    ),
    "image of another version": (
        {"cluster": {"kubernetes_version": "1.36.4"}},
        "image.source: names Kubernetes 1.36.3, but cluster.kubernetes_version is 1.36.4; name the image of that version",
    ),
    "large connection table": (
        {"node": {"conntrack": {"max_entries": 2_097_152}}},
        (
            "node.conntrack.max_entries: is 2097152: when full 854 MiB of kernel memory, more than a tenth of control_plane.memory_mib (8192); "
            "lower it or add memory"
        ),
    ),
    "two clocks": (
        {"node": {"time": {"servers": ["a.example", "b.example"]}}},
        "node.time.servers: has 2 servers: when they disagree neither is believed; name one, or three and more",
    ),
}


@pytest.mark.parametrize(("change", "line"), CASES.values(), ids=CASES.keys())
def test_a_costly_choice_warns_with_its_line_and_no_other(change: dict[str, Any], line: str) -> None:
    assert warnings(**change) == [line]


def test_emulation_warns_for_each_hypervisor() -> None:
    changed = warnings(
        hypervisors={"kvm1": {"domain_type": "qemu"}}, control_plane={"cpu": {"mode": "maximum"}}, workers={"worker": {"cpu": {"mode": "maximum"}}}
    )
    assert changed == ["hypervisors.kvm1.domain_type: is qemu: machines are emulated, ten times slower; use kvm for production"]


def test_one_host_under_two_names_warns() -> None:
    twin = {**KVM2, "uri": "qemu+ssh://root@kvm1.example/system/"}
    pool = {**WORKER, "placement": ["kvm2"], "first_host": 41}
    assert warnings(hypervisors={"kvm2": twin}, workers={"other": pool}) == [
        "hypervisors.kvm2.uri: is the same as hypervisors.kvm1.uri: one host counted twice; make them one, or correct the URI"
    ]


def test_rules_in_ipvs_mode_are_named_beside_the_deprecation() -> None:
    lines = warnings(kube_proxy={"mode": "ipvs", "rules": {"masquerade_all": True}})
    assert lines[1:] == ["kube_proxy.rules: is ignored in mode ipvs; remove it, or set kube_proxy.ipvs instead"]


@pytest.mark.parametrize(
    ("version", "gate"), [("1.34.0", None), ("1.35.0", False), ("1.39.0", False), ("1.40.0", True), ("1.42.9", True)], ids=lambda value: str(value)
)
def test_ipvs_is_announced_as_upstream_does(version: str, *, gate: bool | None) -> None:
    image = {"source": "node.qcow2"}
    lines = [line for line in warnings(kube_proxy={"mode": "ipvs"}, cluster={"kubernetes_version": version}, image=image) if "kube_proxy" in line]
    assert bool(lines) == (gate is not None)
    assert ["feature gate" in line for line in lines] == ([] if gate is None else [gate])


def test_a_version_beyond_the_tested_ones_warns() -> None:
    lines = warnings(cluster={"kubernetes_version": "1.38.0"}, image={"source": "node.qcow2"})
    assert lines == ["cluster.kubernetes_version: is newer than 1.37, the newest that underlay was tested with; try it in a lab first"]
