"""Legal choices that warn, each with its line; what is right warns of nothing."""

from typing import Any

import pytest

from settings import load
from tests.settings.documents import minimal

NFTABLES: dict[str, Any] = {"mode": "nftables"}
WORKER = {"count": 1, "vcpus": 1, "memory_mib": 16384, "disk": {"size_gib": 20}, "placement": ["kvm1"]}
NUMA = {"threads": ["0-63"], "memory_mib": 262144}
LOCATION = {"country": "NO", "site": "oslo"}
ETCD_DRIVES = {"one": {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 400}}
KVM2 = {
    "uri": "qemu+ssh://root@kvm2.example/system",
    "location": LOCATION,
    "network": {"bridge": "br0"},
    "pool": {"name": "default", "kind": "dir"},
    "topology": {"numa": [NUMA]},
    "reserved_cpus": "0",
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
    "unused hypervisor": (
        {"hypervisors": {"kvm2": KVM2}, "control_plane": {"placement": ["kvm1"]}, "workers": {"worker": {"placement": ["kvm1"]}}},
        "hypervisors.kvm2: carries no machine; name it in a placement or remove it",
    ),
    "unencrypted libvirt": (
        {"hypervisors": {"kvm1": {"uri": "qemu+tcp://kvm1/system"}}},
        "hypervisors.kvm1.uri: uses qemu+tcp, neither encrypted nor signed; use qemu+ssh or qemu+tls",
    ),
    "no CPUs for QEMU": (
        {"hypervisors": {"kvm1": {"reserved_cpus": None}}},
        "hypervisors.kvm1.reserved_cpus: is missing: the host and QEMU's own threads take the machines' CPUs; name a core of each NUMA node",
    ),
    "seats that move": (
        {"workers": {"other": {**WORKER, "first_host": 41}}},
        (
            "placements: has no cpus of small-cp-1 and 3 more: another count of workers.worker replaces machines of workers.other; "
            "record where they stand (python -m ops plan --record)"
        ),
    ),
    "a record of nobody": (
        {"placements": {"small-worker-3": {"hypervisor": "kvm1"}}},
        "placements.small-worker-3: is the seat of no machine; remove it, or correct the name",
    ),
    "a tenant that floats": (
        {"hypervisors": {"kvm1": {"tenants": {"db": {"vcpus": 8, "memory_mib": 8192}}}}},
        (
            "hypervisors.kvm1.tenants.db.cpus: is unset: it runs on the machines' CPUs too and takes their time; give it CPUs of its own "
            "(virsh vcpupin db VCPU CPUS --live --config), then describe the host anew"
        ),
    ),
    "emulated beside dedicated": (
        {"workers": {"worker": {"cpu_policy": {"kind": "emulated"}}}},
        (
            "workers.worker.cpu_policy.kind: is emulated on kvm1, where others have CPUs of their own: it runs on those too and takes their time; "
            "place it elsewhere, or write shared"
        ),
    ),
    "more vCPUs than CPUs": (
        {"hypervisors": {"kvm1": {"shared_cpus": "2-7"}}, "workers": {"worker": {"cpu_policy": {"kind": "shared", "overcommit": 1.5}}}},
        ("workers.worker.cpu_policy.overcommit: is 1.5: when all are busy a vCPU runs 67% of the time, and packets wait for the rest; write 1.0"),
    ),
    "a drive by a name that moves": (
        {"hypervisors": {"kvm1": {"drives": {"one": {"kind": "block", "device": "/dev/nvme1n1", "size_gib": 100}}}}},
        "hypervisors.kvm1.drives.one.device: is /dev/nvme1n1, which may be another drive after a boot; name it by /dev/disk/by-id/",
    ),
    "huge pages for nobody": (
        {"hypervisors": {"kvm1": {"topology": {"numa": [{**NUMA, "hugepages": {"1G": 64}}]}}}},
        (
            "hypervisors.kvm1.topology.numa: reserves 64 huge pages of 1G, and no machine there uses any; "
            "write hugepages: 1G in a set, or reserve none"
        ),
    ),
    "a send ring that QEMU does not have": (
        {"workers": {"worker": {"nic": {"tx_queue_size": 1024}}}},
        "workers.worker.nic.tx_queue_size: is 1024, and QEMU keeps 256 for a NIC on a bridge or network of the host; remove it",
    ),
    "a dependency far away": (
        {"dependencies": {"db": {"host": "db.example", "port": 5432, "country": "NO", "round_trip_ms": 25, "serial_calls": 10}}},
        (
            "dependencies.db: costs every request 250 ms on the way alone: 10 calls of 25 ms, one after the other, "
            "limit of what feels immediate: 100 ms; ask for more in one call, or use one that is nearer"
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
    "control planes in one rack of two": (
        {
            "hypervisors": {
                "kvm1": {"location": {"rack": "a"}, "drives": ETCD_DRIVES},
                "kvm2": {**KVM2, "location": {**LOCATION, "rack": "a"}, "drives": ETCD_DRIVES},
                "kvm3": {**KVM2, "uri": "qemu+ssh://root@kvm3/system", "location": {**LOCATION, "rack": "a"}, "drives": ETCD_DRIVES},
                "kvm4": {**KVM2, "uri": "qemu+ssh://root@kvm4/system", "location": {**LOCATION, "rack": "b"}},
            },
            "control_plane": {"count": 3, "etcd_disk": {"kind": "drive", "of": "nvme"}},
            "workers": {"worker": {"count": 4, "first_host": 41}},
        },
        (
            "control_plane.placement: puts 3 control planes in 1 of 2 racks: losing one may lose etcd's majority; "
            "make room in the others, or write apart: rack"
        ),
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
    assert warnings(hypervisors={"kvm2": twin}, workers={"worker": {"placement": ["kvm1"]}, "other": pool}) == [
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
