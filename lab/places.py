"""Where one lab keeps its things: everything of it is found by its name and the checkout alone."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
SOCKET_PATH_LIMIT = 107
"""Bytes of a Unix socket's path (unix(7): sun_path less its end)."""


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
    def first(self) -> "LibvirtHost":
        """The hypervisor that every lab has."""
        return LibvirtHost(lab=self)

    @property
    def libvirt_socket(self) -> Path:
        """The socket of the first hypervisor's libvirt, reachable from every network namespace."""
        return self.first.socket

    @property
    def libvirt_uri(self) -> str:
        """What `virsh -c` and the libvirt provider connect to for the first hypervisor."""
        return self.first.uri

    @property
    def pool_dir(self) -> Path:
        """The directory of the first hypervisor's storage pool, which the nodes' disks are in."""
        return self.first.pool_dir

    @property
    def log_dir(self) -> Path:
        """Logs of the engine, of libvirt and of the guests' consoles."""
        return self.root / "log"


@dataclass(frozen=True, kw_only=True)
class LibvirtHost:
    """One hypervisor of a lab: a libvirt with directories of its own, in the namespace and on the bridge of all."""

    lab: Lab
    key: str | None = None
    """Its key in the stack's settings; None for the first, whose paths are without it."""

    def __post_init__(self) -> None:
        if len(str(self.socket)) > SOCKET_PATH_LIMIT:
            raise LabError(f"{self.socket} is longer than a socket's path may be ({SOCKET_PATH_LIMIT}): take shorter names for lab and hypervisor")

    def own(self, name: str) -> str:
        """A name that is this hypervisor's among the lab's."""
        return f"{name}-{self.key}" if self.key else name

    @property
    def socket_dir(self) -> Path:
        """What its daemons have in place of /run/libvirt."""
        return self.lab.run_dir / self.own("libvirt")

    @property
    def socket(self) -> Path:
        """libvirt's socket, reachable from every network namespace."""
        return self.socket_dir / "libvirt-sock"

    @property
    def uri(self) -> str:
        """What `virsh -c` and the libvirt provider connect to."""
        return f"qemu:///system?socket={self.socket}"

    @property
    def pool_dir(self) -> Path:
        """The directory of the storage pool that the nodes' disks are in."""
        return self.lab.root / self.own("pool")

    @property
    def files_dir(self) -> Path:
        """The directory of a storage pool of its own for seeds, kernel and initrd, where the stack has one."""
        return self.lab.root / self.own("files")

    @property
    def directories(self) -> dict[Path, Path]:
        """The lab's own directory behind each of libvirt's."""
        state = self.lab.root / self.own("libvirt")
        return {
            Path("/run/libvirt"): self.socket_dir,
            Path("/etc/libvirt"): state / "etc",
            Path("/var/lib/libvirt"): state / "lib",
            Path("/var/cache/libvirt"): state / "cache",
            Path("/var/log/libvirt"): self.lab.log_dir / self.own("libvirt"),
        }


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
