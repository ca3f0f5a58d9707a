import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from image.disk import write_disk, write_raw

pytestmark = pytest.mark.skipif(
    not (shutil.which("mke2fs") and shutil.which("qemu-img") and shutil.which("debugfs")), reason="needs e2fsprogs, qemu-utils"
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "etc/underlay").mkdir(parents=True)
    (root / "etc/underlay/image.json").write_text("{}\n")
    (root / "etc/link").symlink_to("underlay/image.json")
    (root / "secret").write_text("s")
    (root / "secret").chmod(0o600)
    for path in (*root.rglob("*"), root):
        os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
    return root


def raw_of(disk: Path) -> Path:
    raw = disk.with_suffix(".check")
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, raw], check=True)
    return raw


def test_the_disk_is_one_clean_labelled_filesystem_with_a_journal_and_the_trees_files(tree: Path, tmp_path: Path) -> None:
    write_disk(tree, tmp_path / "node.qcow2")
    assert not (tmp_path / "node.raw").exists()
    info = json.loads(subprocess.run(["qemu-img", "info", "--output=json", tmp_path / "node.qcow2"], capture_output=True, check=True).stdout)
    assert info["format"] == "qcow2"
    assert info["actual-size"] < info["virtual-size"] / 10
    raw = raw_of(tmp_path / "node.qcow2")
    header = subprocess.run(["dumpe2fs", "-h", raw], capture_output=True, text=True, check=True).stdout
    assert "volume name:   root\n" in header
    assert "has_journal" in header
    assert "state:         clean" in header
    shown = subprocess.run(["debugfs", "-R", "stat /secret", raw], capture_output=True, text=True, check=True).stdout
    assert "Mode:  0600" in shown
    cat = subprocess.run(["debugfs", "-R", "cat /etc/underlay/image.json", raw], capture_output=True, text=True, check=True).stdout
    assert cat == "{}\n"
    subprocess.run(["e2fsck", "-fn", raw], capture_output=True, check=True)


def test_the_raw_disk_holds_the_same_bytes_and_no_half_written_one_is_left(tree: Path, tmp_path: Path) -> None:
    write_disk(tree, tmp_path / "node.qcow2")
    write_raw(tmp_path / "node.qcow2", tmp_path / "out.raw")
    compared = subprocess.run(["qemu-img", "compare", tmp_path / "node.qcow2", tmp_path / "out.raw"], capture_output=True, text=True, check=False)
    assert compared.returncode == 0, compared.stdout
    assert not list(tmp_path.glob("*.part"))
