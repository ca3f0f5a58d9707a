"""libvirt through its own command: one process a call, XML on standard input, so that no secret reaches a disk or a process list."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.plugins.base import ProviderError

_MISSING = re.compile(r"not found|no (domain|storage (pool|vol)|network) with matching|failed to get (domain|pool|vol|network) '", re.IGNORECASE)
_UNREACHABLE = re.compile(r"failed to connect|Failed to connect|Connection refused|Cannot recv data|internal client socket is closed")


_ENGINE = os.getppid()
_EXITING = 0x4
"""The kernel's flag PF_EXITING in a process's stat."""


def engine_is_alive() -> bool:
    """Whether the engine that started this plugin still runs. If not, another `up` may be at work: nothing may be cleaned up.

    A killed engine's connections close, and so cancel what runs here, a moment before this process gets another parent.
    """
    if os.getppid() != _ENGINE:
        return False
    try:
        fields = Path(f"/proc/{_ENGINE}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in {"Z", "X"} and not int(fields[6]) & _EXITING


class VirshError(ProviderError):
    """libvirt refused an operation; the message is its own."""

    @property
    def missing(self) -> bool:
        """Whether it refused because the thing asked for does not exist."""
        return bool(_MISSING.search(str(self)))


async def run(*command: str, stdin: bytes = b"") -> str:
    """A command's standard output. Raises ProviderError with what it said on standard error."""
    # The kernel ends the child when this process is killed: nothing goes on uploading behind the next `up`.
    process = await asyncio.create_subprocess_exec(
        "setpriv",
        "--pdeathsig",
        "KILL",
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C"},
    )
    try:
        output, errors = await process.communicate(stdin)
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode:
        raise VirshError(_reason(command, errors.decode(errors="replace")))
    return output.decode(errors="replace")


def _reason(command: tuple[str, ...], errors: str) -> str:
    lines = [line.removeprefix("error:").strip() for line in errors.splitlines() if line.strip()]
    return "; ".join(dict.fromkeys(lines)) or f"{command[0]} failed without a word"


class Virsh:
    """A libvirt host. Nothing connects before the first call, so a preview never does."""

    def __init__(self) -> None:
        self.uri = ""
        self._locks: dict[str, asyncio.Lock] = {}
        self._fresh: set[str] = set()

    def pool_lock(self, pool: str) -> asyncio.Lock:
        """Held while a pool's volumes change: libvirt refuses to refresh a pool during an upload."""
        return self._locks.setdefault(pool, asyncio.Lock())

    async def __call__(self, *args: str, xml: str = "") -> str:
        """Runs a virsh command; a `/dev/stdin` among its arguments reads `xml`. Raises VirshError."""
        if not self.uri:
            raise ProviderError("the libvirt provider has no `uri`, and LIBVIRT_DEFAULT_URI is not set")
        try:
            return (await run("virsh", "-q", "-c", self.uri, *args, stdin=xml.encode())).strip()
        except VirshError as error:
            if _UNREACHABLE.search(str(error)):
                raise ProviderError(f"cannot reach libvirt at {self.uri}: {error}") from None
            raise

    async def find(self, *args: str) -> str | None:
        """Like a call, but None where the thing asked for does not exist."""
        try:
            return await self(*args)
        except VirshError as error:
            if error.missing:
                return None
            raise

    async def refresh(self, pool: str, *, once: bool = False) -> None:
        """Makes libvirt look at a pool again; with `once` only if this process has not yet. Waits for uploads to end."""
        if once and pool in self._fresh:
            return
        for attempt in range(60):
            try:
                await self("pool-refresh", pool)
                break
            except VirshError as error:
                if "asynchronous jobs" not in str(error) or attempt == 59:
                    raise
                await asyncio.sleep(1)
        self._fresh.add(pool)


async def transform(xml: str, stylesheet: str) -> str:
    """The document after an XSLT stylesheet, made with xsltproc as the real provider does. Raises ProviderError."""
    with TemporaryDirectory(prefix="xslt-") as folder:
        file = Path(folder, "stylesheet.xsl")
        await asyncio.to_thread(file.write_text, stylesheet)
        try:
            return await run("xsltproc", "--nonet", str(file), "-", stdin=xml.encode())
        except VirshError as error:
            raise ProviderError(f"error applying XSLT stylesheet: {error}") from None
