"""An SSH server on loopback whose sessions run under /bin/sh, for the tests of remote commands."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh


async def _session(process: Any) -> None:
    """Runs the command in a process group that dies with its channel, so that no test leaves anything behind."""
    child = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        process.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **process.env},
        start_new_session=True,
    )
    feeding = asyncio.create_task(_pump(process.stdin, child.stdin, ends=True))
    ended = asyncio.gather(_pump(child.stdout, process.stdout), _pump(child.stderr, process.stderr), child.wait())
    gone = asyncio.create_task(process.channel.wait_closed())
    await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
    feeding.cancel()
    if child.returncode is None:
        os.killpg(child.pid, signal.SIGKILL)
    _, _, status = await ended
    process.exit(status)


async def _pump(source: Any, target: Any, *, ends: bool = False) -> None:
    """Copies bytes until the source ends or nobody takes them."""
    with suppress(OSError, asyncssh.Error):
        while piece := await source.read(65536):
            target.write(piece)
            await target.drain()
    if ends:
        target.close()


class _Gate(asyncssh.SSHServer):
    """Lets its clients go on to any host, as a proxy does."""

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        del dest_host, dest_port, orig_host, orig_port
        return True


async def _serve(folder: Path) -> None:
    """Listens with the folder's host key, lets the folder's client key in, and prints its port."""
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=_Gate,
        server_host_keys=[str(folder / "host")],
        authorized_client_keys=str(folder / "client.pub"),
        process_factory=_session,
        encoding=None,
        allow_scp=False,
    )
    sys.stdout.write(f"{server.get_port()}\n")
    sys.stdout.flush()
    await server.wait_closed()


def write_keys(folder: Path) -> None:
    """A throw-away host key and client key."""
    for name in ("host", "client"):
        key = asyncssh.generate_private_key("ssh-ed25519")  # pyright: ignore[reportUnknownMemberType]
        (folder / name).write_bytes(key.export_private_key())
        (folder / name).chmod(0o600)
        (folder / f"{name}.pub").write_bytes(key.export_public_key())


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
