from pathlib import Path

import pytest

from image import build, debian, parts, pins
from image.build import ImageOptions, image_key
from image.command import BuildError
from image.key import content_key, tree_digest


@pytest.fixture(autouse=True)
def no_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "go_version", lambda: "go1.26.8")


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    folder = tmp_path / "overlay"
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/file").write_text("content")
    return folder


def test_the_key_of_an_overlay_does_not_depend_on_where_it_lies(overlay: Path, tmp_path: Path) -> None:
    before = image_key(ImageOptions(overlays=(overlay,)))
    assert before == image_key(ImageOptions(overlays=(overlay.rename(tmp_path / "moved"),)))
    assert before != image_key(ImageOptions())


def test_content_name_permission_and_link_of_an_overlay_change_its_digest(overlay: Path) -> None:
    file = overlay / "etc/file"
    seen = [tree_digest(overlay)]
    file.write_text("changed")
    seen.append(tree_digest(overlay))
    file.chmod(0o600)
    seen.append(tree_digest(overlay))
    file.rename(overlay / "etc/other")
    seen.append(tree_digest(overlay))
    (overlay / "etc/link").symlink_to("other")
    seen.append(tree_digest(overlay))
    (overlay / "etc/link").unlink()
    (overlay / "etc/link").symlink_to("elsewhere")
    seen.append(tree_digest(overlay))
    (overlay / "empty").mkdir()
    seen.append(tree_digest(overlay))
    assert len(set(seen)) == len(seen)


def test_python_caches_do_not_count(overlay: Path) -> None:
    before = tree_digest(overlay)
    (overlay / "__pycache__").mkdir()
    (overlay / "__pycache__/x.cpython-311.pyc").write_bytes(b"x")
    assert tree_digest(overlay) == before


def test_later_overlays_win_so_their_order_counts(overlay: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert image_key(ImageOptions(overlays=(overlay, other))) != image_key(ImageOptions(overlays=(other, overlay)))


def test_packages_count_but_their_order_does_not() -> None:
    both = image_key(ImageOptions(packages=("bird2", "frr")))
    assert both == image_key(ImageOptions(packages=("frr", "bird2")))
    assert both != image_key(ImageOptions(packages=("bird2",)))


def test_every_option_has_its_own_key() -> None:
    options = [
        ImageOptions(),
        ImageOptions(suite="trixie"),
        ImageOptions(source="modules"),
        ImageOptions(source="upstream"),
        ImageOptions(upstream_url="https://mirror.example/release"),
    ]
    assert len({image_key(option) for option in options}) == len(options)


def test_a_new_compiler_a_new_flag_and_a_new_initrd_recipe_give_a_new_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = [image_key(ImageOptions())]
    monkeypatch.setattr(parts, "go_version", lambda: "go1.27.0")
    seen.append(image_key(ImageOptions()))
    monkeypatch.setitem(parts.GO_ENV, "GOAMD64", "v3")
    seen.append(image_key(ImageOptions()))
    (tmp_path / "modules").write_text("virtio_scsi\n")
    monkeypatch.setattr(debian, "_INITRAMFS", tmp_path)
    seen.append(image_key(ImageOptions()))
    monkeypatch.setattr(debian, "NODE_PACKAGES", (*pins.NODE_PACKAGES, "htop"))
    seen.append(image_key(ImageOptions()))
    assert len(set(seen)) == len(seen)


def test_a_changed_recipe_gives_a_new_key(monkeypatch: pytest.MonkeyPatch, overlay: Path) -> None:
    before = image_key(ImageOptions())
    monkeypatch.setattr(build, "_RECIPE", overlay)
    assert image_key(ImageOptions()) != before


def test_a_changed_module_file_changes_the_keys_of_its_programs_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    etcd, coredns = (part for part in pins.PARTS if part.name in ("etcd", "coredns"))
    for name in ("etcd", "coredns"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "go.sum").write_text("a")
    monkeypatch.setattr(parts, "MODULES", tmp_path)
    before = parts.program_key(etcd, "etcd", "modules"), parts.program_key(coredns, "coredns", "modules")
    (tmp_path / "etcd/go.sum").write_text("b")
    after = parts.program_key(etcd, "etcd", "modules"), parts.program_key(coredns, "coredns", "modules")
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_content_keys_do_not_run_together() -> None:
    assert content_key(a="xy", b="z") != content_key(a="x", b="yz")
    assert content_key(a="x", b="y") == content_key(b="y", a="x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ImageOptions(overlays=(Path("/nonexistent/overlay"),)), "no such folder"),
        (ImageOptions(packages=("bird2; reboot",)), "not a Debian package name"),
        (ImageOptions(packages=("--purge",)), "not a Debian package name"),
        (ImageOptions(suite="../x"), "not a Debian release"),
    ],
)
def test_options_that_cannot_be_built_are_refused_before_anything_is_made(options: ImageOptions, message: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=message):
        build.ensure_image(options, print, root=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
