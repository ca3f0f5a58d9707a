"""A guest that is measured: the product's definition of a planned node, run by the lab's libvirt without the engine."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import hypervisor
from lab.places import LabError, LibvirtHost
from lab.plugins.libvirt.domain_xml import Surroundings, domain_xml
from lab.process import run
from plan import NodePlan
from render.domain import domain_xslt
from settings.hypervisor import Hypervisor


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a guest boots, and the disks that it has: what the provider writes before the stylesheet."""

    kernel: Path
    initrd: Path
    command_line: Sequence[str]
    disks: Sequence[Mapping[str, str]] = ()
    """As the provider's `disks`: `file` or `blockDevice`."""


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A running guest."""

    host: LibvirtHost
    name: str

    def virsh(self, *words: str) -> str:
        """What virsh says."""
        return run(["virsh", "-q", "-c", self.host.uri, *words])

    def process(self) -> int:
        """Its QEMU's process id."""
        return int((self.host.socket_dir / "qemu" / f"{self.name}.pid").read_text())

    def vcpus(self) -> list[Path]:
        """The folders of its vCPU threads in /proc."""
        tasks = [task for task in Path(f"/proc/{self.process()}/task").iterdir() if (task / "comm").read_text().startswith("CPU ")]
        return sorted(tasks, key=lambda task: (task / "comm").read_text())

    def said(self) -> str:
        """All that it has said on its console."""
        path = console(self.host, self.name)
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for(self, mark: str, timeout_s: float) -> str:
        """What it has said when it has said the mark; LabError where it does not in time."""
        return _wait(self.said, mark, timeout_s, self.name)

    def end(self) -> None:
        """Power it off; its definition was never kept."""
        subprocess.run(["virsh", "-q", "-c", self.host.uri, "destroy", self.name], check=False, capture_output=True, timeout=60)


def console(host: LibvirtHost, name: str) -> Path:
    """The file with what a guest says on its console."""
    return hypervisor.seen_from_outside(host, Path(f"/var/log/libvirt/qemu/{name}-console.log"))


def definition(node: NodePlan, settings: Hypervisor, parts: Parts, folder: Path) -> Path:
    """The node's domain as the product defines it, with neither NIC nor seed; files are left in the folder."""
    inputs: dict[str, Any] = {
        "name": node.name,
        "type": settings.domain_type,
        "memory": node.memory_mib,
        "vcpu": node.vcpus,
        "machine": "q35",
        "kernel": str(parts.kernel),
        "initrd": str(parts.initrd),
        "cmdlines": [{"_": " ".join(parts.command_line)}],
        "cpu": {"mode": node.cpu.mode},
        "disks": [dict(disk) for disk in parts.disks],
        "consoles": [{"type": "pty", "targetPort": "0", "targetType": "serial"}],
    }
    sheet, source, target = (folder / f"{node.name}{end}" for end in (".xslt", ".in.xml", ".xml"))
    sheet.write_text(domain_xslt(node, settings, environment="measured"))
    source.write_text(domain_xml(inputs, Surroundings(identity=node.name)))
    run(["xsltproc", "--nonet", "--output", target, sheet, source])
    return target


def start(host: LibvirtHost, name: str, described: Path) -> Guest:
    """Start a guest from its definition; it leaves nothing behind when it ends but what it said."""
    console(host, name).unlink(missing_ok=True)
    guest = Guest(host=host, name=name)
    guest.virsh("create", str(described))
    return guest


def _wait(said: Callable[[], str], mark: str, timeout_s: float, name: str) -> str:
    deadline = time.monotonic() + timeout_s
    while mark not in (text := said()):
        if time.monotonic() > deadline:
            raise LabError(f"guest {name} did not say {mark!r} in {timeout_s:.0f} s; it said last:\n{text[-1500:]}")
        time.sleep(0.3)
    return text
