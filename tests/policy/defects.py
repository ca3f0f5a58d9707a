"""What breaks each rule: a change of the stack that keeps them all, the resource that is refused, and what is said of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.policy.stacks import DIGEST, Program, domain, good, network_config


@dataclass(frozen=True)
class Defect:
    """What breaks one rule."""

    rule: str
    on: str
    """Name of the resource that is refused."""
    says: str
    """The one message, as far as a fragment of it goes."""
    change: Callable[[Program], None]


def _crowd(program: Program) -> None:
    program["oslo-worker-2-domain"].inputs = domain("oslo-worker-2", {0: "2-3", 1: "2-3"}, "shared", "0-1")


def _clash(program: Program) -> None:
    program["oslo-worker-3-domain"].inputs = domain("oslo-worker-3", {0: "5"}, "dedicated", "0-1")


def change(path: str, value: Any) -> Callable[[Program], None]:
    """A change of one input: name of the resource, then keys."""

    def changed(program: Program) -> None:
        name, *keys, last = path.split("/")
        owner = program[name].inputs
        for key in keys:
            owner = owner[key]
        owner[last] = copy.deepcopy(value)

    return changed


def unprotected(name: str) -> Callable[[Program], None]:
    """A resource without protection."""

    def change(program: Program) -> None:
        program[name].protect = False

    return change


def image(name: str, other: str) -> Callable[[Program], None]:
    """A workload with another image."""

    def change(program: Program) -> None:
        program[name].inputs["spec"]["template"]["spec"]["containers"][0]["image"] = other

    return change


DEFECTS = (
    Defect(
        "no-encapsulation", "oslo-pods", "IPPool default-ipv4-ippool has vxlanMode CrossSubnet", change("oslo-pods/spec/vxlanMode", "CrossSubnet")
    ),
    Defect(
        "cpu-overcommit", "oslo-worker-2-domain", "with oslo-worker-2 there are 3 vCPUs on the shared CPUs 2-3 of kvm1, 1.5 for each, limit 1", _crowd
    ),
    Defect("cpu-pins", "oslo-worker-3-domain", "oslo-worker-3 holds CPU 5 of kvm1, which oslo-cp-1 holds too", _clash),
    Defect(
        "control-plane-nvme",
        "oslo-cp-1-domain",
        "etcd of oslo-cp-1 lies on storage pool default of kvm1, which is disk, allowed: nvme",
        change("oslo-cp-1/disks", [{"purpose": "root", "kind": "volume", "pool": "default"}]),
    ),
    Defect(
        "conntrack-load",
        "oslo",
        "node.conntrack.max_entries is 65536, needed 80000 (ingress.expected_connections)",
        change("oslo/conntrack/maxEntries", 65536),
    ),
    Defect(
        "proxy-mode",
        "oslo",
        "kube_proxy.mode is ipvs, which Kubernetes 1.43.0 has no more (removed in 1.43); write nftables",
        change("oslo/kubernetesVersion", "1.43.0"),
    ),
    Defect("residency-machines", "oslo-kvm1", "hypervisor kvm1 stands in SE, allowed: NO (health data)", change("oslo-kvm1/country", "SE")),
    Defect(
        "residency-sources",
        "oslo-web",
        "the registry of oslo-web's image is docker.io, of which nobody says where it stands",
        image("oslo-web", f"nginx@{DIGEST}"),
    ),
    Defect("residency-state", "oslo", "state_backend is not declared", change("oslo/stateBackend", None)),
    Defect(
        "residency-dependencies",
        "oslo",
        "dependency db (db.example) stands in US, allowed: NO (health data)",
        change("oslo/dependencies/db/country", "US"),
    ),
    Defect(
        "public-address",
        "oslo-cp-1-seed",
        "address 193.0.6.139 is one of the public internet",
        change("oslo-cp-1-seed/networkConfig", network_config("193.0.6.139")),
    ),
    Defect(
        "ssh-host-keys",
        "oslo-cp-1-prepare",
        "connection.hostKey is not set",
        change("oslo-cp-1-prepare/connection", {"secret": {"host": "10.20.0.11", "user": "root", "privateKey": "a key"}}),
    ),
    Defect(
        "secrets",
        "oslo-cp-1-seed",
        "input userData is secret by its name and is not marked as secret",
        change("oslo-cp-1-seed/userData", "#cloud-config"),
    ),
    Defect(
        "protection",
        "oslo-cp-1-root",
        "oslo-cp-1-root is a disk of oslo-cp-1 on which etcd may lie, and is not protected",
        unprotected("oslo-cp-1-root"),
    ),
    Defect("images-by-digest", "oslo-shop", "oslo-shop runs registry.example/shop:1 by tag", image("oslo-shop", "registry.example/shop:1")),
    Defect(
        "retired-software",
        "oslo-front",
        "oslo-front is ingress-nginx, which is retired",
        image("oslo-front", f"registry.example/ingress-nginx/controller:v1.15.1@{DIGEST}"),
    ),
)
"""One for each rule."""


def broken(*defects: Defect) -> Program:
    """The good stack with something wrong in it."""
    program = copy.deepcopy(good())
    for defect in defects:
        defect.change(program)
    return program
