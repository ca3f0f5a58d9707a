"""Whether KVM works here: a device that opens proves nothing, so a tiny guest has to boot."""

import os
import stat
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab.places import boot_id, cache_dir

MARKER = b"underlay: a guest has booted\n"
BOOT_S = 20.0
LOAD_ADDRESS = 0x400000
HEADERS = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")


def record() -> Path:
    """Where the answer is kept, with the boot of this machine that it holds for."""
    return cache_dir() / "domain-type"


def known() -> str | None:
    """The answer that was found since this machine booted, if it was looked for."""
    try:
        boot, found = record().read_text().split()
    except (OSError, ValueError):
        return None
    return found if boot == boot_id() else None


def domain_type(kernel: Path) -> str:
    """`kvm` where a guest with this kernel boots under it, else `qemu`; looked at once in each boot of the machine."""
    found = known()
    if found is None:
        found = "kvm" if boots(kernel, "kvm") else "qemu"
        record().parent.mkdir(parents=True, exist_ok=True)
        record().write_text(f"{boot_id()} {found}\n")
    return found


def boots(kernel: Path, accelerator: str) -> bool:
    """Whether a guest with the kernel reaches its first program under the accelerator within BOOT_S seconds."""
    if accelerator == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with tempfile.TemporaryDirectory(prefix="underlay-kvm-") as scratch:
        initrd = Path(scratch) / "initrd"
        initrd.write_bytes(archive(program()))
        guest = ["qemu-system-x86_64", "-accel", accelerator, "-m", "256", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"]
        boot = ["-kernel", str(kernel), "-initrd", str(initrd), "-append", "console=ttyS0 panic=-1 quiet"]
        try:
            said = subprocess.run(
                [*guest, *boot], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=BOOT_S, check=False
            ).stdout
        except subprocess.TimeoutExpired as late:
            said = late.stdout or b""
        except FileNotFoundError:
            return False
    return MARKER.strip() in said


def program() -> bytes:
    """An x86-64 ELF executable that writes MARKER to its console and powers the machine off."""
    write = b"\xb8\x01\0\0\0" + b"\xbf\x01\0\0\0" + b"\xbe%s" + b"\xba" + struct.pack("<I", len(MARKER)) + b"\x0f\x05"
    # reboot(2): its two magic numbers, then "power off".
    off = b"\xb8\xa9\0\0\0" + b"\xbf\xad\xde\xe1\xfe" + b"\xbe\x69\x19\x12\x28" + b"\xba\xdc\xfe\x21\x43" + b"\x0f\x05" + b"\xeb\xfe"
    file_header, segment_header = HEADERS
    start = file_header.size + segment_header.size
    text_at = LOAD_ADDRESS + start + len(write) - 2 + 4 + len(off)
    code = write.replace(b"%s", struct.pack("<I", text_at)) + off + MARKER
    size = start + len(code)
    header = file_header.pack(
        b"\x7fELF\x02\x01\x01", 2, 62, 1, LOAD_ADDRESS + start, file_header.size, 0, 0, file_header.size, segment_header.size, 1, 0, 0, 0
    )
    return header + segment_header.pack(1, 5, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, 0x1000) + code


def archive(init: bytes) -> bytes:
    """A cpio archive (newc) with a console and one program, `/init`: all that the kernel needs."""
    entries = [
        ("dev", stat.S_IFDIR | 0o755, (0, 0), b""),
        ("dev/console", stat.S_IFCHR | 0o600, (5, 1), b""),
        ("init", stat.S_IFREG | 0o755, (0, 0), init),
        ("TRAILER!!!", 0, (0, 0), b""),
    ]
    return b"".join(part for number, entry in enumerate(entries) for part in _member(number, *entry))


def _member(number: int, name: str, mode: int, device: tuple[int, int], content: bytes) -> Iterator[bytes]:
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    yield head + bytes(-len(head) % 4)
    yield content + bytes(-len(content) % 4)
