"""Who else is on a hypervisor, asked before a domain is made there: dedicated CPUs and whole drives are nobody else's."""

import asyncio
import shlex
from collections.abc import Iterator, Mapping
from typing import Final

import pulumi
from pulumi import ResourceHook, ResourceHookArgs, ResourceHookOptions

from hosts import ask
from hosts.clashes import Wanted, clashes
from plan import NodePlan, Plan
from render.domain import SEVERAL_THREADS, threads_of_one_disk

ANSWER_S: Final = 30.0
"""For a hypervisor to name all of its domains; over SSH, with hundreds of them."""


class NeighbourError(Exception):
    """A machine would get what another domain has; the message is all that a preview shows."""


class Neighbours:
    """The domains of one hypervisor, asked for once a run, and only where a machine is made that could clash with one.

    A hook before creation alone: hooks of deletion would make `pulumi destroy` ask for the program.
    """

    def __init__(self, name: str, plan: Plan, hypervisor: str) -> None:
        """`hypervisor` is its key in settings."""
        self._key, self._uri = hypervisor, str(plan.settings.hypervisors[hypervisor].uri)
        nodes = plan.nodes_on(hypervisor)
        self._own = frozenset(node.name for node in nodes)
        self._wanted: Mapping[str, tuple[NodePlan, Wanted]] = {f"{node.name}-domain": (node, wanted(plan, node)) for node in nodes}
        self._asked: asyncio.Future[ask.Answer] | None = None
        self.hook = ResourceHook(f"{name}-neighbours", self.refuse, ResourceHookOptions(on_dry_run=True))

    async def refuse(self, args: ResourceHookArgs) -> None:
        """NeighbourError where a domain would get what another one has; a hypervisor that does not answer is a warning."""
        node, asked_for = self._wanted[args.name]
        answer = await self._answer()
        problems = [*clashes(asked_for, answer.machines, self._own)]
        if problems:
            raise NeighbourError(
                f"{node.name} cannot be made on {self._key}: {'; '.join(problems)}; limit: one domain for each dedicated CPU and each drive. "
                f"Run `python -m ops hypervisor describe {shlex.quote(self._uri)}`, write what it says into hypervisors.{self._key}.tenants, and the planner seats around it"
            )
        too_old = list(_too_old(node, answer))
        if too_old:
            raise NeighbourError(f"{node.name} cannot be made on {self._key}: {too_old[0]}")

    async def _answer(self) -> ask.Answer:
        if self._asked is None:
            self._asked = asyncio.ensure_future(ask.domains(self._uri, within_s=ANSWER_S))
            answer = await asyncio.shield(self._asked)
            if answer.why_not:
                pulumi.log.warn(
                    f"hypervisor {self._key} does not say which domains it has ({answer.why_not}), so nothing keeps its dedicated CPUs from being "
                    f"another's: run `virsh --readonly --connect '{self._uri}' list --all` here, and preview again"
                )
        return await asyncio.shield(self._asked)


def wanted(plan: Plan, node: NodePlan) -> Wanted:
    """What a planned machine takes of its hypervisor."""
    whole = [disk.drive for disk in node.disks if disk.drive is not None]
    return Wanted(
        name=node.name,
        environment=plan.settings.name,
        policy=node.cpu_policy,
        cpus=frozenset(cpu for cpus in node.vcpu_pins for cpu in cpus),
        pci=frozenset(drive.place for drive in whole if drive.kind != "block"),
        blocks=frozenset(drive.place for drive in whole if drive.kind == "block"),
    )


def can_clash(node: NodePlan) -> bool:
    """Whether a machine takes anything that another could have; an emulated one without drives takes nothing."""
    return bool(node.vcpu_pins) or any(disk.drive is not None for disk in node.disks) or threads_of_one_disk(node) > 1


def _too_old(node: NodePlan, answer: ask.Answer) -> Iterator[str]:
    """libvirt leaves out of a definition what it does not know, so that an old one would start the machine without it."""
    threads = threads_of_one_disk(node)
    if threads > 1 and answer.libvirt is not None and answer.libvirt < SEVERAL_THREADS:
        needed, has = ".".join(map(str, SEVERAL_THREADS)), ".".join(map(str, answer.libvirt))
        yield f"a disk of it has io_threads: {threads}, which needs libvirt {needed} (and QEMU 9.0), and the host has {has}; write io_threads: 1"
