"""Archives of Calico's images: found by the names inside them, all or none."""

import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from image.build import ImageOptions, image_key
from image.command import BuildError
from image.containers import Preloaded, preload
from image.oci import ContainerImage, write_archive
from image.parts import Program
from lab import calico_images, machine, stackfile
from lab.calico_images import NAMES, names_in, resolve, wanted
from lab.places import CHECKOUT, Lab, LabError, cache_dir
from settings.calico import Calico

VERSION = Calico.model_fields["version"].default


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    for part in ("stacks/Pulumi.lab.yaml", "Pulumi.yaml"):
        target = tmp_path / "checkout" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((CHECKOUT / part).read_text())
    return Lab(name="one", checkout=tmp_path / "checkout")


def oci(folder: Path, name: str, version: str = VERSION) -> Path:
    """A tiny OCI archive, as `ctr images export` or skopeo writes one."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}.tar"
    write_archive(path, [ContainerImage(name=f"quay.io/calico/{name}:v{version}", files={"/init": Path("/bin/true")})])
    return path


def docker(folder: Path, name: str) -> Path:
    """The part of a Docker archive that names its images."""
    folder.mkdir(exist_ok=True)
    path = folder / f"saved-{name}.tar.gz"
    content = json.dumps([{"Config": "c.json", "RepoTags": [f"quay.io/calico/{name}:v{VERSION}"], "Layers": []}]).encode()
    with tarfile.open(path, "w:gz") as tar:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return path


def test_names_are_read_from_inside_whatever_the_file_is_called(tmp_path: Path) -> None:
    assert f"quay.io/calico/node:v{VERSION}" in names_in(oci(tmp_path, "node"))
    assert names_in(docker(tmp_path, "cni")) == {f"quay.io/calico/cni:v{VERSION}"}
    other = tmp_path / "other.tar"
    other.write_bytes(b"no archive")
    assert names_in(other) == set()


def test_all_archives_mean_calico_and_an_image_with_them_and_nothing_of_the_labs(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    archives = {oci(folder, name) for name in NAMES}
    found = resolve(lab, "lab", [], str(folder))
    assert set(found.pods.archives) == archives
    assert found.declared["pod_network"]["kind"] == "calico"
    assert ("pod_network.kind", "calico") in found.settings
    options = machine.image_options(lab, stackfile.lab_network(found.declared), found.pods)
    assert (options.overlays, options.packages, set(options.archives)) == ((), (), archives)


def test_other_content_is_another_image(tmp_path: Path) -> None:
    first = image_key(ImageOptions(archives=(oci(tmp_path, "node"),)))
    assert first == image_key(ImageOptions(archives=(oci(tmp_path, "node"),)))
    assert first != image_key(ImageOptions(archives=(oci(tmp_path, "cni"),)))
    assert first != image_key(ImageOptions())


def test_a_missing_image_is_named_and_the_lab_stays_with_bird(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for name in NAMES[1:]:
        oci(folder, name)
    oci(folder, NAMES[0], "3.31.7")
    found = resolve(lab, "lab", [], str(folder))
    assert not found.pods.calico
    assert found.declared["pod_network"]["kind"] == "external"
    assert f"has no archive of quay.io/calico/{NAMES[0]}:v{VERSION}" in found.line
    options = machine.image_options(lab, stackfile.lab_network(found.declared), found.pods)
    assert options.packages == ("bird2",)
    assert len(options.overlays) == 1


def test_nodes_with_calico_and_without_its_images_are_refused(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(LabError, match="kind is calico, and these images are in no archive"):
        resolve(lab, "lab", [("pod_network.kind", "calico")], str(tmp_path / "images"), needed=True)
    assert not resolve(lab, "lab", [("pod_network.kind", "calico")], str(tmp_path / "images")).pods.calico  # a preview needs no image


def test_somebody_who_asks_for_the_labs_bird_gets_it(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for name in NAMES:
        oci(folder, name)
    assert not resolve(lab, "lab", [("pod_network.kind", "external")], str(folder)).pods.calico


def test_the_folder_of_the_last_up_holds_until_down(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    lab.root.mkdir(parents=True)
    calico_images.note(lab, folder)
    assert calico_images.folder(lab, None) == folder
    with pytest.raises(LabError, match="there is no such folder"):
        calico_images.folder(lab, str(tmp_path / "nowhere"))


def test_a_mirror_and_a_version_are_in_the_names() -> None:
    names = wanted({"pod_network": {"calico": {"registry": "registry.example/calico", "version": "3.31.7"}}})
    assert names[0] == "registry.example/calico/apiserver:v3.31.7"


def test_containerd_takes_the_archives_of_others_into_the_nodes_store(tmp_path: Path) -> None:
    programs = {name: Program(name=name, version="", source="", sha256="", path=Path(program(name))) for name in ("containerd", "ctr")}
    own = tmp_path / "own.tar"
    write_archive(own, [ContainerImage(name="registry.k8s.io/pause:1", files={"/pause": Path("/bin/true")})])
    names = ["registry.k8s.io/pause:1", *(f"quay.io/calico/{name}:v{VERSION}" for name in NAMES)]
    images = [Preloaded(name=name, program="", version="", digest="") for name in names]
    with pytest.raises(BuildError, match=r"quay\.io/calico/apiserver"):  # it looks for each of them
        preload(tmp_path / "without", own, programs, images)
    preload(tmp_path / "tree", own, programs, images, [oci(tmp_path / "images", name) for name in NAMES])
    snapshots = tmp_path / "tree/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots"
    assert len([path for path in snapshots.glob("*/fs/init") if path.is_file()]) == 1  # unpacked; one layer, as all have the same


def program(name: str) -> str:
    """A program of the image builder's; `make check` names their folder."""
    folder = os.environ.get("UNDERLAY_BIN")
    built = sorted(cache_dir().glob(f"programs/{name}-*/{name}"), key=lambda path: path.stat().st_mtime)
    found = shutil.which(name, path=folder) if folder else str(built[-1]) if built else None
    if found is None or os.geteuid() != 0:
        pytest.skip(f"needs root, and {name} (looked in UNDERLAY_BIN, ~/.cache/underlay/programs)")
    return found
