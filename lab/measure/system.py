"""The guest that measures disks: the node's Debian with fio in it, whose first program is the measurement itself."""

import tempfile
from pathlib import Path

from image.build import ImageOptions
from image.cache import build_lock, ensure_entry
from image.debian import debian_key, ensure_debian, unpack
from image.disk import write_disk
from image.key import content_key
from image.tree import take_boot_files
from lab.places import cache_dir
from lab.progress import Progress

PACKAGES = ("fio",)
INIT = "/measure"
BEGIN, END = "underlay: fio says", "underlay: fio has said all"
SCRIPT = f"""\
#!/bin/bash
# The first program of the guest: runs the jobs that the kernel's command line names on its first disk, and powers off.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /tmp
seconds=$(sed -n 's/.*measure.seconds=\\([0-9]*\\).*/\\1/p' /proc/cmdline)
common="--filename=/dev/vda --direct=1 --time_based --runtime=$seconds --ramp_time=1 --randrepeat=0 --norandommap --group_reporting"
job() {{
    name=$1
    shift
    echo "{BEGIN} $name"
    fio --name="$name" $common "$@" --output-format=json --output=/run/said >/run/spoken 2>&1 || cat /run/spoken
    cat /run/said
    echo "{END} $name"
}}
job warm --rw=read --bs=1M --ioengine=libaio --iodepth=4 --runtime=2 >/run/warm 2>&1
job sync-write --rw=randwrite --bs=4k --ioengine=psync --fdatasync=1
job random-read --rw=randread --bs=4k --ioengine=libaio --iodepth=16 --numjobs=2
job sequential-read --rw=read --bs=1M --ioengine=libaio --iodepth=4
job sequential-write --rw=write --bs=1M --ioengine=libaio --iodepth=4
echo "underlay: measured"
sync
echo o > /proc/sysrq-trigger
sleep 60
"""


def ensure(progress: Progress) -> Path:
    """The folder with `system.qcow2`, the kernel `vmlinuz` and `initrd.img` that boot it, made now or found in the cache."""
    options = ImageOptions(packages=PACKAGES)
    root = cache_dir()
    entry = root / "measure" / content_key(debian=debian_key(options.suite, PACKAGES), script=SCRIPT)
    with build_lock(root, progress.note):
        archive = ensure_debian(root, options.suite, PACKAGES, progress.note)

        def fill(folder: Path) -> None:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                tree = Path(scratch) / "tree"
                unpack(archive, tree)
                init = tree / INIT.lstrip("/")
                init.write_text(SCRIPT)
                init.chmod(0o755)
                take_boot_files(tree, folder)
                write_disk(tree, folder / "system.qcow2")

        ensure_entry(entry, fill)
    return entry
