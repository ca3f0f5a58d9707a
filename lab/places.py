"""Where one lab keeps its things: everything of it is found by its name and the checkout alone."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


class LabError(Exception):
    """Something the person at the terminal has to know; the message says what and what to do."""


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One lab: its name and the checkout it belongs to."""

    name: str
    checkout: Path = CHECKOUT

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise LabError(f"lab name {self.name!r}: use a lower-case letter, then up to 19 lower-case letters, digits or dashes")

    @property
    def root(self) -> Path:
        """The lab's state in the checkout: what `make down` removes."""
        return self.checkout / ".lab" / self.name

    @property
    def run_dir(self) -> Path:
        """Sockets and pid files; gone after a reboot, as the processes are."""
        return Path("/run/underlay") / self.name

    @property
    def namespace(self) -> str:
        """The network namespace that everything of the lab runs in."""
        return f"underlay-{self.name}"

    @property
    def libvirt_socket(self) -> Path:
        """The socket of the lab's own libvirt, reachable from every network namespace."""
        return self.run_dir / "libvirt" / "libvirt-sock"

    @property
    def libvirt_uri(self) -> str:
        """What `virsh -c` and the libvirt provider connect to."""
        return f"qemu:///system?socket={self.libvirt_socket}"

    @property
    def pool_dir(self) -> Path:
        """The directory of the storage pool that the nodes' disks are in."""
        return self.root / "pool"

    @property
    def log_dir(self) -> Path:
        """Logs of the engine, of libvirt and of the guests' consoles."""
        return self.root / "log"


def cache_dir() -> Path:
    """What can be made again and is shared by all checkouts: `UNDERLAY_CACHE`, else `~/.cache/underlay`."""
    return Path(os.environ.get("UNDERLAY_CACHE") or Path.home() / ".cache" / "underlay")


def offline() -> bool:
    """Whether UNDERLAY_OFFLINE forbids to look for things anywhere but in package registries."""
    return os.environ.get("UNDERLAY_OFFLINE", "") not in {"", "0"}


def boot_id() -> str:
    """The machine's present boot, so that what holds for one boot only can say so."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Put a file of mode 0600 in place in one step, so that a reader never sees half of it and nobody else sees any."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    part.replace(path)
