"""SSH connections as the input `connection` describes them."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from lab.plugins.base import UNKNOWN, Call, Failure, Properties, ProviderError, Unknown

DEFAULTS: Final[Properties] = {"user": "root", "port": 22, "dialErrorLimit": 10, "perDialTimeout": 15}
_PROPERTIES: Final = frozenset({*DEFAULTS, "host", "hostKey", "password", "privateKey", "privateKeyPassword", "agentSocketPath"})

KEEPALIVE_S: Final = 15
KEEPALIVES_MISSED: Final = 8
"""A host that answers nothing for two minutes is gone; the command on it fails instead of waiting for ever."""
_LOGIN_TIMEOUT_S: Final = 120
"""Key exchange and login after the TCP connection; an emulated guest with other work takes many seconds for them."""
_FIRST_PAUSE_S: Final = 0.1
_PAUSE_GROWTH: Final = 1.5
_LONGEST_PAUSE_S: Final = 5.0


def settled(connection: Any) -> Any:
    """The connection with the provider's defaults, for its proxy too; what is not known yet is left as it is."""
    if isinstance(connection, Unknown):
        return connection
    complete: Properties = {**DEFAULTS, **connection}
    if "proxy" in complete and not isinstance(complete["proxy"], Unknown):
        complete["proxy"] = {**DEFAULTS, **complete["proxy"]}
    return complete


def check(connection: Properties) -> list[Failure]:
    """What is wrong with a known input `connection`; its values are secret and are not quoted."""
    failures = [Failure("connection", f"'{name}' is not part of a connection") for name in sorted(connection.keys() - _PROPERTIES - {"proxy"})]
    proxy: Properties | Unknown = connection.get("proxy", {})
    if not isinstance(proxy, Unknown):
        failures += [Failure("connection", f"'{name}' is not part of a proxy's connection") for name in sorted(proxy.keys() - _PROPERTIES)]
    if "host" not in connection:
        failures.append(Failure("connection", "Missing required property 'host'"))
    host_key: str | Unknown = connection.get("hostKey", UNKNOWN)
    if not isinstance(host_key, Unknown) and not re.match(r"[a-z0-9@.-]+ [A-Za-z0-9+/=]+", host_key):
        failures.append(Failure("connection", "'hostKey' is not a public key as authorized_keys files have it"))
    return failures


@asynccontextmanager
async def connect(call: Call, connection: Properties) -> AsyncGenerator[Any]:
    """An open connection (asyncssh's SSHClientConnection). It is dialled until it opens or the limit of failures is reached.

    Raises ProviderError.
    """
    hops = await _dial(call, connection)
    try:
        yield hops[-1]
    finally:
        for hop in reversed(hops):
            hop.abort()
            with suppress(Exception):
                await asyncio.wait_for(hop.wait_closed(), 1)


async def _dial(call: Call, connection: Properties) -> list[Any]:
    import asyncssh  # a third of a second that a preview need not spend

    asyncssh.set_log_level("CRITICAL")
    limit = connection["dialErrorLimit"]
    pause = _FIRST_PAUSE_S
    failed = 0
    while True:
        try:
            return await _open(connection)
        except (OSError, TimeoutError, asyncssh.Error) as error:
            failed += 1
            if 0 <= limit < failed:
                raise ProviderError(f"after {failed} failed attempts: {_reason(connection, error)}") from None
            await call.status(f"Dial {failed}/{'inf' if limit < 0 else limit} failed: retrying ({_reason(connection, error)})")
        await asyncio.sleep(pause)
        pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_S)


def _reason(connection: Properties, error: Exception) -> str:
    text = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
    return f"ssh {connection['user']}@{connection['host']} port {int(connection['port'])}: {text}"


async def _open(connection: Properties) -> list[Any]:
    """One attempt: the connection, after that to the proxy where there is one."""
    import asyncssh

    options = _options(connection)
    proxy: Properties | None = connection.get("proxy")
    if proxy is None:
        return [await asyncssh.connect(sock=await _tcp(connection), **options)]
    proxy_options = _options(proxy)
    gate = await asyncssh.connect(sock=await _tcp(proxy), **proxy_options)
    try:
        return [gate, await asyncssh.connect(tunnel=gate, **options)]
    except BaseException:
        gate.abort()
        raise


async def _tcp(connection: Properties) -> socket.socket:
    """A TCP connection within `perDialTimeout` seconds, 0 for no limit. SSH's own handshake has another limit."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(connection["perDialTimeout"] or None):
        found = await loop.getaddrinfo(connection["host"], int(connection["port"]), type=socket.SOCK_STREAM)
        failure = OSError("no address")
        for family, kind, protocol, _, address in found:
            opened = socket.socket(family, kind, protocol)
            opened.settimeout(0)
            try:
                await loop.sock_connect(opened, address)
            except OSError as error:
                opened.close()
                failure = error
            except BaseException:
                opened.close()
                raise
            else:
                return opened
        raise failure


def _options(connection: Properties) -> dict[str, Any]:
    """What asyncssh is told of one hop; nothing is taken from this machine's SSH configuration. Raises ProviderError for unusable keys."""
    import asyncssh

    host_key = connection.get("hostKey")
    key = connection.get("privateKey")
    try:
        keys = [asyncssh.import_private_key(key, connection.get("privateKeyPassword"))] if key else None
        known: Any = ([asyncssh.import_public_key(host_key)], [], []) if host_key else None
    except asyncssh.KeyImportError:
        raise ProviderError("connection: privateKey or hostKey is not a key that can be read") from None
    return {
        "host": connection["host"],
        "port": int(connection["port"]),
        "config": [],
        "username": connection["user"],
        "password": connection.get("password"),
        "client_keys": keys,
        "known_hosts": known,
        "agent_path": connection.get("agentSocketPath") or os.environ.get("SSH_AUTH_SOCK"),
        "login_timeout": _LOGIN_TIMEOUT_S,
        "keepalive_interval": KEEPALIVE_S,
        "keepalive_count_max": KEEPALIVES_MISSED,
    }
