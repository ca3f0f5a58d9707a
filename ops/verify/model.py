"""What a check asks, what it says, and what it is given to judge by."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from plan import NodePlan, Plan

if TYPE_CHECKING:
    from ops.verify.reach import Fleet

Severity = Literal["error", "warning"]
Area = Literal["services", "pods", "conntrack", "nodes", "machines", "ingress", "dependencies", "residency"]


class Status(StrEnum):
    """How a check ended at one place."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"
    """It could not look; counts as not passed."""
    SKIPPED = "does not apply"
    """The stack declares nothing that it is about."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A question to a node: a script for bash, run once a run whoever asks, beside the others of the node.

    It changes nothing that it does not put back, also when it is killed, and its standard output is all that is read.
    """

    key: str
    """Name among all probes; two checks that ask the same share it."""
    script: Callable[[Plan, NodePlan], str]
    timeout_s: float = 20.0
    heavy: bool = False
    """Loads the node or the wire (a capture, a sync to disk, a window of seconds): runs after the light ones, one of them at a time on each node."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a probe's script printed."""

    output: str
    exit_code: int
    error: str = ""
    """Why there is no answer: unreachable, refused key, timeout; empty where there is one."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Something that is done for a moment with all nodes and the API, after everything else was looked at.

    It takes away what it made, also when it is cancelled; and what it made ends by itself where nobody is left to do that.
    """

    key: str
    """Under which every node's answer stands, among those to probes."""
    act: "Callable[[Fleet, float], Coroutine[Any, Any, Mapping[str, Said]]]"
    """Gets the seconds that are left; gives each node's answer by its name."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measured number for the report."""

    name: str
    value: float
    unit: str
    limit: float | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found at one place."""

    check: str
    where: str
    """Node, pair of nodes `a -> b`, hypervisor, or `cluster`."""
    status: Status
    declared: str = ""
    found: str = ""
    remedy: str = ""
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Everything that was looked at, once, before any check judges."""

    plan: Plan
    nodes: Mapping[str, Mapping[str, Said]]
    """Node name to probe key to answer; every node of the plan has every probe that was asked, and every trial."""
    api: Mapping[str, Any]
    """Path below the API's root, such as /api/v1/services, to the JSON document; a path that could not be read is in `api_errors`."""
    api_errors: Mapping[str, str]
    hypervisors: Mapping[str, Mapping[str, Said]] = field(default_factory=dict[str, Mapping[str, Said]])
    """Hypervisor to question (virsh's words) to answer."""
    hypervisors_later: Mapping[str, Mapping[str, Said]] = field(default_factory=dict[str, Mapping[str, Said]])
    """The same for what is asked once more, when every node had answered."""
    clock_s: float = 0.0
    """Time of this machine when the probes began, Unix seconds."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that is declared, and how to see whether it is so. One file in checks/ with its test."""

    id: str
    """Area and name: services.scheduler."""
    area: Area
    title: str
    """What holds where it passes, in a few words."""
    severity: Severity
    judge: Callable[[Seen], Iterable[Finding]]
    """Pure. Yields one finding for each place; `missing` below for a place that could not be looked at. Never raises for what a node said."""
    probes: tuple[Probe, ...] = ()
    api_paths: tuple[str, ...] = ()
    virsh: Callable[[Plan, str], Iterable[str]] = lambda _plan, _hypervisor: ()
    """Words for virsh that a hypervisor, by its key in the plan, is asked: `vcpuinfo lab-cp-1`. They only read."""
    virsh_twice: Callable[[Plan, str], Iterable[str]] = lambda _plan, _hypervisor: ()
    """The same, asked before the nodes are and when they have answered: counters, whose difference tells what happened meanwhile."""
    trial: Trial | None = None
    settles_s: float = 0.0
    """What it compares may be on its way from one to the other: where it fails, it looks once more after so many seconds, and that counts."""
    applies: Callable[[Plan], bool] = lambda _plan: True


def missing(check: str, where: str, why: str) -> Finding:
    """The finding that a check could not look."""
    return Finding(check=check, where=where, status=Status.NOT_CHECKED, found=why, remedy="make it reachable and verify again")
