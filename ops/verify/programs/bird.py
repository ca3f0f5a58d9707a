"""Asks the node's BIRD for its sessions as `birdc show protocols all` does, and may change nothing there."""

import socket
import sys
from pathlib import Path

SOCKETS = ("/var/run/calico/bird.ctl", "/run/bird/bird.ctl", "/run/bird.ctl", "/var/run/bird/bird.ctl")
TIMEOUT_S = 8


def ask(control: socket.socket, words: str) -> str:
    """One command's answer without its codes: each line has four digits before it, or a space where it goes on."""
    if words:
        control.sendall(f"{words}\n".encode())
    text = b""
    while not ended(text):
        piece = control.recv(1 << 16)
        if not piece:
            break
        text += piece
    lines = text.decode(errors="replace").splitlines()
    return "".join(f"{line[5:] if line[:4].isdigit() else line[1:]}\n" for line in lines)


def ended(text: bytes) -> bool:
    """Whether the last line is whole and says that nothing follows."""
    if not text.endswith(b"\n"):
        return False
    last = text[:-1].rpartition(b"\n")[2]
    return last[:4].isdigit() and last[4:5] == b" "


def main() -> None:
    """Print all; the exit code is 3 where no BIRD answers."""
    for path in SOCKETS:
        if not Path(path).is_socket():
            continue
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(TIMEOUT_S)
            try:
                control.connect(path)
                sys.stdout.write(ask(control, "") + ask(control, "restrict") + ask(control, "show protocols all"))
            except OSError as error:
                print(f"BIRD does not answer at {path}: {error}")
                sys.exit(3)
            return
    print(f"no BIRD runs: none of {', '.join(SOCKETS)}")
    sys.exit(3)


if __name__ == "__main__":
    main()
