"""What answers mean: pure functions from what was seen to findings, a file for each subject."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from ops.doctor.judges import (
    addresses,
    clock,
    cpu_models,
    cpus,
    drives,
    image,
    isolation,
    kvm,
    link,
    memory,
    operator,
    reach,
    running,
    storage,
    tenants,
    topology,
    versions,
)
from ops.doctor.model import Finding, Seen

HERE: Final[tuple[Callable[[Seen], Iterable[Finding]], ...]] = (operator.judge, image.judge, reach.judge)
THERE: Final[tuple[Callable[[Seen], Iterable[Finding]], ...]] = (
    versions.judge,
    kvm.judge,
    cpu_models.judge,
    topology.judge,
    isolation.judge,
    cpus.judge,
    memory.judge,
    storage.judge,
    drives.judge,
    link.judge,
    running.judge,
    tenants.judge,
    clock.judge,
)
"""Judges of hypervisors that answer, in the order in which a person wants to read them."""


LAST: Final[tuple[Callable[[Seen], Iterable[Finding]], ...]] = (addresses.judge,)
"""Judges of the whole that must know which hypervisors do not answer."""


def findings(seen: Seen) -> list[Finding]:
    """Everything that all judges say."""
    up = replace(seen, hosts={name: host for name, host in seen.hosts.items() if not reach.down(host)})
    parts = ((HERE, seen), (THERE, up), (LAST, seen))
    return [finding for judges, what in parts for judge in judges for finding in judge(what)]
