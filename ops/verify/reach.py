"""All nodes at once over SSH: what their probes print. A node that cannot be asked is an answer too."""

import asyncio
import json
import secrets
import shlex
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import asyncssh

from ops.verify.access import Access
from ops.verify.model import Probe, Said
from plan import NodePlan, Plan

PROGRAM: Final = Path(__file__).with_name("on_node.py")
_LOADER: Final = """\
import os
def take(size):
    content = b""
    while len(content) < size:
        piece = os.read(0, size - len(content))
        if not piece: raise SystemExit(1)
        content += piece
    return content
exec(compile(take(int(take(10))), "on_node", "exec"))
"""
COMMAND: Final = f"exec python3 -I -c {shlex.quote(_LOADER)}"
"""What the session runs; nothing of it is secret."""
NOISE_BYTES: Final = 1 << 16
"""What a login shell may print before the answers begin."""
KILLED_S: Final = 14.0
"""What a probe over its time still takes to be ended."""
SCRIPT_BYTES: Final = 120_000
"""Linux takes 128 KiB as one argument."""
CIPHERS: Final = "^aes256-gcm@openssh.com,aes128-gcm@openssh.com"
"""Before asyncssh's others: one call of OpenSSL for a packet, where its chacha20-poly1305 takes four."""

asyncssh.set_log_level("CRITICAL")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a run may use of this machine, of the wire and of a node."""

    connections: int = 256
    """Nodes that are asked at the same time."""
    handshakes: int = 24
    """Logins at the same time; they are this machine's CPU time."""
    connect_s: float = 10.0
    login_s: float = 30.0
    """From the TCP connection to the session; an emulated guest with other work takes several seconds."""
    greeting_s: float = 20.0
    """From the session to the first word of the program on the node."""
    light_at_once: int = 4
    """Light probes at the same time on one node."""
    probe_bytes: int = 4 << 20
    """What one probe may print: IPVS's table of ten thousand endpoints is below one MiB."""
    total_bytes: int = 256 << 20
    """What all probes of a run may print together."""
    window_bytes: int = 1 << 18
    """What a node may send before it is read."""
    sign_of_life_s: float = 5.0
    silence_s: float = 30.0
    """A node that hears nothing for so long ends its probes."""


