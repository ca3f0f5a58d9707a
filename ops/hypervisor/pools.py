"""Storage pools of a host, and whether they lie on NVMe, as far as their definitions say it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ops.doctor.host_xml import tree
from ops.doctor.questions import lines
from ops.hypervisor.model import Drive
from ops.verify.model import Said


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A pool that machines' disks could lie in."""

    name: str
    kind: Literal["dir", "logical"]
    places: tuple[str, ...]
    """Devices of a logical pool, the folder of the other."""
    nvme: bool | None
    """Whether all its devices are NVMe; None where its definition names none."""


def pools(said: Mapping[str, Said], drives: Sequence[Drive]) -> Iterator[Pool]:
    """Every pool of a kind that the settings know."""
    known = {name for drive in drives for name in drive.names}
    for name in sorted(lines(said.get("pools"))):
        document = tree(said.get(f"storage {name}"))
        kind = document.get("type") if document is not None else None
        if document is None or kind not in ("dir", "logical"):
            continue
        if kind == "dir":
            yield Pool(name=name, kind="dir", places=(document.findtext("target/path", ""),), nvme=None)
            continue
        devices = tuple(device.get("path", "") for device in document.iterfind("source/device"))
        nvme = all(device.startswith("/dev/nvme") or any(device.startswith(name) for name in known) for device in devices) if devices else None
        yield Pool(name=name, kind="logical", places=devices, nvme=nvme)
