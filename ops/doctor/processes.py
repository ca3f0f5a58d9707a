"""Commands that only read, run beside each other, each with its own time limit; none that is cut off goes on."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ops.verify.model import Said

MOST_BYTES = 8 * 2**20
GRACE_S = 2.0


async def run(
    words: Sequence[str],
    *,
    timeout_s: float,
    stdin: str = "",
    merged: bool = False,
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
    on_first: Callable[[], None] = lambda: None,
) -> Said:
    """What a command says. With `merged` standard error lies in its output in order, else it comes last where the command failed.

    It has no terminal, so that neither ssh nor the engine can ask for a password; where it is cut off its process group ends, and what it had
    said by then is the output. `on_first` is called when its first word arrives.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if merged else asyncio.subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **(variables or {}), "LC_ALL": "C"},
            start_new_session=True,
        )
    except OSError as error:
        return Said(output="", exit_code=127, error=f"{words[0]} cannot be run: {error.strerror or error}")
    output, errors, late = bytearray(), bytearray(), ""
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.gather(
                _listen(process.stdout, output, on_first), _listen(process.stderr, errors), _tell(process.stdin, stdin), process.wait()
            )
    except TimeoutError:
        late = f"no answer in {timeout_s:.0f} s"
    finally:
        await _end(process)
    said = output + errors if process.returncode and not late else output
    return Said(output=said.decode(errors="replace"), exit_code=124 if late else process.returncode or 0, error=late)


async def _listen(stream: asyncio.StreamReader | None, heard: bytearray, on_first: Callable[[], None] = lambda: None) -> None:
    """Everything that comes is read, so that the command can go on; what is beyond the limit is not kept."""
    while stream is not None and (chunk := await stream.read(2**16)):
        if not heard:
            on_first()
        heard += chunk[: MOST_BYTES - len(heard)]


async def _tell(stream: asyncio.StreamWriter | None, text: str) -> None:
    """A command that ends before it has read all is no mistake."""
    if stream is not None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            stream.write(text.encode())
            await stream.drain()
            stream.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Nothing of the process group of a command that was cut off stays behind; a shell gets the time to remove what it made."""
    if process.returncode is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_S)
