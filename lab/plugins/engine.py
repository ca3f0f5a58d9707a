"""The engine's log, and the lab's own log of plugin starts."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import grpc
import grpc.aio
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from .base import Call, Severity
from .values import Path

OPTIONS = [("grpc.max_receive_message_length", 400 * 1024 * 1024), ("grpc.so_reuseport", 0)]
"""gRPC options: the engine's own limit of message size, and a port of our own."""

_SEVERITIES = {
    "debug": engine_pb2.DEBUG,
    "info": engine_pb2.INFO,
    "warning": engine_pb2.WARNING,
    "error": engine_pb2.ERROR,
}


class Engine:
    """The engine's log, reached over the address it started the plugin with."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS) if address else None

    async def log(self, severity: Severity, message: str, urn: str = "", *, ephemeral: bool = False) -> None:
        """Sends one message; the loss of one is not worth failing for."""
        if self._channel is None:
            return
        request = engine_pb2.LogRequest(severity=_SEVERITIES[severity], message=message, urn=urn, ephemeral=ephemeral)
        try:
            stub: Any = engine_pb2_grpc.EngineStub(self._channel)
            await stub.Log(request, timeout=10)
        except grpc.RpcError:
            return

    def call(self, request: Any, secrets: frozenset[Path] = frozenset()) -> Call:
        """What a handler is told about the operation it works on."""
        urn: str = request.urn

        async def log(severity: Severity, message: str) -> None:
            await self.log(severity, message, urn)

        async def status(message: str) -> None:
            await self.log("info", message, urn, ephemeral=True)

        return Call(urn=urn, timeout_s=getattr(request, "timeout", 0.0), log=log, status=status, secrets=secrets)

    async def close(self) -> None:
        """Closes the connection."""
        if self._channel is not None:
            await self._channel.close()


def note_start(package: str) -> None:
    """Adds a line to the lab's log of plugin starts, when the lab asked for one by UNDERLAY_PLUGIN_LOG."""
    log = os.environ.get("UNDERLAY_PLUGIN_LOG")
    if log:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a") as stream:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            stream.write(f"{now} {package}: the lab's stand-in, not the vendor's plugin (pid {os.getpid()})\n")
