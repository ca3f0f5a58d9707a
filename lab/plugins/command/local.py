"""`command:local:Command`."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import Any, Final

from lab.plugins.base import Call, ProviderError

from .lifecycle import Command, Result, Task
from .output import Output

_INTERPRETER: Final = ("/bin/sh", "-c")


class LocalCommand(Command):
    """A command on the machine that runs Pulumi. The inputs `assetPaths` and `archivePaths` are not taken."""

    type = "command:local:Command"
    inputs = Command.inputs | {"dir", "interpreter"}

    async def run(self, call: Call, task: Task) -> Result:
        """Runs the command in a process group of its own, which is killed when the operation is cancelled."""
        output = Output(call, task.logged)
        interpreter = task.inputs.get("interpreter") or _INTERPRETER
        try:
            process = await asyncio.create_subprocess_exec(
                *interpreter,
                task.command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                cwd=task.inputs.get("dir"),
                env={**os.environ, **task.environment},
                start_new_session=True,
            )
        except OSError as error:
            raise ProviderError(f"{interpreter[0]} did not start: {error.strerror}") from None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_feed(process, task.stdin))
                group.create_task(output.follow(process.stdout, "stdout"))
                group.create_task(output.follow(process.stderr, "stderr"))
                status = await process.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if status != 0:
            raise output.error(f"exit status {status}" if status > 0 else f"signal: {signal.strsignal(-status)}", task.shown)
        return Result(output.text("stdout"), output.text("stderr"))


async def _feed(process: Process, text: str) -> None:
    """Writes the standard input; a command that does not read it all is no error."""
    stdin: Any = process.stdin
    with suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(text.encode())
        await stdin.drain()
    stdin.close()
