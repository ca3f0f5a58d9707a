"""What hypervisors say of their machines, by virsh over the connection that the stack names."""

import asyncio
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from ops.verify.model import Check, Said
from plan import Plan

READING: Final = frozenset(
    (
        *("version", "capabilities", "domcapabilities", "nodeinfo", "nodecpumap", "nodecpustats", "nodememstats", "freecell", "freepages", "sysinfo"),
        *("hostname", "list", "dumpxml", "dominfo", "domstate", "domstats", "vcpuinfo", "vcpupin", "emulatorpin", "iothreadinfo", "numatune"),
        *("domblklist", "domblkinfo", "domblkstat", "domiflist", "domifstat", "dommemstat", "cpu-stats", "schedinfo", "blkdeviotune"),
        *("pool-list", "pool-info", "pool-dumpxml", "vol-list", "vol-info", "vol-dumpxml", "net-list", "net-info", "net-dumpxml"),
    )
)
"""Commands that are let through; the connection itself is read-only, so what some of them can change is refused by libvirt."""
PLAIN: Final = re.compile(r"[\w./:@=,+-]+")
"""A word that means nothing else to virsh."""
BATCH: Final = 64
"""Questions over one connection; over SSH a connection takes as long as all of them."""
AT_ONCE: Final = 16
"""Connections at the same time."""
ANSWER_S: Final = 45.0
"""For a batch."""


def questions(plan: Plan, checks: Sequence[Check]) -> dict[str, tuple[str, ...]]:
    """What each hypervisor is asked, every question once."""
    return _asked(plan, [words for check in checks for words in (check.virsh, check.virsh_twice)])


def counters(plan: Plan, checks: Sequence[Check]) -> dict[str, tuple[str, ...]]:
    """What of it each is asked once more."""
    return _asked(plan, [check.virsh_twice for check in checks])


def _asked(plan: Plan, wanted: Sequence[Callable[[Plan, str], Iterable[str]]]) -> dict[str, tuple[str, ...]]:
    asked = {name: tuple(dict.fromkeys(word for words in wanted for word in _of(words, plan, name))) for name in plan.settings.hypervisors}
    return {name: words for name, words in asked.items() if words}


def _of(words: Callable[[Plan, str], Iterable[str]], plan: Plan, name: str) -> tuple[str, ...]:
    try:
        return tuple(words(plan, name))
    except Exception:
        # A mistake in one check must not hide the others; without its answers it says so itself.
        return ()


async def gather(plan: Plan, wanted: Mapping[str, Sequence[str]], within_s: float) -> dict[str, dict[str, Said]]:
    """The answer of every hypervisor to every question."""
    said: dict[str, dict[str, Said]] = {name: {} for name in wanted}
    slots = asyncio.Semaphore(AT_ONCE)

    async def some(name: str, batch: Sequence[str]) -> None:
        async with slots:
            said[name].update(await _virsh(str(plan.settings.hypervisors[name].uri), batch))

    with suppress(TimeoutError):
        async with asyncio.timeout(within_s), asyncio.TaskGroup() as group:
            for name, asked in wanted.items():
                said[name] = {words: _no(f"virsh {words!r} is not asked: it is none that only reads") for words in asked if not _reads(words)}
                allowed = [words for words in asked if _reads(words)]
                for start in range(0, len(allowed), BATCH):
                    group.create_task(some(name, allowed[start : start + BATCH]))
    late = _no(f"no answer before the run's limit of {within_s:g} s")
    return {name: {words: said[name].get(words, late) for words in asked} for name, asked in wanted.items()}


def _no(reason: str, code: int = -1) -> Said:
    return Said(output="", exit_code=code, error=reason)


def _reads(words: str) -> bool:
    parts = words.split()
    return words == " ".join(parts) and bool(parts) and parts[0] in READING and all(PLAIN.fullmatch(part) for part in parts)


async def _virsh(uri: str, batch: Sequence[str]) -> dict[str, Said]:
    """What one connection answers to some questions."""
    mark = secrets.token_hex(16)
    script = "".join(f"echo {mark}; {words}; " for words in batch) + f"echo {mark}"
    try:
        process = await asyncio.create_subprocess_exec(
            *("virsh", "--quiet", "--readonly", "--connect", uri, script),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,  # virsh flushes one before it writes the other, so errors stand where they belong
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except OSError as error:
        return dict.fromkeys(batch, _no(f"virsh cannot be run ({error}): install libvirt-clients"))
    try:
        async with asyncio.timeout(ANSWER_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return dict.fromkeys(batch, _no(f"no answer in {ANSWER_S:g} s"))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    before, *answers = output.decode(errors="replace").split(mark)
    if len(answers) != len(batch) + 1:
        return dict.fromkeys(batch, _no(" ".join(before.split()) or "virsh ended before it had answered", 1))
    return {words: _answer(text) for words, text in zip(batch, answers, strict=False)}


def _answer(text: str) -> Said:
    """One answer, or the complaint in its place."""
    complaint = " ".join(line.removeprefix("error: ").strip() for line in text.splitlines() if line.startswith("error: "))
    return _no(complaint, 1) if complaint else Said(output=text, exit_code=0)
