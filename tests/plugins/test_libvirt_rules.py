"""What the libvirt stand-in decides: what replaces, what is adopted, what is drift. libvirt itself is a table of answers here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.plugins.base import UNKNOWN, Properties, ProviderError, Resource, State
from lab.plugins.libvirt.domain import Domain
from lab.plugins.libvirt.network import Network
from lab.plugins.libvirt.pool import Pool, pool_xml
from lab.plugins.libvirt.provider import LibvirtProvider
from lab.plugins.libvirt.resource import OBSERVED, drifted
from lab.plugins.libvirt.seed import CloudInitDisk
from lab.plugins.libvirt.virsh import Virsh, VirshError
from lab.plugins.libvirt.volume import Volume
from lab.plugins.libvirt.volume_xml import volume_xml
from tests.plugins.calls import Log, replaced_by, run


class Answers(Virsh):
    """virsh with given answers by the beginning of the command; what is not given is not found."""

    def __init__(self, **answers: str) -> None:
        super().__init__()
        self.answers = {command.replace("_", "-"): answer for command, answer in answers.items()}
        self.asked: list[tuple[str, ...]] = []

    async def __call__(self, *args: str, xml: str = "") -> str:
        del xml
        self.asked.append(args)
        if args[0] in self.answers:
            return self.answers[args[0]]
        raise VirshError(f"{args[0]}: not found")

    def commands(self) -> list[str]:
        return [args[0] for args in self.asked]


MACHINE: Properties = {
    "name": "node",
    "vcpu": 2,
    "memory": 1024,
    "cloudinit": "/pool/seed;1",
    "kernel": "/pool/vmlinuz",
    "disks": [{"volumeId": "/pool/root"}],
    "networkInterfaces": [{"bridge": "br0", "mac": "52:54:00:aa:bb:cc"}],
    "xml": {"xslt": "<one/>"},
}
CHANGES: list[tuple[str, Any, set[str]]] = [
    ("name", "other", {"name"}),
    ("vcpu", 3, {"vcpu"}),
    ("memory", 2048, {"memory"}),
    ("type", "qemu", {"type"}),
    ("firmware", "/code.fd", {"firmware"}),
    ("cpu", {"mode": "host-passthrough"}, {"cpu"}),
    ("disks", [{"volumeId": "/pool/other"}], {"disks"}),
    ("disks", [{"volumeId": UNKNOWN}], {"disks"}),
    ("cmdlines", [{"a": "b"}], {"cmdlines"}),
    ("xml", {"xslt": "<two/>"}, {"xml"}),
    ("consoles", [{"type": "pty", "targetPort": "0"}], {"consoles"}),
    ("cloudinit", "/pool/seed;2", {""}),
    ("kernel", "/pool/other", {""}),
    ("autostart", True, {""}),
    ("running", False, {""}),
    ("machine", "q35", {""}),
    ("networkInterfaces", [{"bridge": "br1", "mac": "52:54:00:aa:bb:cc"}], {""}),
    ("networkInterfaces", [{"bridge": "br0", "mac": "52:54:00:AA:BB:CC"}], set()),
]


def recorded(resource: Resource, inputs: Properties) -> State:
    """The state of a resource whose inputs were these."""
    complete, failures = resource.check(inputs, {})
    assert not failures
    return State("id", dict(complete), complete)


@pytest.mark.parametrize(("name", "value", "replaces"), CHANGES, ids=[f"{name}={value}" for name, value, _ in CHANGES])
def test_what_replaces_a_machine(name: str, value: Any, replaces: set[str]) -> None:
    domain = Domain(Virsh())
    assert replaced_by(domain, recorded(domain, MACHINE), MACHINE | {name: value}) == replaces


OTHERS: list[tuple[type[Volume | CloudInitDisk | Pool | Network], Properties, Properties]] = [
    (Volume, {"name": "root", "size": 1}, {"size": 2}),
    (Volume, {"name": "root", "source": "/a"}, {"source": "/b"}),
    (CloudInitDisk, {"name": "seed", "userData": "a"}, {"userData": "b"}),
    (Pool, {"name": "pool", "type": "dir", "target": {"path": "/a"}}, {"target": {"path": "/b"}}),
    (Network, {"name": "net", "mtu": 1500}, {"mtu": 9000}),
]


@pytest.mark.parametrize(("kind", "inputs", "change"), OTHERS)
def test_every_change_of_storage_replaces_it_and_deletes_first(
    kind: type[Volume | CloudInitDisk | Pool | Network], inputs: Properties, change: Properties
) -> None:
    resource = kind(Virsh())
    old = recorded(resource, inputs)
    assert replaced_by(resource, old, inputs | change) == set(change)
    changed, _ = resource.check(inputs | change, {})
    renamed, _ = resource.check(inputs | change | {"name": "other"}, {})
    assert resource.diff(old, changed).delete_before_replace
    assert not resource.diff(old, renamed).delete_before_replace


def test_a_volume_of_the_same_making_is_adopted() -> None:
    virsh = Answers(pool_refresh="", vol_key="/pool/root", vol_dumpxml=volume_xml("root", 4096, "qcow2"))
    log = Log()
    state = run(Volume(virsh).create(log.call(), {"name": "root", "pool": "p", "size": 4096}))
    assert (state.id, state.outputs["size"]) == ("/pool/root", 4096)
    assert "vol-create" not in virsh.commands()
    assert "left as-is" in log.messages[0][1]


@pytest.mark.parametrize("other", [volume_xml("root", 512, "qcow2"), volume_xml("root", 4096, "raw")], ids=["smaller", "another format"])
def test_a_volume_of_another_making_is_refused_and_kept(other: str) -> None:
    virsh = Answers(pool_refresh="", vol_key="/pool/root", vol_dumpxml=other)
    with pytest.raises(ProviderError, match="exists already in pool p"):
        run(Volume(virsh).create(Log().call(), {"name": "root", "pool": "p", "size": 4096}))
    assert "vol-delete" not in virsh.commands()


def test_a_volume_that_a_machine_uses_is_not_uploaded_again(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(4096))
    machine = "<domain><devices><disk><source pool='p' volume='base'/></disk></devices></domain>"
    virsh = Answers(pool_refresh="", list="node", dumpxml=machine, vol_dumpxml=volume_xml("base", 4096, "raw"))
    with pytest.raises(ProviderError, match="domain node uses it"):
        run(Volume(virsh).create(Log().call(), {"name": "base", "pool": "p", "source": str(image)}))
    assert "vol-delete" not in virsh.commands()


CONFLICTS: list[Properties] = [
    {"source": "/a", "size": 1},
    {"source": "/a", "baseVolumeId": "/b"},
    {"baseVolumeId": "/b", "baseVolumeName": "c"},
    {"source": "/nowhere/image"},
    {"source": "ftp://host/image"},
]


@pytest.mark.parametrize("inputs", CONFLICTS)
def test_inputs_that_contradict_each_other_make_no_volume(inputs: Properties) -> None:
    virsh = Answers(pool_refresh="")
    with pytest.raises(ProviderError):
        run(Volume(virsh).create(Log().call(), {"name": "root", "pool": "p", **inputs}))
    assert set(virsh.commands()) <= {"pool-refresh"}


def test_a_pool_that_an_earlier_run_defined_is_finished_and_another_is_refused() -> None:
    inputs: Properties = {"name": "p", "type": "dir", "target": {"path": "/srv/p"}}
    live = pool_xml(inputs).replace("</pool>", "<uuid>u</uuid><capacity>9</capacity></pool>")
    answers = {"pool_dumpxml": live, "pool_info": "State: inactive", "pool_build": "", "pool_start": "", "pool_autostart": "", "pool_refresh": ""}
    virsh = Answers(**answers)
    assert run(Pool(virsh).create(Log().call(), inputs)).id == "u"
    assert "pool-define" not in virsh.commands()
    with pytest.raises(ProviderError, match="already exists"):
        run(Pool(Answers(**answers)).create(Log().call(), inputs | {"target": {"path": "/srv/other"}}))


def test_only_what_libvirt_says_otherwise_than_before_is_drift() -> None:
    old = State("id", {"memory": 1024, "running": True, OBSERVED: {"memory": 2048, "running": True}}, {"memory": 1024})
    assert drifted(old, {"memory": 2048, "running": True}).inputs == {"memory": 1024}
    assert drifted(old, {"memory": 2048, "running": False}).inputs == {"memory": 1024, "running": False}


def test_a_thing_that_is_gone_reads_as_gone() -> None:
    assert run(Domain(Answers()).read(Log().call(), State("uuid", {}, {}))) is None
    assert run(Volume(Answers()).read(Log().call(), State("/pool/root", {"pool": "p"}, {}))) is None
    assert run(Pool(Answers()).read(Log().call(), State("uuid", {}, {}))) is None
    assert run(Network(Answers()).read(Log().call(), State("uuid", {}, {}))) is None


def test_deleting_what_is_gone_is_no_error() -> None:
    for resource in (Domain(Answers()), Volume(Answers()), CloudInitDisk(Answers()), Pool(Answers()), Network(Answers())):
        run(resource.delete(Log().call(), State("/pool/thing;1", {"pool": "p"}, {})))


def test_a_plan_with_a_host_that_is_not_known_yet_connects_to_nothing() -> None:
    provider = LibvirtProvider()
    provider.configure({"uri": UNKNOWN})
    domain = provider.resource("libvirt:index/domain:Domain")
    planned = domain.planned({"name": "node", "disks": [{"volumeId": UNKNOWN}]})
    assert planned["machine"] is UNKNOWN
    assert planned["name"] == "node"
    with pytest.raises(ProviderError, match="no `uri`"):
        run(domain.read(Log().call(), State("uuid", {}, {})))