@dataclass
class Budget:
    """Bytes that may still be kept."""

    left: int

    def take(self, size: int) -> bool:
        """Whether so many may be kept too."""
        if size > self.left:
            return False
        self.left -= size
        return True


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The nodes of a plan and the way to them."""

    plan: Plan
    access: Access
    limits: Limits = field(default_factory=Limits)
    answered: Callable[[str, str], None] = lambda _node, _error: None
    """Told each node that is done, with the reason where it could not be reached."""

    async def ask(self, probes: Sequence[Probe], within_s: float) -> dict[str, dict[str, Said]]:
        """What every node says to every probe; after `within_s` seconds what is missing is an error."""
        limits = self.limits
        slots, handshakes = asyncio.Semaphore(limits.connections), asyncio.Semaphore(limits.handshakes)
        budget, said = Budget(limits.total_bytes), {node.name: dict[str, Said]() for node in self.plan.nodes}
        try:
            key = asyncssh.import_private_key(self.access.private_key)
            hosts = asyncssh.import_known_hosts(self.access.known_hosts)
        except (asyncssh.KeyImportError, ValueError):
            reason = "the outputs hold no usable SSH key or known_hosts: run `pulumi up`"
            for name in said:
                self.answered(name, reason)
            return {name: _filled({}, probes, reason) for name in said}
        program = PROGRAM.read_bytes()

        async def one(node: NodePlan) -> None:
            asking = _Asking(self, node, probes, said[node.name], budget, program)
            reason = ""
            try:
                async with slots:
                    await asking.talk(handshakes, key, hosts)
            except (OSError, TimeoutError, asyncssh.Error, AnswerError) as error:
                reason = _reason(error)
            _filled(said[node.name], probes, reason or "the node gave no answer to it")
            self.answered(node.name, reason)

        with suppress(TimeoutError):
            async with asyncio.timeout(within_s), asyncio.TaskGroup() as group:
                for node in self.plan.nodes:
                    group.create_task(one(node))
        return {name: _filled(answers, probes, f"no answer before the run's limit of {within_s:g} s") for name, answers in said.items()}


class AnswerError(Exception):
    """A node answers, and not as it should."""


def _filled(answers: dict[str, Said], probes: Iterable[Probe], reason: str) -> dict[str, Said]:
    """The answers with an error for each that is missing."""
    for probe in probes:
        answers.setdefault(probe.key, Said(output="", exit_code=-1, error=reason))
    return answers


def _reason(error: Exception) -> str:
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return "its host key is not the pinned one: somebody else answers, or its machine was made anew outside of Pulumi"
    if isinstance(error, asyncssh.PermissionDenied):
        return "it refuses the operator's SSH key"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    words = (isinstance(error, OSError) and error.strerror) or str(error)
    return " ".join(words.split()) or type(error).__name__


@dataclass(frozen=True)
class _Asking:
    """The conversation with one node."""

    fleet: Fleet
    node: NodePlan
    probes: Sequence[Probe]
    said: dict[str, Said]
    budget: Budget
    program: bytes

    async def talk(self, handshakes: asyncio.Semaphore, key: asyncssh.SSHKey, hosts: asyncssh.SSHKnownHosts) -> None:
        """Everything, from dialling to the last answer."""
        limits, address = self.fleet.limits, str(self.node.address)
        if not any(hosts.match(address, address, None)[0]):
            raise AnswerError(f"the outputs hold no host key of {address}: run `pulumi up`")
        nonce = secrets.token_hex(16)
        task, limit_s = self._task(nonce)
        if not task["light"] and not task["heavy"]:
            return
        async with handshakes:
            connection = await self._connected(address, key, hosts)
        try:
            async with asyncio.timeout(limit_s + limits.greeting_s):
                process = await connection.create_process(COMMAND, encoding=None, window=limits.window_bytes, stderr=asyncssh.DEVNULL)
                with suppress(OSError):  # a session that has ended already says why
                    process.stdin.write(_counted(self.program) + _counted(json.dumps(task).encode()))
                living = asyncio.create_task(_sign_of_life(process, limits.sign_of_life_s))
                try:
                    await self._listen(process, nonce.encode(), len(task["light"]) + len(task["heavy"]))
                finally:
                    living.cancel()
        finally:
            # The program on the node sees its standard input end, and ends what still runs.
            connection.abort()

    def _task(self, nonce: str) -> tuple[dict[str, Any], float]:
        """What the node is told, and how long it may take."""
        limits = self.fleet.limits
        light: list[dict[str, Any]] = []
        heavy: list[dict[str, Any]] = []
        for probe in self.probes:
            try:
                script = probe.script(self.fleet.plan, self.node)
            except Exception as error:
                self.said[probe.key] = Said(output="", exit_code=-1, error=f"its script cannot be made: {type(error).__name__}: {error}")
                continue
            if len(script.encode()) > SCRIPT_BYTES:
                self.said[probe.key] = Said(output="", exit_code=-1, error=f"its script has more than {SCRIPT_BYTES} bytes")
                continue
            (heavy if probe.heavy else light).append({"key": probe.key, "script": script, "timeout_s": probe.timeout_s})
        longest = sum(entry["timeout_s"] + KILLED_S for entry in heavy)
        waves = sorted((entry["timeout_s"] + KILLED_S for entry in light), reverse=True)[:: limits.light_at_once]
        limit_s = longest + sum(waves) + limits.silence_s
        shared = {"at_once": limits.light_at_once, "cap": limits.probe_bytes, "silence_s": limits.silence_s, "limit_s": limit_s}
        return {"nonce": nonce, "light": light, "heavy": heavy, **shared}, limit_s

    async def _connected(self, address: str, key: asyncssh.SSHKey, hosts: asyncssh.SSHKnownHosts) -> asyncssh.SSHClientConnection:
        limits, access = self.fleet.limits, self.fleet.access
        async with asyncio.timeout(limits.login_s):
            return await asyncssh.connect(
                address,
                access.port,
                config=None,
                username=access.user,
                client_keys=[key],
                known_hosts=hosts,
                agent_path=None,
                preferred_auth="publickey",
                encryption_algs=CIPHERS,
                connect_timeout=limits.connect_s + limits.login_s,
                login_timeout=limits.login_s,
                keepalive_interval=10,
                keepalive_count_max=3,
            )

    async def _listen(self, process: asyncssh.SSHClientProcess[bytes], nonce: bytes, answers: int) -> None:
        reader = process.stdout
        noise = 0
        async with asyncio.timeout(self.fleet.limits.greeting_s):
            while (line := await _line(reader, process)) != nonce + b"\n":
                noise += len(line)
                if noise > NOISE_BYTES:
                    raise AnswerError("it floods the session")
        # Of all that run at a time, one ends within its time.
        longest_s = max(probe.timeout_s for probe in self.probes) + KILLED_S
        for _ in range(answers):
            async with asyncio.timeout(longest_s + self.fleet.limits.silence_s):
                await self._answer(reader, process)

    async def _answer(self, reader: asyncssh.SSHReader[bytes], process: asyncssh.SSHClientProcess[bytes]) -> None:
        head = _head(await _line(reader, process))
        key, size = head["key"], head["bytes"]
        if size > self.fleet.limits.probe_bytes or key not in {probe.key for probe in self.probes}:
            raise AnswerError("its answer is not one to what was asked")
        if not self.budget.take(size):
            raise AnswerError(f"all nodes together printed more than {self.fleet.limits.total_bytes} bytes")
        try:
            output = await reader.readexactly(size)
        except asyncio.IncompleteReadError:
            raise AnswerError("the connection ended within an answer") from None
        self.said[key] = Said(output=output.decode(errors="replace"), exit_code=head["exit"], error=head["error"])


def _head(line: bytes) -> dict[str, Any]:
    try:
        head: object = json.loads(line)
    except ValueError:
        head = None
    kinds = {"key": str, "bytes": int, "exit": int, "error": str}
    tree = cast("dict[str, Any]", head) if isinstance(head, dict) else {}
    if not all(type(tree.get(name)) is kind for name, kind in kinds.items()) or tree["bytes"] < 0:
        raise AnswerError("its answer cannot be read")
    return tree


async def _line(reader: asyncssh.SSHReader[bytes], process: asyncssh.SSHClientProcess[bytes]) -> bytes:
    """One line; asyncssh reads no further than the window."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        if len(error.partial) >= NOISE_BYTES:
            raise AnswerError("it floods the session") from None
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await process.wait_closed()
        code = process.exit_status
        raise AnswerError("it has no python3" if code == 127 else "the session ended before the answers did") from None


def _counted(content: bytes) -> bytes:
    return f"{len(content):010d}".encode() + content


async def _sign_of_life(process: asyncssh.SSHClientProcess[bytes], every_s: float) -> None:
    with suppress(OSError, asyncssh.Error):
        while True:
            await asyncio.sleep(every_s)
            process.stdin.write(b".")


async def connected(fleet: Fleet, node: NodePlan, key: asyncssh.SSHKey, hosts: asyncssh.SSHKnownHosts) -> asyncssh.SSHClientConnection:
    """A connection to one node, with the rules of all others; AnswerError with the reason where there is none."""
    address = str(node.address)
    if not any(hosts.match(address, address, None)[0]):
        raise AnswerError(f"the outputs hold no host key of {address}: run `pulumi up`")
    asking = _Asking(fleet, node, (), {}, Budget(0), b"")
    try:
        return await asking._connected(address, key, hosts)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - this file's own
    except (OSError, TimeoutError, asyncssh.Error) as error:
        raise AnswerError(_reason(error)) from None
