"""Runs a Pulumi program in this process and says how it ended."""

from __future__ import annotations

import asyncio
import logging
import os
import runpy
import sys
import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pulumi
from pulumi.runtime import reset_options, run_in_stack, set_all_config

_THREADS_PER_RESOURCE = 4
"""The SDK makes every request to the engine in a thread: as many as the vendor's host allows, or the engine waits for the program."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What the engine asks to run, and for which stack."""

    directory: str
    entry_point: str
    """A file or folder inside `directory`; "." for the folder itself."""
    working_directory: str
    root_directory: str
    engine_address: str
    monitor_address: str
    project: str
    stack: str
    organization: str
    dry_run: bool
    parallel: int
    config: Mapping[str, str]
    secret_keys: tuple[str, ...]
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a program ended: well, when both are unset."""

    error: str = ""
    """For the engine to show."""
    shown: bool = False
    """The program failed and its error has been shown already."""


def run(program: Program) -> Outcome:
    """Runs the program to its end, when all its resources are registered and the engine needs no more callbacks."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the SDK leaves tasks behind when a run fails
    reset_options(
        project=program.project,
        stack=program.stack,
        root_directory=program.root_directory,
        parallel=program.parallel,
        engine_address=program.engine_address,
        monitor_address=program.monitor_address,
        preview=program.dry_run,
        organization=program.organization,
    )
    set_all_config(dict(program.config), list(program.secret_keys))
    os.chdir(program.working_directory)
    entry = _entry(program)
    sys.path.insert(0, str(entry.parent))
    sys.argv = [str(entry), *program.arguments]
    loop = asyncio.new_event_loop()
    executor = ThreadPoolExecutor(max_workers=max(program.parallel, 1) * _THREADS_PER_RESOURCE)
    loop.set_default_executor(executor)
    try:
        return _outcome(loop, entry)
    finally:
        _close(loop)
        executor.shutdown(wait=False)
        sys.stdout.flush()
        sys.stderr.flush()


def _entry(program: Program) -> Path:
    entry = Path(program.directory) / program.entry_point
    return (entry / "__main__.py" if entry.is_dir() else entry).resolve()


def _outcome(loop: asyncio.AbstractEventLoop, entry: Path) -> Outcome:
    """Runs the file and turns whatever it raises into an outcome, as the vendor's host does."""

    def main() -> None:
        runpy.run_path(str(entry), run_name="__main__")

    try:
        loop.run_until_complete(run_in_stack(main))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return Outcome(shown=True)
    except grpc.RpcError as error:
        return _rpc_outcome(error)
    except SystemExit as error:
        return _exit_outcome(error)
    except Exception as error:
        pulumi.log.error("Program failed with an unhandled exception:\n" + _traceback(error, entry.parent))
        return Outcome(shown=True)
    return Outcome()


def _rpc_outcome(error: Any) -> Outcome:
    """A monitor that is gone means that the engine stopped for a reason of its own, which it shows."""
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return Outcome(shown=True)
    pulumi.log.error(str(error.details()))
    return Outcome(shown=True)


def _exit_outcome(error: SystemExit) -> Outcome:
    if error.code is None or error.code == 0:
        return Outcome()
    if isinstance(error.code, str):
        pulumi.log.error(error.code)
        return Outcome(shown=True)
    return Outcome(error=f"Program exited with non-zero exit code: {error.code}")


def _traceback(error: BaseException, directory: Path) -> str:
    """The traceback from the program's first own frame on: those before are this host's and the SDK's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [index for index, frame in enumerate(frames) if frame.filename.startswith(f"{directory}{os.sep}") and ".venv" not in frame.filename]
    shown = frames[own[0] :] if own else frames
    lines = traceback.TracebackException.from_exception(error).format_exception_only()
    return "".join(["Traceback (most recent call last):\n", *traceback.format_list(shown), *lines])


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Ends what a failed run left pending, so that Python does not complain of it."""
    for task in asyncio.all_tasks(loop):
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            loop.run_until_complete(task)
    loop.close()
