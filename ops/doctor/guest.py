"""The smallest Linux guest there is: one program as initrd. That KVM is there proves little; that this guest boots proves that it works."""

import base64
import gzip
import shlex
import stat
import struct
from collections.abc import Sequence
from typing import Final

MARK: Final = "underlay: this guest has booted"
BOOT_S: Final = 20
_BASE: Final = 0x400000
_HEADERS: Final = 64 + 56
_KERNELS: Final = ("/boot/vmlinuz-$(uname -r)", "/lib/modules/$(uname -r)/vmlinuz")


def program() -> bytes:
    """An x86-64 ELF executable that writes MARK to the console and powers the guest off."""
    text = f"{MARK}\n".encode()
    # write(1, text, length), then reboot(2) with its two magic numbers and "power off", then a loop in case that is refused
    reboot = b"\xb8\xa9\0\0\0\xbf\xad\xde\xe1\xfe\xbe\x69\x19\x12\x28\xba\xdc\xfe\x21\x43\x0f\x05\xeb\xfe"
    at = _BASE + _HEADERS + 22 + len(reboot)
    write = b"\xb8\1\0\0\0\xbf\1\0\0\0\xbe" + struct.pack("<I", at) + b"\xba" + struct.pack("<I", len(text)) + b"\x0f\x05"
    size = _HEADERS + len(write) + len(reboot) + len(text)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = identity + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 4096)
    return header + segment + write + reboot + text


def initrd() -> bytes:
    """A compressed cpio archive with a console and the program as /init."""
    members = (("dev", stat.S_IFDIR | 0o755, 0, b""), ("dev/console", stat.S_IFCHR | 0o600, 1, b""), ("init", stat.S_IFREG | 0o755, 0, program()))
    end = ("TRAILER!!!", 0, 0, b"")
    archive = b"".join(_member(number, *member) for number, member in enumerate((*members, end), 1))
    return gzip.compress(archive, mtime=0)


def _member(number: int, name: str, mode: int, console: int, content: bytes) -> bytes:
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 5 * console, console, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def script(emulator: str, kernels: Sequence[str] = ()) -> str:
    """Bash that boots the guest under KVM and says `booted`, or what came instead; a folder in /tmp is there meanwhile.

    The kernel is one of `kernels`, else the host's own.
    """
    known = " ".join([*map(shlex.quote, kernels), *(f'"{path}"' for path in _KERNELS)])
    emulators = f"{shlex.quote(emulator)} qemu-system-x86_64 /usr/libexec/qemu-kvm"
    return f"""\
[ -c /dev/kvm ] || {{ echo 'no /dev/kvm'; exit 3; }}
[ -r /dev/kvm ] && [ -w /dev/kvm ] || {{ echo 'no right to open /dev/kvm'; exit 4; }}
kernel=; for file in {known}; do [ -r "$file" ] && kernel=$file && break; done
[ -n "$kernel" ] || {{ echo 'no kernel that can be read'; exit 4; }}
emulator=; for file in {emulators}; do command -v "$file" >/dev/null && emulator=$file && break; done
[ -n "$emulator" ] || {{ echo 'no QEMU that can be run'; exit 4; }}
folder=$(mktemp -d) || exit 4
trap 'rm -rf "$folder"' EXIT
base64 -d > "$folder/initrd" <<'EOF'
{base64.b64encode(initrd()).decode()}
EOF
said=$(timeout --kill-after=2 {BOOT_S} "$emulator" -accel kvm -cpu host -m 512 -nodefaults -no-user-config -display none -no-reboot \\
    -serial stdio -kernel "$kernel" -initrd "$folder/initrd" -append 'console=ttyS0 panic=-1 quiet' </dev/null 2>&1 | tr -d '\\r\\0')
case $said in *'{MARK}'*) echo booted; exit 0;; esac
printf '%s\\n' "$said" | tail -n 3
exit 5
"""
