"""Conversations with all nodes at the same time, for a trial: each is told what to do and says what has happened, until the sessions end."""

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

import asyncssh

from ops.verify.reach import COMMAND, NOISE_BYTES, AnswerError, Fleet, connected
from plan import NodePlan

PROGRAM: Final = Path(__file__).with_name("trial_on_node.py")
LINES: Final = 100
"""A node says some ten lines in a trial."""
WINDOW_BYTES: Final = 1 << 16
Result = TypeVar("Result")


class Session:
    """One node's part: what it has said, the last of each kind, and why it says no more."""

    def __init__(self, node: NodePlan, nonce: str) -> None:
        self.node, self.error = node, ""
        self.said: dict[str, Any] = {}
        self.news: Callable[[], None] = lambda: None
        self._nonce = nonce
        self._process: asyncssh.SSHClientProcess[bytes] | None = None

    @property
    def here(self) -> bool:
        """Whether it takes part."""
        return "here" in self.said and not self.error

    def tell(self, **words: Any) -> None:
        """Say something to the node; one that is gone does not hear it."""
        if self._process is not None and self.here:
            with suppress(OSError, asyncssh.Error):
                self._process.stdin.write(json.dumps(words).encode() + b"\n")

    async def talk(self, fleet: Fleet, keys: tuple[asyncssh.SSHKey, asyncssh.SSHKnownHosts], handshakes: asyncio.Semaphore, limit_s: float) -> None:
        """From the login to the last word; what goes wrong is `error`."""
        try:
            async with handshakes:
                connection = await connected(fleet, self.node, *keys)
            try:
                await self._listen(fleet, connection, limit_s)
            finally:
                # The program on the node sees its standard input end, and ends.
                connection.abort()
        except TimeoutError:
            self._lost("no answer in time")
        except (OSError, asyncssh.Error, AnswerError) as error:
            self._lost(" ".join(str(error).split()) or type(error).__name__)

    async def _listen(self, fleet: Fleet, connection: asyncssh.SSHClientConnection, limit_s: float) -> None:
        limits = fleet.limits
        task = {"nonce": self._nonce, "address": str(self.node.address), "silence_s": limits.silence_s, "limit_s": limit_s}
        process = await connection.create_process(COMMAND, encoding=None, window=WINDOW_BYTES, stderr=asyncssh.DEVNULL)
        self._process = process
        for content in (PROGRAM.read_bytes(), json.dumps(task).encode()):
            process.stdin.write(f"{len(content):010d}".encode() + content)
        async with asyncio.timeout(limits.greeting_s):
            noise = 0
            while (line := await _line(process)) != self._nonce.encode() + b"\n":
                noise += len(line)
                if noise > NOISE_BYTES:
                    raise AnswerError("it floods the session")
        self._heard({"here": True})
        living = asyncio.create_task(_sign_of_life(process, limits.sign_of_life_s))
        try:
            # Until the conversation ends: a node that has said everything may still be another's endpoint.
            for _ in range(LINES):
                self._heard(_words(await _line(process)))
            raise AnswerError("it floods the session")
        finally:
            living.cancel()

    def _heard(self, words: dict[str, Any]) -> None:
        self.said.update(words)
        self.news()

    def _lost(self, why: str) -> None:
        if "summary" not in self.said:
            self.error = why
        self.news()


class Conversation:
    """Sessions with some nodes, as a context: they are open within it, and gone after it however it ends."""

    def __init__(self, fleet: Fleet, nodes: Sequence[NodePlan], limit_s: float) -> None:
        self.nonce = secrets.token_hex(8)
        self.sessions = tuple(Session(node, self.nonce) for node in nodes)
        self._fleet, self._limit_s = fleet, limit_s
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        access, limits = self._fleet.access, self._fleet.limits
        try:
            keys = asyncssh.import_private_key(access.private_key), asyncssh.import_known_hosts(access.known_hosts)
        except (asyncssh.KeyImportError, ValueError):
            for session in self.sessions:
                session.error = "the outputs hold no usable SSH key or known_hosts: run `pulumi up`"
            return self
        handshakes = asyncio.Semaphore(limits.handshakes)
        for session in self.sessions:
            session.news = self._news.set
            self._tasks.append(asyncio.create_task(session.talk(self._fleet, keys, handshakes, self._limit_s)))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in self._tasks:
            task.cancel()
        await finished(asyncio.gather(*self._tasks, return_exceptions=True))

    @property
    def here(self) -> tuple[Session, ...]:
        """Those that take part."""
        return tuple(session for session in self.sessions if session.here)

    async def until(self, so: Callable[[], bool], within_s: float) -> bool:
        """Wait until it is so, with every word that a node says; whether it is."""
        deadline = time.monotonic() + within_s
        while not so():
            self._news.clear()
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._news.wait()
        return True


async def finished(work: Awaitable[Result]) -> Result:
    """The result of work that is not broken off: who is cancelled meanwhile is so when it has ended. Its own time must be bounded."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()
        raise cancelled
    return task.result()


async def _line(process: asyncssh.SSHClientProcess[bytes]) -> bytes:
    try:
        return await process.stdout.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        raise AnswerError("it floods the session" if len(error.partial) >= WINDOW_BYTES else "the session ended within the trial") from None


def _words(line: bytes) -> dict[str, Any]:
    try:
        words: object = json.loads(line)
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, dict):
        raise AnswerError("its answer cannot be read")
    return cast("dict[str, Any]", words)


async def _sign_of_life(process: asyncssh.SSHClientProcess[bytes], every_s: float) -> None:
    with suppress(OSError, asyncssh.Error):
        while True:
            await asyncio.sleep(every_s)
            process.stdin.write(b"\n")
