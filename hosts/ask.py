"""Which domains a libvirt host has, by virsh over a read-only connection."""

import asyncio
import contextlib
import os
import re
import secrets
import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hosts.domains import Machine, machine

_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})\.\d{1,4}")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a host said."""

    machines: tuple[Machine, ...] = ()
    """Every domain whose definition can be read, running or not."""
    libvirt: tuple[int, int] | None = None
    """Version of its libvirt; None where it does not say."""
    why_not: str = ""
    """Why nothing is known; empty where it answered."""


async def domains(uri: str, *, within_s: float) -> Answer:
    """All domains of a host. Whatever goes wrong is said in the answer."""
    try:
        async with asyncio.timeout(within_s):
            first = await _virsh(uri, {"version": "version --daemon", "all": "list --all --name", "running": "list --name"})
            names = sorted(line.strip() for line in first["all"].splitlines() if line.strip())
            definitions = await _virsh(uri, {name: f"dumpxml {shlex.quote(name)}" for name in names}) if names else {}
    except TimeoutError:
        return Answer(why_not=f"no answer in {within_s:g} s")
    except _SilentError as error:
        return Answer(why_not=str(error))
    running = set(map(str.strip, first["running"].splitlines()))
    found = (machine(name, definitions[name], running=name in running) for name in names)
    return Answer(machines=tuple(each for each in found if each is not None), libvirt=_version(first["version"]))


class _SilentError(Exception):
    """The host did not answer; the message is virsh's own."""


async def _virsh(uri: str, asked: Mapping[str, str]) -> dict[str, str]:
    """The answers of one connection. A question that libvirt refuses has its complaint for an answer, which is no definition of anything."""
    mark = secrets.token_hex(16)
    words = "".join(f"echo {mark}; {question}; " for question in asked.values()) + f"echo {mark}"
    try:
        process = await asyncio.create_subprocess_exec(
            *("virsh", "--quiet", "--readonly", "--connect", uri, words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            start_new_session=True,  # ssh finds no terminal to ask for a password on
        )
    except OSError as error:
        raise _SilentError(f"virsh cannot be run ({error.strerror or error}): install libvirt-clients") from None
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    before, *answers = said.decode(errors="replace").split(mark)
    if len(answers) != len(asked) + 1:
        raise _SilentError(" ".join(before.replace("error:", "").split()) or "virsh ended before it had answered")
    return dict(zip(asked, answers, strict=False))


def _version(said: str) -> tuple[int, int] | None:
    """libvirt's own version on the host: `Running against daemon: 9.0.0`."""
    line = next((line for line in said.splitlines() if "daemon" in line), "")
    found = _VERSION.search(line)
    return (int(found[1]), int(found[2])) if found else None
