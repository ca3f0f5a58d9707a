"""What doctor sees, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ops.verify.model import Said, Status
from plan import NodePlan, Plan
from settings.hypervisor import Hypervisor

Severity = Literal["error", "warning"]
OPERATOR = "this machine"
"""Where a finding is that is about the machine that runs `pulumi up`."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found about one thing at one place."""

    id: str
    """Subject and name: pool.space."""
    where: str
    """Hypervisor, or the operator's machine."""
    status: Status
    severity: Severity = "error"
    """`error`: `up` fails, or the result is not what is declared; `warning`: it works, and is slower or less safe."""
    declared: str = ""
    found: str = ""
    limit: str = ""
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class HostSeen:
    """A hypervisor as it answered."""

    name: str
    settings: Hypervisor
    virsh: Mapping[str, Said]
    """Question's key (questions.py) to answer."""
    by_shell: Mapping[str, Said]
    """Section of the host's script (script.py) to answer; under the empty key why there is no answer, or none from where the script was cut off."""
    clock_s: tuple[float, float] | None = None
    """This machine's clock, Unix seconds, before the shell was asked for its own and when the answer began to come."""

    def told(self, part: str) -> Said:
        """What the shell said to a part of its script, or why it said nothing."""
        return self.by_shell.get(part) or self.by_shell.get("") or Said(output="", exit_code=1, error="was not asked")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A file of the node image."""

    setting: str
    """Setting that names it: image.kernel."""
    source: str
    size: int | None
    """Bytes; None where it cannot be read or its size is not told."""
    error: str = ""
    virtual_size: int | None = None
    """Bytes of the disk in a qcow2 file."""


@dataclass(frozen=True, kw_only=True)
class OperatorSeen:
    """The machine that runs `pulumi up`, and the project on it."""

    tools: Mapping[str, str]
    """Program to where it was found; empty: nowhere."""
    commands: Mapping[str, Said]
    """Name of a question to the engine or the interpreter, to answer."""
    pinned: Mapping[str, str]
    """Package to version in requirements.txt."""
    variables: frozenset[str] = frozenset()
    """Names of environment variables that are set and matter to the engine."""
    stack_file: Mapping[str, str] = field(default_factory=dict[str, str])
    """`encryptionsalt` and `secretsprovider` of the stack file, as far as they are there; the salt's value is left out."""
    parts: Sequence[Part] = ()
    image_kubernetes: str = ""
    """Kubernetes version in the manifest beside the image; empty where there is none."""
    pings: Mapping[str, Said] = field(default_factory=dict[str, Said])
    """Address of the plan to what a ping from here said."""
    manifests: Mapping[str, str] = field(default_factory=dict[str, str])
    """Setting that pins a manifest to why it cannot be had; empty where it can."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Everything that was looked at, before any judge speaks."""

    plan: Plan
    stack: str
    hosts: Mapping[str, HostSeen]
    operator: OperatorSeen

    def nodes_on(self, host: HostSeen) -> tuple[NodePlan, ...]:
        """The machines that the plan puts on a hypervisor."""
        return self.plan.nodes_on(host.name)


def why_not(said: Said | None) -> str:
    """Why an answer says nothing, in a few words; empty where it does say something."""
    if said is None:
        return "was not asked"
    if said.error:
        return said.error
    if said.exit_code != 0:
        lines = [line.removeprefix("error:").strip() for line in said.output.splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {said.exit_code}"
    return ""


def unseen(finding_id: str, where: str, why: str, remedy: str, *, severity: Severity = "error") -> Finding:
    """The finding that something could not be looked at."""
    return Finding(id=finding_id, where=where, status=Status.NOT_CHECKED, severity=severity, found=why, remedy=remedy)


def passed(finding_id: str, where: str, found: str, *, declared: str = "", limit: str = "") -> Finding:
    """The finding that all is well."""
    return Finding(id=finding_id, where=where, status=Status.PASSED, declared=declared, found=found, limit=limit)
