"""Machines as they are registered: disks in their order, what is protected, what policies are told, who is asked before a domain is made."""

import asyncio
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from pulumi import ResourceHookArgs
from recorder import Registered, document, run_program, with_external_network

from components import facts, neighbours
from components.neighbours import NeighbourError, can_clash
from hosts.ask import Answer
from hosts.domains import Machine, machine
from plan import make
from settings import load

DRIVES = {
    "fast": {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 894, "numa": 0},
    "plain": {"kind": "block", "device": "/dev/disk/by-id/nvme-plain", "size_gib": 894},
}
STRANGER = """<domain type="kvm"><name>db-1</name><vcpu>1</vcpu><memory unit="MiB">1024</memory>{mark}
<cputune><vcpupin vcpu="0" cpuset="{cpus}"/></cputune></domain>"""


def with_disks(etcd: dict[str, Any] | None, containerd: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """example-oslo with data disks on its control planes."""
    made = {**with_external_network(document("example-oslo")), **changes}
    for host in made["hypervisors"].values():
        host["drives"] = DRIVES
    made["control_plane"] |= {name: disk for name, disk in (("etcd_disk", etcd), ("containerd_disk", containerd)) if disk}
    return made


def inputs(request: Any) -> dict[str, Any]:
    return MessageToDict(request.object)


@pytest.fixture(scope="module")
def disks() -> Registered:
    """Control planes with an etcd volume and a block device for containerd."""
    return run_program(with_disks({"kind": "volume", "size_gib": 20}, {"kind": "drive", "of": "block"}))


def test_the_root_disk_comes_first_and_data_disks_in_the_order_that_the_stylesheet_counts_on(disks: Registered) -> None:
    domain = inputs(disks.named("oslo-cp-1-domain"))
    assert domain["disks"] == [{"volumeId": "oslo-cp-1-root-id"}, {"volumeId": "oslo-cp-1-etcd-id"}, {"blockDevice": "/dev/disk/by-id/nvme-plain"}]
    sheet = domain["xml"]["xslt"]
    for place, serial in ((2, "underlay-etcd"), (3, "underlay-containerd")):
        assert f"disk[@device='disk'][{place}]/target" in sheet
        assert f"<serial>{serial}</serial>" in sheet


def test_a_drive_that_qemu_drives_is_none_of_the_providers_disks() -> None:
    made = run_program(with_disks({"kind": "drive", "of": "nvme"}, None))
    domain = inputs(made.named("oslo-cp-1-domain"))
    assert domain["disks"] == [{"volumeId": "oslo-cp-1-root-id"}]
    assert 'type="nvme"' in domain["xml"]["xslt"]
    assert not [request for request in made.requests.values() if request.name == "oslo-cp-1-etcd"]


def test_a_data_volume_is_raw_in_a_volume_group_and_has_its_declared_size(disks: Registered) -> None:
    volume = inputs(disks.named("oslo-cp-1-etcd", "Volume"))
    assert (volume["name"], volume["pool"], volume["format"], volume["size"]) == ("oslo-cp-1-etcd", "nvme", "raw", 20 * 2**30)


def test_etcds_volume_is_protected_as_the_root_volume_is_and_replaces_it(disks: Registered) -> None:
    etcd, root = disks.named("oslo-cp-1-etcd", "Volume"), disks.named("oslo-cp-1-root", "Volume")
    assert (etcd.protect, root.protect) == (True, True)
    assert list(root.replace_with) == [disks.urn("oslo-cp-1-etcd", "Volume")]
    assert etcd.deleteBeforeReplace
    assert etcd.parent == root.parent == disks.urn("oslo-cp-1", "Machine")
    assert etcd.provider == root.provider
    assert not disks.named("oslo-worker-1-root", "Volume").protect


def test_protection_is_lifted_by_its_settings_alone() -> None:
    declared = with_disks({"kind": "volume", "size_gib": 20}, None, protection={"control_plane_disks": False})
    made = run_program(declared)
    protected = {request.name for request in made.requests.values() if request.protect}
    assert "oslo-cluster-ca-key" in protected
    assert not {name for name in protected if name.startswith("oslo-cp-")}
    other = run_program({**declared, "protection": {"authorities": False}})
    protected = {request.name for request in other.requests.values() if request.protect}
    assert protected == {f"oslo-cp-{number}-{part}" for number in (1, 2, 3) for part in ("root", "etcd")}


def test_a_data_disk_more_replaces_the_domain_and_keeps_the_root_volume(oslo: Registered, disks: Registered) -> None:
    assert inputs(oslo.named("oslo-cp-1-root", "Volume")) == inputs(disks.named("oslo-cp-1-root", "Volume"))
    assert inputs(oslo.named("oslo-cp-1-domain")) != inputs(disks.named("oslo-cp-1-domain"))
    assert inputs(oslo.named("oslo-worker-1-domain")) == inputs(disks.named("oslo-worker-1-domain"))


def test_policies_are_told_of_the_environment(oslo: Registered) -> None:
    told = inputs(oslo.named("oslo", "Environment"))
    assert told["residency"]["countries"] == ["NO"]
    assert told["stateBackend"] == "s3://underlay-state?endpoint=s3.osl.example"
    assert told["sources"]["image.raw"] == "images/node-1.36.3/node.raw"
    assert told["encapsulation"]["protocol"] == "none"
    assert told["conntrack"] == {"maxEntries": 2097152.0, "neededEntries": 0.0}
    assert (told["kubernetesVersion"], told["proxyMode"]) == ("1.36.3", "ipvs")


def test_policies_are_told_of_hypervisors_and_machines_and_those_come_first(disks: Registered) -> None:
    host = inputs(disks.named("oslo-kvm1", "Hypervisor"))
    assert (host["hypervisor"], host["country"], host["site"], host["rack"]) == ("kvm1", "NO", "osl1", "a1")
    assert host["pools"] == [{"name": "nvme", "kind": "logical", "media": "nvme"}, {"name": "default", "kind": "dir", "media": None}]
    assert host["drives"]["fast"] == {"kind": "nvme", "address": "0000:41:00.0", "device": None, "media": "nvme"}
    told = inputs(disks.named("oslo-cp-1", "Machine"))
    assert (told["node"], told["role"], told["cpuPolicy"], told["vcpus"]) == ("oslo-cp-1", "control-plane", "dedicated", 4.0)
    assert len(told["vcpuPins"]) == 4
    assert told["disks"] == [
        {"purpose": "root", "kind": "volume", "pool": "nvme", "drive": None},
        {"purpose": "etcd", "kind": "volume", "pool": "nvme", "drive": None},
        {"purpose": "containerd", "kind": "block", "pool": None, "drive": "plain"},
    ]
    order = list(disks.requests)
    assert order.index(disks.urn("oslo-kvm1", "Hypervisor")) < order.index(disks.urn("oslo-cp-1-root", "Volume"))
    assert order.index(disks.urn("oslo", "Environment")) < order.index(disks.urn("oslo-kvm1", "Hypervisor"))


def test_the_load_that_is_declared_is_told_as_entries_of_a_nodes_table() -> None:
    declared = document("example-oslo")
    declared["ingress"] = {**declared["ingress"], "expected_connections": 9000}
    plan = make(load(declared))
    assert plan.ingress is not None
    of_a_replica = -(-9000 // plan.ingress.settings.replicas)
    told = facts.of_environment(plan)["conntrack"]
    assert told["neededEntries"] == of_a_replica * plan.ingress.capacity.replicas_on_a_node * 2
    assert told["neededFor"] == "ingress.expected_connections"


def test_a_hypervisor_is_asked_before_a_domain_is_made_in_previews_too_and_never_when_one_goes(disks: Registered) -> None:
    domain = disks.named("oslo-cp-1-domain")
    assert list(domain.hooks.before_create) == ["oslo-kvm1-neighbours"]
    assert not domain.hooks.before_delete
    assert not domain.hooks.after_delete
    assert sorted(disks.hooks) == ["oslo-kvm1-neighbours", "oslo-kvm2-neighbours", "oslo-kvm3-neighbours"]
    assert all(hook.opts and hook.opts.on_dry_run for hook in disks.hooks.values())


def test_an_emulated_machine_takes_nothing_so_nobody_is_asked(lab: Registered) -> None:
    assert not lab.named("lab-cp-1-domain").hooks.before_create


def stranger(cpus: str, mark: str = "") -> Machine:
    found = machine("db-1", STRANGER.format(cpus=cpus, mark=mark), running=True)
    assert found is not None
    return found


def refusal(made: Registered, monkeypatch: pytest.MonkeyPatch, answer: Answer) -> tuple[str, list[str], int]:
    """What the hooks of kvm1's domains say, what is warned of, and how often the host is asked."""
    asked: list[str] = []
    warned: list[str] = []

    async def domains(uri: str, *, within_s: float) -> Answer:  # noqa: ARG001 - as hosts.ask's
        asked.append(uri)
        return answer

    monkeypatch.setattr(neighbours.ask, "domains", domains)
    monkeypatch.setattr(neighbours.pulumi.log, "warn", warned.append)
    hook = made.hooks["oslo-kvm1-neighbours"]
    names = [request.name for request in made.requests.values() if request.hooks.before_create == ["oslo-kvm1-neighbours"]]

    async def every() -> list[BaseException | None]:
        calls = [hook.callback(ResourceHookArgs(urn="", id="", name=name, type="")) for name in names]
        return await asyncio.gather(*[call for call in calls if call is not None], return_exceptions=True)

    said = [str(error) for error in asyncio.run(every()) if isinstance(error, NeighbourError)]
    assert len(names) > 1
    return "\n".join(said), warned, len(asked)


@pytest.fixture
def fresh() -> Registered:
    """Hooks that have asked nobody yet."""
    return run_program(with_external_network(document("example-oslo")))


def test_a_cpu_that_a_stranger_has_is_refused_with_the_remedy(fresh: Registered, monkeypatch: pytest.MonkeyPatch) -> None:
    own = inputs(fresh.named("oslo-cp-1", "Machine"))["vcpuPins"]
    cpu = int(own[0][0])
    said, warned, asked = refusal(fresh, monkeypatch, Answer(machines=(stranger(str(cpu)),)))
    assert said.count("cannot be made") == 1, "of all machines there one has this CPU"
    assert f"oslo-cp-1 cannot be made on kvm1: CPUs {cpu} are of domain db-1, which underlay does not know" in said
    assert "ops hypervisor describe qemu+ssh://root@kvm1.osl.example/system" in said
    assert "hypervisors.kvm1.tenants" in said
    assert (warned, asked) == ([], 1)


def test_a_hypervisor_that_does_not_answer_is_warned_of_once(fresh: Registered, monkeypatch: pytest.MonkeyPatch) -> None:
    said, warned, asked = refusal(fresh, monkeypatch, Answer(why_not="no route to host"))
    assert (said, asked, len(warned)) == ("", 1, 1)
    assert "no route to host" in warned[0]


def test_a_libvirt_that_cannot_spread_a_disk_over_threads_is_refused(fresh: Registered, monkeypatch: pytest.MonkeyPatch) -> None:
    said, _, _ = refusal(fresh, monkeypatch, Answer(libvirt=(9, 0)))
    assert (
        "oslo-worker-1 cannot be made on kvm1: a disk of it has io_threads: 2, which needs libvirt 10.0 (and QEMU 9.0), and the host has 9.0" in said
    )
    assert "oslo-cp-1" not in said


def test_what_can_clash_is_what_takes_something() -> None:
    plan = make(load(with_disks({"kind": "drive", "of": "nvme"}, None)))
    assert all(map(can_clash, plan.nodes))
    wanted = neighbours.wanted(plan, plan.nodes[0])
    assert wanted.pci == {"0000:41:00.0"}
    assert wanted.cpus == set(plan.nodes[0].own_cpus)
