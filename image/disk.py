"""A folder tree made into a qcow2 disk with one ext4 filesystem."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from image.command import run
from image.pins import SOURCE_DATE_EPOCH

_FILESYSTEM_UUID = "6f2d1c9e-3d0b-4a1e-9a55-756e6465726c"
_SIZE_STEP_MIB = 256
_SPARE_MIB = 1024


def write_disk(tree: Path, disk: Path) -> None:
    """Write `tree` to `disk`: as small as it can be with a gibibyte to spare, since a node grows it at boot."""
    raw = disk.with_suffix(".raw")
    with raw.open("wb") as file:
        file.truncate(_size_mib(tree) << 20)
    # The same UUID and hash seed in every image: a node's disks are told apart by their device, and builds stay alike.
    options = f"hash_seed={_FILESYSTEM_UUID},lazy_itable_init=0,lazy_journal_init=0"
    command = [
        "mke2fs",
        "-q",
        "-t",
        "ext4",
        "-L",
        "root",
        "-U",
        _FILESYSTEM_UUID,
        "-E",
        options,
        "-J",
        "size=64",
        "-m",
        "1",
        "-d",
        str(tree),
        str(raw),
    ]
    run(command, env={**os.environ, "E2FSPROGS_FAKE_TIME": str(SOURCE_DATE_EPOCH)})
    run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(disk)])
    raw.unlink()


def write_raw(disk: Path, raw: Path) -> None:
    """The same disk as a raw file, sparse where it is empty: what a logical volume is filled from."""
    part = raw.with_suffix(".part")
    run(["qemu-img", "convert", "-O", "raw", str(disk), str(part)])
    part.replace(raw)


def _size_mib(tree: Path) -> int:
    used = int(subprocess.run(["du", "--summarize", "--block-size=1M", str(tree)], capture_output=True, text=True, check=True).stdout.split()[0])
    return -(-(used + used // 8 + _SPARE_MIB) // _SIZE_STEP_MIB) * _SIZE_STEP_MIB
