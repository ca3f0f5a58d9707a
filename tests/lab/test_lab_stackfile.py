"""What the lab makes of a tracked stack file."""

from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from lab import project, stackfile
from lab.places import CHECKOUT, Lab, LabError
from lab.stackfile import Machine, Tree


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    for source in (CHECKOUT / "Pulumi.yaml", CHECKOUT / "stacks" / "Pulumi.lab.yaml"):
        target = tmp_path / source.relative_to(CHECKOUT)
        target.write_text(source.read_text())
    return Lab(name="one", checkout=tmp_path)


MACHINE = Machine(domain_type="kvm", image_dir=Path("/images/abc"))


def generated(lab: Lab) -> Tree:
    return stackfile.environment(stackfile.read(project.generated_file(lab, "lab")))


def test_a_generated_stack_file_differs_from_the_tracked_one_only_where_machines_differ(lab: Lab) -> None:
    tracked = stackfile.environment(stackfile.read(stackfile.tracked(lab, "lab")))
    project.write(lab, "lab", MACHINE)
    changed = dict(differences(tracked, generated(lab)))
    assert changed == {
        "hypervisors.local.uri": lab.libvirt_uri,
        "hypervisors.local.domain_type": "kvm",
        "hypervisors.local.pool.path": str(lab.pool_dir),
        "image.source": "/images/abc/node.qcow2",
        "image.kernel": "/images/abc/vmlinuz",
        "image.initrd": "/images/abc/initrd.img",
    }


def differences(old: Any, new: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        one, other = cast("Tree", old), cast("Tree", new)
        keys = sorted({*one, *other})
        return [found for key in keys for found in differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)]
    return [] if old == new else [(path, new)]


def test_the_tracked_files_are_not_written_to(lab: Lab) -> None:
    before = {path: path.read_bytes() for path in lab.checkout.rglob("*.yaml")}
    project.write(lab, "lab", MACHINE, [("kube_proxy.ipvs.scheduler", "lc")])
    assert {path: path.read_bytes() for path in before} == before


def test_the_engines_salt_outlives_the_next_generation(lab: Lab) -> None:
    project.write(lab, "lab", MACHINE)
    path = project.generated_file(lab, "lab")
    path.write_text(path.read_text() + "encryptionsalt: v1:abc\n")
    project.write(lab, "lab", MACHINE, [("workers.worker.count", 2)])
    content = yaml.safe_load(path.read_text())
    assert content["encryptionsalt"] == "v1:abc"
    assert generated(lab)["workers"]["worker"]["count"] == 2


def test_values_from_the_command_line_come_last_and_do_not_stay(lab: Lab) -> None:
    project.write(lab, "lab", MACHINE, [("hypervisors.local.domain_type", "qemu"), ("node.time", None)])
    assert generated(lab)["hypervisors"]["local"]["domain_type"] == "qemu"
    assert "time" not in generated(lab)["node"]
    project.write(lab, "lab", MACHINE)
    assert generated(lab)["hypervisors"]["local"]["domain_type"] == "kvm"
    assert "time" in generated(lab)["node"]


def test_a_hypervisor_elsewhere_keeps_all_its_values(lab: Lab) -> None:
    declared = {
        "hypervisors": {"kvm1": {"uri": "qemu+ssh://root@kvm1/system", "domain_type": "kvm", "pool": {"path": "/data"}}},
        "image": {"source": "node.qcow2"},
    }
    assert list(stackfile.overrides(lab, MACHINE, declared)) == []
    with pytest.raises(LabError, match="'kvm1' is elsewhere"):
        stackfile.lab_network(declared)


def test_the_domain_type_stays_as_declared_until_it_is_known_what_works(lab: Lab) -> None:
    declared = stackfile.declared(lab, "lab")
    paths = {path for path, _ in stackfile.overrides(lab, Machine(domain_type=None, image_dir=Path("/x")), declared)}
    assert "hypervisors.local.domain_type" not in paths
    assert "hypervisors.local.uri" in paths


def test_the_project_runs_this_checkout_with_its_own_interpreter(lab: Lab) -> None:
    project.write(lab, "lab", MACHINE)
    content = yaml.safe_load((project.project_dir(lab) / "Pulumi.yaml").read_text())
    assert content["main"] == str(lab.checkout)
    assert content["runtime"]["options"]["virtualenv"] == str(lab.checkout / ".venv")
    assert content["name"] == yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())["name"]


def test_secrets_of_the_lab_are_for_its_owner_only(lab: Lab) -> None:
    path = project.passphrase_file(lab)
    assert path.stat().st_mode & 0o777 == 0o600
    assert project.passphrase_file(lab).read_text() == path.read_text()
    assert path.read_text() not in "".join(project.engine_environment(lab, path_first=[], stand_ins=True).values())


@pytest.mark.parametrize("text", ["a.b", "=1", "a..b=1"])
def test_a_malformed_assignment_is_refused(text: str) -> None:
    with pytest.raises(LabError, match=r"path\.to\.key=value"):
        stackfile.parse_assignment(text)


def test_an_assignment_through_a_plain_value_is_refused() -> None:
    with pytest.raises(LabError, match=r"cannot set a\.b"):
        stackfile.assigned({"a": 1}, [("a.b", 2)])


def test_an_assignment_changes_one_place_of_an_anchor_alone() -> None:
    tree = yaml.safe_load("{a: &disk {size: 1}, b: *disk}")
    assert stackfile.assigned(tree, [("a.size", 2)]) == {"a": {"size": 2}, "b": {"size": 1}}
    assert tree["a"] == {"size": 1}


def test_an_unknown_stack_is_refused_with_the_known_ones(lab: Lab) -> None:
    with pytest.raises(LabError, match="known stacks: lab"):
        stackfile.tracked(lab, "prod")


def test_every_lab_stack_of_the_checkout_fits_the_wire() -> None:
    lab = Lab(name="lab")
    for path in (CHECKOUT / "stacks").glob("Pulumi.*.yaml"):
        declared = stackfile.environment(stackfile.read(path))
        if any(stackfile.on_this_machine(declared)):
            network = stackfile.lab_network(declared)
            octets = [node_set["first_host"] for node_set in (declared["control_plane"], *declared["workers"].values())]
            assert all(network.node_pods(octet).subnet_of(network.pods) for octet in octets)
            assert {path for path, _ in stackfile.overrides(lab, MACHINE, declared)} >= {"image.source"}
