"""`command:remote:Command`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from lab.plugins.base import UNKNOWN, Call, Failure, Properties, ProviderError

from . import ssh
from .lifecycle import Command, Result, Task
from .output import Output


class RemoteCommand(Command):
    """A command on another machine, over SSH."""

    type = "command:remote:Command"
    inputs = Command.inputs | {"connection"}
    required = frozenset({"connection"})
    secret_outputs = frozenset({"connection"})

    def check(self, inputs: Properties, old_inputs: Properties) -> tuple[Properties, list[Failure]]:
        """Completes the connection."""
        checked, failures = super().check(inputs, old_inputs)
        connection = checked.get("connection", UNKNOWN)
        if connection is UNKNOWN:
            return checked, failures
        return {**checked, "connection": ssh.settled(connection)}, failures + ssh.check(connection)

    async def run(self, call: Call, task: Task) -> Result:
        """Runs the command in a session of its own connection, which is closed when the operation is cancelled."""
        import asyncssh

        output = Output(call, task.logged)
        async with ssh.connect(call, ssh.settled(task.inputs["connection"])) as connection:
            try:
                process = await connection.create_process(task.command, env=dict(task.environment), encoding=None)
                await asyncio.gather(
                    _feed(process, task.stdin),
                    output.follow(process.stdout, "stdout"),
                    output.follow(process.stderr, "stderr"),
                )
                await process.wait_closed()
            except asyncssh.ChannelOpenError as error:
                raise ProviderError(f"the host opened no session: {error.reason}") from None
            except asyncssh.Error as error:
                raise output.error(f"connection lost: {error.reason}", task.shown) from None
        reason = _failure(process)
        if reason:
            raise output.error(reason, task.shown)
        return Result(output.text("stdout"), output.text("stderr"))


def _failure(process: Any) -> str:
    """Why the command failed, empty if it did not."""
    if process.exit_status is None:
        return "connection lost before the command's end"
    if process.exit_signal is not None:
        return f"Process exited with signal {process.exit_signal[0]}"
    return "" if process.exit_status == 0 else f"Process exited with status {process.exit_status}"


async def _feed(process: Any, text: str) -> None:
    """Writes the standard input; a command that does not read it all is no error."""
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(text.encode())
        await process.stdin.drain()
        process.stdin.write_eof()
