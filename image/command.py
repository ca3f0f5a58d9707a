"""Running other programs: their output is shown only when they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Progress = Callable[[str], None]
"""Called with one line of text for each thing that happens."""


class BuildError(Exception):
    """The image cannot be built; the message says what to do about it."""


def run(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()) -> str:
    """Run `command` to its end and give its standard output.

    Raises `BuildError` with the last lines of its output if it fails.
    """
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, pass_fds=pass_fds, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise BuildError(f"{command[0]} failed with status {done.returncode}:\n{last}")
    return done.stdout
