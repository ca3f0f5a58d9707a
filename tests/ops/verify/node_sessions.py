"""What the SSH servers of node_servers.py do; its process imports nothing else of the project, since a test waits until it listens.

`python node_sessions.py FOLDER` reads FOLDER/nodes.json, listens, writes known_hosts, client key and port there and prints a line.
It keeps `most` (connections at the same time) there too, and a file `dialled` once a node that says nothing has a connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh


def new_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")  # pyright: ignore[reportUnknownMemberType] - its options have no types


class _Counted(asyncssh.SSHServer):
    """Counts connections that are open."""

    now = 0
    most = 0
    folder = Path()

    def connection_made(self, conn: object) -> None:
        del conn
        cls = type(self)
        cls.now += 1
        if cls.now > cls.most:
            cls.most = cls.now
            (cls.folder / "most").write_text(str(cls.most))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        type(self).now -= 1


async def _real(process: Any) -> None:
    """A session as OpenSSH gives it: when its connection goes, its standard input ends, and nobody kills anything."""
    child = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", process.command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    feeding = asyncio.create_task(_pump(process.stdin, child.stdin))
    talking = asyncio.create_task(_pump(child.stdout, process.stdout))
    ended = asyncio.gather(talking, child.wait())
    gone = asyncio.create_task(process.channel.wait_closed())
    await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
    feeding.cancel()
    if child.stdin is not None:
        child.stdin.close()
    if ended.done():
        process.exit(child.returncode)
    await child.wait()


async def _pump(source: Any, target: Any) -> None:
    with suppress(OSError, asyncssh.Error):
        while piece := await source.read(65536):
            target.write(piece)
            await target.drain()
    if hasattr(target, "write_eof") and not isinstance(target, asyncssh.SSHWriter):
        target.close()


async def _task(process: Any) -> dict[str, Any]:
    """What the client asks; the program that would answer is thrown away."""
    task = b""
    for _ in range(2):
        size = int(await process.stdin.readexactly(10))
        task = await process.stdin.readexactly(size)
    return json.loads(task)


def _frame(key: str, output: bytes) -> bytes:
    head = {"key": key, "exit": 0, "error": "", "bytes": len(output)}
    return json.dumps(head).encode() + b"\n" + output


async def _made_up(process: Any) -> None:
    """A node that answers at once in the manner of the real program, without any process."""
    task = await _task(process)
    process.stdout.write(f"motd\n\n{task['nonce']}\n".encode())
    for probe in [*task["light"], *task["heavy"]]:
        kib, _, wait_s = probe["script"].partition(" ")
        await asyncio.sleep(float(wait_s))
        process.stdout.write(_frame(probe["key"], b"x" * (int(kib) * 1024)))
        await process.stdout.drain()
    process.exit(0)


async def _puzzled(process: Any) -> None:
    """A node that answers every question with something that is no answer to it."""
    task = await _task(process)
    process.stdout.write(f"\n{task['nonce']}\n".encode())
    for probe in [*task["light"], *task["heavy"]]:
        await asyncio.sleep(1 if probe in task["heavy"] else 0.02)
        process.stdout.write(_frame(probe["key"], b"what?\n" * 100))
        await process.stdout.drain()
    process.exit(0)


async def _silent(process: Any) -> None:
    await process.channel.wait_closed()


async def _flood(process: Any) -> None:
    while True:
        process.stdout.write(b"y" * 65536)
        await process.stdout.drain()


async def _lines(process: Any) -> None:
    while True:
        process.stdout.write(b"y\n" * 4096)
        await process.stdout.drain()


async def _huge(process: Any) -> None:
    task = await _task(process)
    head = {"key": task["light"][0]["key"], "exit": 0, "error": "", "bytes": 1 << 40}
    process.stdout.write(f"\n{task['nonce']}\n{json.dumps(head)}\n".encode())
    await _flood(process)


async def _garbage(process: Any) -> None:
    task = await _task(process)
    process.stdout.write(f"\n{task['nonce']}\n{{}}\n".encode())
    await _silent(process)


async def _half(process: Any) -> None:
    task = await _task(process)
    process.stdout.write(
        f"\n{task['nonce']}\n".encode() + _frame(task["light"][0]["key"], b"whole") + _frame(task["light"][1]["key"], b"z" * 100)[:-50]
    )
    process.exit(0)


async def _broken_off(process: Any) -> None:
    task = await _task(process)
    process.stdout.write(f"\n{task['nonce']}\n".encode() + _frame(task["light"][0]["key"], b"whole"))
    await process.stdout.drain()
    process.channel.get_connection().abort()


async def _no_python(process: Any) -> None:
    process.exit(127)


SESSIONS = {
    "real": _real,
    "made-up": _made_up,
    "puzzled": _puzzled,
    "silent": _silent,
    "flood": _flood,
    "lines": _lines,
    "huge": _huge,
    "garbage": _garbage,
    "half": _half,
    "broken-off": _broken_off,
    "no-python": _no_python,
    "other-key": _made_up,
}
"""What a node does; `closed` has nobody who listens, `deaf` accepts connections and says nothing."""


async def _hang_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    (_Counted.folder / "dialled").touch()
    with suppress(OSError):
        await reader.read()
    writer.close()


async def _serve(folder: Path) -> None:
    nodes: dict[str, dict[str, str]] = json.loads((folder / "nodes.json").read_text())
    client = new_key()
    (folder / "client").write_bytes(client.export_private_key())
    (folder / "client.pub").write_bytes(client.export_public_key())
    (folder / "most").write_text("0")
    _Counted.folder = folder
    port, known, servers = 0, list[str](), list[Any]()
    for name, node in nodes.items():
        key = new_key()
        shown = new_key() if node["manner"] == "other-key" else key
        known.append(f"{name},{node['address']} {key.export_public_key().decode().strip()}")
        if node["manner"] == "closed":
            continue
        if node["manner"] == "deaf":
            servers.append(await asyncio.start_server(_hang_tcp, node["address"], port))
            port = port or servers[-1].sockets[0].getsockname()[1]
            continue
        servers.append(
            await asyncssh.listen(
                node["address"],
                port,
                server_factory=_Counted,
                server_host_keys=[shown],
                authorized_client_keys=str(folder / "client.pub"),
                process_factory=SESSIONS[node["manner"]],
                encoding=None,
                keepalive_interval=0,
                backlog=300,
            )
        )
        port = port or servers[-1].get_port()
    (folder / "known_hosts").write_text("\n".join(known) + "\n")
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.disable()
    asyncio.run(_serve(Path(sys.argv[1])))
