"""Asks every hypervisor at once: two rounds over libvirt, and its shell where the URI gives a way to one."""

import asyncio
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass

from ops.doctor import questions, script
from ops.doctor.host_xml import tree
from ops.doctor.model import HostSeen
from ops.doctor.processes import run
from ops.stack import STAND_INS
from ops.verify.model import Said
from plan import NodePlan, Plan
from settings.hypervisor import Hypervisor, StoragePool

LIBVIRT_S = 30.0
SHELL_S = 60.0
PROBE_S = 4.0
"""A ping and what arping adds, with room."""
AT_ONCE = 16
NO_SHELL = "its URI gives no way to a shell (qemu+ssh, or this machine)"
ENCRYPTED = "its uri is encrypted in the stack file, and nothing is decrypted here"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a shell said, part by part, and between which times of this machine it began to."""

    parts: dict[str, Said]
    clock_s: tuple[float, float] | None = None


async def ask_all(plan: Plan) -> dict[str, HostSeen]:
    """Every hypervisor of the plan with its answers; one that does not answer has the reason in all of them."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, hypervisor: Hypervisor) -> HostSeen:
        async with gate:
            return await ask(plan, name, hypervisor)

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(one(name, hypervisor)) for name, hypervisor in plan.settings.hypervisors.items()}
    return {name: task.result() for name, task in tasks.items()}


async def ask(plan: Plan, name: str, hypervisor: Hypervisor) -> HostSeen:
    """One hypervisor."""
    nodes = plan.nodes_on(name)
    said = await virsh(hypervisor.uri, questions.first(hypervisor), read_only=True)
    if all(answer.error for answer in said.values()):
        return HostSeen(name=name, settings=hypervisor, virsh=said, by_shell={})
    emulator = await virsh(hypervisor.uri, questions.writable(hypervisor), read_only=False)
    document = tree(emulator["emulator"])
    path = document.findtext("path", "") if document is not None else ""
    text = script.whole(plan, hypervisor, nodes, places=_places(hypervisor, said), emulator=path)
    again, features, told = await asyncio.gather(
        virsh(hypervisor.uri, questions.second(hypervisor, nodes, said), read_only=True),
        _features(hypervisor, nodes, said),
        ask_shell(hypervisor.uri, text, SHELL_S + PROBE_S * len(script.probed(plan)) / script.PARALLEL),
    )
    return HostSeen(name=name, settings=hypervisor, virsh={**said, **emulator, **again, **features}, by_shell=told.parts, clock_s=told.clock_s)


async def _features(hypervisor: Hypervisor, nodes: tuple[NodePlan, ...], said: Mapping[str, Said]) -> dict[str, Said]:
    """Emulated CPUs are slow whatever they can."""
    asked = questions.cpus(nodes, said) if hypervisor.domain_type == "kvm" and nodes else {}
    answers = await asyncio.gather(
        *(virsh(hypervisor.uri, {key: questions.FEATURES}, read_only=True, stdin=document) for key, document in asked.items())
    )
    return {key: said for answer in answers for key, said in answer.items()}


async def virsh(uri: str, asked: Mapping[str, str], *, read_only: bool, stdin: str = "") -> dict[str, Said]:
    """What one connection answers to some questions, by their keys."""
    if not asked:
        return {}
    if uri == STAND_INS["uri"]:
        return dict.fromkeys(asked, Said(output="", exit_code=1, error=ENCRYPTED))
    if shutil.which("virsh") is None:
        return dict.fromkeys(asked, Said(output="", exit_code=127, error="there is no virsh on this machine"))
    words = ["virsh", "-q", *(["-r"] if read_only else []), "-c", uri, questions.batch(asked)]
    said = await run(words, timeout_s=LIBVIRT_S, merged=True, stdin=stdin)
    return questions.split(said.output, asked, late=said.error)


async def ask_shell(uri: str, text: str, timeout_s: float) -> Told:
    """What a hypervisor's shell says to each part of a script; where there is no shell, or it was cut off, the reason under the empty key."""
    words = script.reach(uri)
    if words is None:
        return Told(parts={"": Said(output="", exit_code=1, error=NO_SHELL)})
    first: list[float] = []
    before = time.time()
    said = await run(words, timeout_s=timeout_s, stdin=text, on_first=lambda: first.append(time.time()))
    found = script.split(said)
    lines = said.output.strip().splitlines()
    why = said.error or ("" if found and said.exit_code == 0 else f"shell: {lines[-1] if lines else 'no word'}")
    reason = {"": Said(output="", exit_code=1, error=why)} if why else {}
    return Told(parts={**found, **reason}, clock_s=(before, first[0]) if first and found else None)


def _places(hypervisor: Hypervisor, said: Mapping[str, Said]) -> dict[str, tuple[str, ...]]:
    """Where pools lie on the host: as libvirt says, else as a managed pool is declared."""
    declared = {"pool": hypervisor.pool} | ({"files-pool": hypervisor.files_pool} if hypervisor.files_pool else {})
    found = {key: _place(pool, said.get(key)) for key, pool in declared.items()}
    return {key: places for key, places in found.items() if places}


def _place(pool: StoragePool, said: Said | None) -> tuple[str, ...]:
    document = tree(said)
    if document is None:
        return (pool.path,) if pool.path else pool.devices
    logical = document.get("type") == "logical"
    places = [device.get("path", "") for device in document.iterfind("source/device")] if logical else [document.findtext("target/path", "")]
    return tuple(place for place in places if place.startswith("/"))
