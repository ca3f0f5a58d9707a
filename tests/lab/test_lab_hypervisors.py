"""A lab with several hypervisors: where each has its things, and what of a stack's storage is the lab's own."""

from pathlib import Path
from typing import Any

import pytest

from lab import drives, hypervisor, places, stackfile
from lab.places import Lab, LabError, LibvirtHost
from lab.stackfile import Machine

MACHINE = Machine(domain_type="qemu", image_dir=Path("/images/abc"))
LAB = Lab(name="two")


def declared(**changes: Any) -> dict[str, Any]:
    """An environment on two hypervisors; `changes` are of the second."""
    one: dict[str, Any] = {"uri": "qemu:///system", "network": {"bridge": "br0"}, "pool": {"name": "lab", "kind": "dir", "path": "/x"}}
    return {"hypervisors": {"west": one, "east": {**one, **changes}}, "image": {"source": "node.qcow2"}}


def overrides(content: dict[str, Any]) -> dict[str, str]:
    return dict(stackfile.overrides(LAB, MACHINE, content))


def test_the_first_hypervisor_has_the_labs_paths_and_each_further_one_its_own() -> None:
    found = overrides(declared())
    assert found["hypervisors.west.uri"] == LAB.libvirt_uri
    assert found["hypervisors.west.pool.path"] == str(LAB.pool_dir)
    hosts = stackfile.libvirt_hosts(LAB, declared())
    assert [host.key for host in hosts.values()] == [None, "east"]
    places_of = [{*host.directories.values(), host.socket, host.pool_dir, host.files_dir} for host in hosts.values()]
    assert places_of[0].isdisjoint(places_of[1])
    assert found["hypervisors.east.uri"] == hosts["east"].uri


def test_a_pool_for_files_has_a_folder_of_its_own_where_it_has_one_at_all() -> None:
    found = overrides(declared(files_pool={"name": "files", "kind": "dir", "path": "/y"}))
    assert found["hypervisors.east.files_pool.path"] not in (found["hypervisors.east.pool.path"], "/y")
    assert "hypervisors.west.files_pool.path" not in found
    assert "hypervisors.east.files_pool.path" not in overrides(declared(files_pool={"name": "default", "kind": "dir"}))


def test_a_hypervisor_elsewhere_is_not_the_labs() -> None:
    content = declared(uri="qemu+ssh://root@kvm2/system")
    assert list(stackfile.libvirt_hosts(LAB, content)) == ["west"]
    with pytest.raises(LabError, match="'east' is elsewhere"):
        stackfile.lab_network(content)


def test_hypervisors_of_a_lab_are_found_again_by_what_they_left_in_its_run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_dir(lab: Lab) -> Path:
        return tmp_path / lab.name

    monkeypatch.setattr(places.Lab, "run_dir", property(run_dir))
    assert [host.key for host in hypervisor.hosts(LAB)] == [None]
    for host in stackfile.libvirt_hosts(LAB, declared()).values():
        host.socket_dir.mkdir(parents=True)
    assert [host.key for host in hypervisor.hosts(LAB)] == [None, "east"]


def test_a_name_that_makes_a_socket_out_of_reach_is_refused() -> None:
    with pytest.raises(LabError, match="shorter names"):
        LibvirtHost(lab=Lab(name="l" * 20), key="h" * 63)


def test_block_drives_are_the_labs_and_no_device_of_the_machine() -> None:
    content = declared(
        drives={
            "nvme1": {"kind": "block", "device": "/dev/disk/by-id/nvme-x", "size_gib": 2},
            "nvme2": {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 2},
        }
    )
    found = overrides(content)
    assert found["hypervisors.east.drives.nvme1.device"] == "/dev/underlay/two/east/nvme1"
    assert not any("nvme2" in path for path in found)
    drive = drives.devices(LAB, content, stackfile.libvirt_hosts(LAB, content))["east", "nvme1"]
    assert drive.file.is_relative_to(LAB.root)
    assert drive.size_gib == 2


def test_drives_of_different_hypervisors_never_meet() -> None:
    pairs = [drives.LoopDrive(lab=LAB, hypervisor=host, name=name, size_gib=1) for host, name in (("a-b", "c"), ("a", "b-c"))]
    assert len({drive.link for drive in pairs}) == len({drive.file for drive in pairs}) == 2


@pytest.mark.parametrize("size", [0, -1, None, "2"])
def test_a_drive_that_settings_will_refuse_is_left_to_them(size: Any) -> None:
    content = declared(drives={"nvme1": {"kind": "block", "size_gib": size}})
    assert drives.devices(LAB, content, stackfile.libvirt_hosts(LAB, content)) == {}


def test_a_managed_logical_pool_would_take_the_machines_own_devices_and_is_refused() -> None:
    content = declared(pool={"name": "vg", "kind": "logical", "managed": True, "devices": ["/dev/nvme0n1"]})
    with pytest.raises(LabError, match=r"hypervisors\.east\.pool is a managed logical pool"):
        drives.refuse_logical(content, ["east"])
    drives.refuse_logical(content, ["west"])


@pytest.mark.parametrize("there", [True, False])
def test_an_adopted_logical_pool_needs_the_device_mapper(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def has() -> bool:
        return there

    monkeypatch.setattr(drives, "has_device_mapper", has)
    content = declared(pool={"name": "vg", "kind": "logical"})
    if there:
        drives.refuse_logical(content, ["east"])
    else:
        with pytest.raises(LabError, match="no device mapper"):
            drives.refuse_logical(content, ["east"])


def test_a_hypervisor_from_the_command_line_is_the_labs_too_and_a_value_set_there_stays() -> None:
    one = declared()
    added = one["hypervisors"].pop("east")
    settings = [("hypervisors.east", {**added, "pool": {"name": "lab", "kind": "dir", "path": "/z"}}), ("hypervisors.west.domain_type", "kvm")]
    found = stackfile.assigned(one, stackfile.on_top(LAB, MACHINE, one, settings))["hypervisors"]
    east = LibvirtHost(lab=LAB, key="east")
    assert (found["east"]["uri"], found["east"]["pool"]["path"]) == (east.uri, str(east.pool_dir))
    assert (found["west"]["domain_type"], found["east"]["domain_type"]) == ("kvm", "qemu")
