import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from image.oci import ContainerImage, write_archive


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF" + bytes(range(256)) * 50)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/sbin/tool").write_text("tool")
    (root / "usr/sbin/tool").chmod(0o755)
    (root / "usr/sbin/alias").symlink_to("tool")
    (root / "sbin").symlink_to("usr/sbin")
    (root / "tmp").mkdir()
    return root


def images_of(program: Path, tree: Path) -> list[ContainerImage]:
    return [
        ContainerImage(name="example.org/plain:v1", files={"/usr/local/bin/plain": program}, labels={"version": "v9"}),
        ContainerImage(name="example.org/deep/tools:2.0-1", files={"/usr/local/bin/x": program}, tree=tree, entrypoint=("/usr/local/bin/x",)),
    ]


def blob(archive: tarfile.TarFile, descriptor: dict[str, Any]) -> bytes:
    """The blob that a descriptor names, which must have the size and digest it says."""
    file = archive.extractfile(f"blobs/{descriptor['digest'].replace(':', '/')}")
    assert file is not None
    data = file.read()
    assert len(data) == descriptor["size"]
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == descriptor["digest"]
    return data


def layer_members(archive: tarfile.TarFile, manifest: dict[str, Any], scratch: Path) -> dict[str, tarfile.TarInfo]:
    scratch.write_bytes(blob(archive, manifest["layers"][0]))
    with tarfile.open(scratch) as layer:
        members = layer.getmembers()
    assert len({member.name for member in members}) == len(members), "a path is in the layer twice"
    return {member.name: member for member in members}


def test_every_descriptor_leads_to_its_blob_and_the_diff_ids_are_the_layers(tmp_path: Path, program: Path, tree: Path) -> None:
    digests = write_archive(tmp_path / "images.tar", images_of(program, tree))
    with tarfile.open(tmp_path / "images.tar") as archive:
        layout = archive.extractfile("oci-layout")
        assert layout is not None
        assert json.loads(layout.read()) == {"imageLayoutVersion": "1.0.0"}
        index_file = archive.extractfile("index.json")
        assert index_file is not None
        index = json.loads(index_file.read())
        assert {entry["annotations"]["io.containerd.image.name"]: entry["digest"] for entry in index["manifests"]} == digests
        for entry in index["manifests"]:
            manifest = json.loads(blob(archive, entry))
            config = json.loads(blob(archive, manifest["config"]))
            assert manifest["mediaType"] == entry["mediaType"]
            assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
            for layer in manifest["layers"]:
                blob(archive, layer)


def test_a_plain_image_has_its_program_executable_and_users_to_run_as(tmp_path: Path, program: Path, tree: Path) -> None:
    write_archive(tmp_path / "images.tar", images_of(program, tree))
    with tarfile.open(tmp_path / "images.tar") as archive:
        index = json.load(archive.extractfile("index.json") or pytest.fail("no index"))
        manifest = json.loads(blob(archive, index["manifests"][0]))
        members = layer_members(archive, manifest, tmp_path / "layer")
        config = json.loads(blob(archive, manifest["config"]))
    assert members["usr/local/bin/plain"].mode == 0o755
    assert members["usr/local"].isdir()
    assert members["tmp"].mode == 0o1777
    assert "etc/passwd" in members
    assert config["config"]["Labels"] == {"version": "v9"}
    assert "Entrypoint" not in config["config"]


def test_a_parent_comes_before_what_is_in_it_and_links_stay_links(tmp_path: Path, program: Path, tree: Path) -> None:
    write_archive(tmp_path / "images.tar", images_of(program, tree))
    with tarfile.open(tmp_path / "images.tar") as archive:
        index = json.load(archive.extractfile("index.json") or pytest.fail("no index"))
        manifest = json.loads(blob(archive, index["manifests"][1]))
        members = layer_members(archive, manifest, tmp_path / "layer")
    names = list(members)
    for name in names:
        parent = name.rpartition("/")[0]
        assert not parent or names.index(parent) < names.index(name)
    assert members["sbin"].linkname == "usr/sbin"
    assert members["usr/sbin/alias"].linkname == "tool"
    assert "etc/passwd" not in members, "a tree brings its own"


def test_times_and_creation_order_do_not_reach_the_archive(tmp_path: Path, program: Path, tree: Path) -> None:
    first = write_archive(tmp_path / "a.tar", images_of(program, tree))
    other = tmp_path / "other"
    for name in ("tmp", "usr/sbin"):
        (other / name).mkdir(parents=True)
    (other / "sbin").symlink_to("usr/sbin")
    (other / "usr/sbin/alias").symlink_to("tool")
    (other / "usr/sbin/tool").write_text("tool")
    (other / "usr/sbin/tool").chmod(0o711)
    os.utime(other / "usr/sbin/tool", (1, 1))
    os.utime(program, (2, 2))
    second = write_archive(tmp_path / "b.tar", images_of(program, other))
    assert first == second
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_other_content_gives_another_digest(tmp_path: Path, program: Path, tree: Path) -> None:
    first = write_archive(tmp_path / "a.tar", images_of(program, tree))
    (tree / "usr/sbin/tool").write_text("changed")
    second = write_archive(tmp_path / "b.tar", images_of(program, tree))
    assert first["example.org/plain:v1"] == second["example.org/plain:v1"]
    assert first["example.org/deep/tools:2.0-1"] != second["example.org/deep/tools:2.0-1"]


def test_equal_layers_are_stored_once(tmp_path: Path, program: Path) -> None:
    files = {"/bin/x": program}
    write_archive(tmp_path / "images.tar", [ContainerImage(name=f"example.org/{name}:1", files=files) for name in ("a", "b")])
    with tarfile.open(tmp_path / "images.tar") as archive:
        names = archive.getnames()
    assert len(names) == len(set(names))
    assert not (tmp_path / "images.layer").exists()
