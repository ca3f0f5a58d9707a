"""Fleets whose plans are shown: `python -m tests.ops.made_plans` writes what `ops plan` says of them to tests/golden/plan."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ops.plan.report import as_text
from ops.plan.seated import Seated, seated
from ops.stack import ENVIRONMENT, read
from tests.settings.documents import ROOT, Tree, minimal

GOLDEN = ROOT / "tests" / "golden" / "plan"
OWN = {"network": {"bridge": "br0"}, "pool": {"name": "default", "kind": "dir"}}


def host(site: str, rack: str | None, topology: Tree, **more: Any) -> Tree:
    """A hypervisor."""
    place = {"country": "NO", "site": site, **({"rack": rack} if rack else {})}
    return {"uri": f"qemu+ssh://root@{site}-{rack or 'x'}.example/system", "location": place, **OWN, "topology": topology, **more}


def two_sockets(pages: int = 96) -> Tree:
    """64 cores of two threads on two NUMA nodes."""
    node = {"memory_mib": 131072, "reserved_memory_mib": 4096, "hugepages": {"1G": pages}}
    return {"numa": [{"socket": 0, "threads": ["0-31", "64-95"], **node}, {"socket": 1, "threads": ["32-63", "96-127"], **node}]}


SMALL = {"numa": [{"threads": ["0-11"], "memory_mib": 65536, "reserved_memory_mib": 2048}]}
TENANTS = {
    "db-1": {"vcpus": 8, "cpus": "8-11,72-75", "memory_mib": 32768, "hugepages": "1G", "numa": 0},
    "build": {"vcpus": 4, "memory_mib": 8192},
}
DRIVES = {
    "nvme1": {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 894, "numa": 0},
    "nvme2": {"kind": "nvme", "address": "0000:42:00.0", "size_gib": 1788, "numa": 1},
}
SHARES: Tree = {"reserved_cpus": "0,32,64,96", "shared_cpus": "1-4,65-68"}
DISK = {"size_gib": 100}
CONTROL = {
    "count": 3,
    "vcpus": 4,
    "memory_mib": 16384,
    "hugepages": "1G",
    "apart": "site",
    "disk": DISK,
    "etcd_disk": {"kind": "drive", "of": "nvme", "min_size_gib": 400},
}
BIG = {"count": 5, "vcpus": 16, "memory_mib": 65536, "hugepages": "1G", "disk": DISK, "first_host": 21}
EDGE = {"count": 4, "vcpus": 2, "memory_mib": 4096, "disk": {"size_gib": 20}, "cpu_policy": {"kind": "shared", "overcommit": 2.0}, "first_host": 61}
MIXED: Tree = {
    "hypervisors": {
        "kvm1": host("osl1", "a1", two_sockets(), **SHARES, tenants=TENANTS, drives=DRIVES),
        "kvm2": host("osl2", "b1", two_sockets(), **SHARES, drives=DRIVES),
        "kvm3": host("osl3", "c1", two_sockets(), **SHARES, drives={"nvme1": DRIVES["nvme1"]}),
    },
    "control_plane": CONTROL,
    "workers": {"worker": BIG, "edge": EDGE},
    "placements": {
        "small-cp-1": {"hypervisor": "kvm1", "cpus": "12-13,76-77", "drives": {"etcd": "nvme1"}},
        "small-worker-1": {"hypervisor": "kvm2"},
    },
}
ALONE: Tree = {
    "hypervisors": {"kvm1": host("osl1", None, two_sockets(0), reserved_cpus="0,32,64,96")},
    "workers": {"worker": {"count": 3, "vcpus": 12, "memory_mib": 16384, "disk": DISK, "cpu_policy": {"threads": "alone"}, "first_host": 21}},
}
CROWDED: Tree = {
    "hypervisors": {"kvm1": host("osl1", None, {"numa": [{"threads": ["0-95"], "memory_mib": 524288}]}, reserved_cpus="0-1")},
    "workers": {"tiny": {"count": 70, "vcpus": 1, "memory_mib": 2048, "disk": {"size_gib": 10}, "first_host": 21}},
}
SHORT: Tree = {
    "hypervisors": {
        "kvm1": host("osl1", "a1", SMALL, reserved_cpus="0"),
        "kvm2": host("osl1", "a2", SMALL, reserved_cpus="0", drives={"nvme1": {**DRIVES["nvme1"], "numa": 0}}),
    },
    "control_plane": {"count": 3, "apart": "rack", "vcpus": 2, "memory_mib": 8192, "disk": DISK},
    "workers": {
        "worker": {"count": 6, "vcpus": 4, "memory_mib": 24576, "disk": DISK, "first_host": 21},
        "store": {
            "count": 1,
            "vcpus": 16,
            "memory_mib": 8192,
            "disk": DISK,
            "first_host": 41,
            "containerd_disk": {"kind": "drive", "of": "nvme", "min_size_gib": 2000},
        },
        "edge": {**EDGE, "count": 1},
    },
    "placements": {"small-worker-2": {"hypervisor": "kvm2", "cpus": "0-3"}},
}
EMULATED: Tree = {
    "hypervisors": {"kvm1": {**host("lab", None, {}), "domain_type": "qemu"}},
    "control_plane": {"cpu_policy": {"kind": "emulated"}, "cpu": {"mode": "maximum"}},
    "workers": {"worker": {"cpu_policy": {"kind": "emulated"}, "cpu": {"mode": "maximum"}}},
}
del EMULATED["hypervisors"]["kvm1"]["topology"]
CASES: Mapping[str, Tree] = {"mixed": MIXED, "alone": ALONE, "crowded": CROWDED, "short": SHORT, "emulated": EMULATED}


def document(case: str) -> Tree:
    """The environment of a case: the minimal one with its hypervisors and machines alone."""
    found, made = CASES[case], minimal()
    made["hypervisors"] = found["hypervisors"]
    made["control_plane"] |= found.get("control_plane", {})
    made["workers"] = {name: {**(made["workers"].get(name, {})), **pool} for name, pool in found.get("workers", {}).items()}
    return made | ({"placements": found["placements"]} if "placements" in found else {})


def written(folder: Path, case: str) -> Path:
    """Its stack file."""
    path = folder / f"Pulumi.{case}.yaml"
    path.write_text(yaml.safe_dump({"config": {ENVIRONMENT: document(case)}}, sort_keys=False))
    return path


def seats(folder: Path, case: str) -> Seated:
    """What is known of its seats."""
    return seated(read(written(folder, case)))


if __name__ == "__main__":
    import tempfile

    GOLDEN.mkdir(exist_ok=True)
    for name in CASES:
        with tempfile.TemporaryDirectory() as made:
            (GOLDEN / f"{name}.txt").write_text(as_text(seats(Path(made), name), colour=False))
