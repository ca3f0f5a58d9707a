"""Block drives of the lab's hypervisors: loop devices over sparse files in the lab's folder, never a device of the machine's own.

A machine gets what stands behind `/dev/underlay/<lab>/<hypervisor>/<drive>`, as it would behind a real host's `/dev/disk/by-id/...`.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from lab.places import Lab, LabError
from lab.process import attempt, run

LINKS = Path("/dev/underlay")
LOOPS = Path("/sys/block")


@dataclass(frozen=True, kw_only=True)
class LoopDrive:
    """One block drive: the file that holds it, and the name under which machines get it."""

    lab: Lab
    hypervisor: str
    name: str
    size_gib: int

    @property
    def file(self) -> Path:
        """The sparse file."""
        return folder(self.lab) / self.hypervisor / self.name

    @property
    def link(self) -> Path:
        """What the stack file names as the drive's device."""
        return LINKS / self.lab.name / self.hypervisor / self.name


def folder(lab: Lab) -> Path:
    """Where the files of all drives are."""
    return lab.root / "drives"


def devices(lab: Lab, content: Mapping[str, Any], local: Iterable[str]) -> dict[tuple[str, str], LoopDrive]:
    """The block drives that an environment declares on this machine, by hypervisor and name. What settings will refuse is left out."""
    found = dict[tuple[str, str], LoopDrive]()
    for hypervisor in local:
        declared = cast("Mapping[str, Mapping[str, Any]]", content["hypervisors"][hypervisor].get("drives") or {})
        for name, drive in declared.items():
            size = drive.get("size_gib")
            if drive.get("kind") == "block" and isinstance(size, int) and size > 0:
                found[hypervisor, name] = LoopDrive(lab=lab, hypervisor=hypervisor, name=name, size_gib=size)
    return found


def make(drive: LoopDrive) -> None:
    """Bring the drive up; what it holds stays."""
    drive.file.parent.mkdir(parents=True, exist_ok=True)
    with drive.file.open("ab") as stream:
        if stream.seek(0, 2) < drive.size_gib << 30:
            stream.truncate(drive.size_gib << 30)
    device = next(_attached(drive.file), None)
    if device is None:
        # Past the page cache where the file system can: else every byte is kept twice, and cache none would not be none.
        direct = attempt(["losetup", "--find", "--show", "--direct-io=on", drive.file])
        device = Path((direct.stdout if direct.returncode == 0 else run(["losetup", "--find", "--show", drive.file])).strip())
    else:
        run(["losetup", "--set-capacity", device])
    drive.link.parent.mkdir(parents=True, exist_ok=True)
    drive.link.unlink(missing_ok=True)
    drive.link.symlink_to(device)


def refuse_logical(content: Mapping[str, Any], local: Iterable[str]) -> None:
    """LabError where a pool would take LVM that the lab has not: a managed one would be made of the machine's own devices."""
    for name in local:
        for key in ("pool", "files_pool"):
            pool = cast("Mapping[str, Any]", content["hypervisors"][name].get(key) or {})
            if pool.get("kind") != "logical":
                continue
            if pool.get("managed"):
                raise LabError(f"hypervisors.{name}.{key} is a managed logical pool: the lab gives no devices of this machine away; write kind: dir")
            if not has_device_mapper():
                raise LabError(f"hypervisors.{name}.{key} is a logical pool, and this machine's kernel has no device mapper; write kind: dir")


def has_device_mapper() -> bool:
    """Whether the kernel has what LVM volumes are made of."""
    return any(words[1:] == ["device-mapper"] for words in map(str.split, Path("/proc/misc").read_text().splitlines()))


def remove(lab: Lab) -> list[str]:
    """Take down all drives of the lab, of which no machine runs any more; gives, one line each, what would not go."""
    for device in _attached(folder(lab)):
        attempt(["losetup", "--detach", device])
    shutil.rmtree(LINKS / lab.name, ignore_errors=True)
    if LINKS.exists() and not any(LINKS.iterdir()):
        LINKS.rmdir()
    return remains(lab)


def remains(lab: Lab) -> list[str]:
    """What is there of the lab's drives outside its folder."""
    links = [LINKS / lab.name] if (LINKS / lab.name).exists() else []
    return [*map(str, links), *(f"loop device {device}" for device in _attached(folder(lab)))]


def _attached(place: Path) -> Iterator[Path]:
    """Loop devices over the file, or over files below the folder."""
    for entry in sorted(LOOPS.glob("loop*/loop/backing_file")):
        try:
            backing = Path(entry.read_text().rstrip("\n").removesuffix(" (deleted)"))
        except OSError:
            continue  # it was detached meanwhile
        if backing == place or backing.is_relative_to(place):
            yield Path("/dev") / entry.parts[-3]
