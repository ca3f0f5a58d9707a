"""Recorded seats: where machines stand already, so that nothing moves them but a change of the record."""

from typing import Annotated, Literal

from settings.base import Settings
from settings.forms import CpuSet, DnsLabel, Words, text

MachineName = Annotated[
    str, text(r"[a-z]([-a-z0-9]*[a-z0-9])?", "expected a machine's host name: <environment>-<set>-<number>", "oslo-cp-1", 63), Words("host name")
]


class RecordedPlace(Settings):
    """Where one machine stands; `python -m ops plan --record` writes it, a hand may. A change replaces the machine."""

    hypervisor: DnsLabel
    """The hypervisor that carries it."""
    cpus: CpuSet | None = None
    """Host CPUs that a dedicated machine has to itself: whole cores of one NUMA node. Unset: chosen."""
    drives: dict[Literal["etcd", "containerd"], DnsLabel] = {}
    """Drive of the hypervisor for each purpose. Unset: chosen."""
