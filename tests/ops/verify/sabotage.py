"""Faults that a running lab can have, one for each way in which one thing is not as declared: how it is broken, what must name it, how it is put right."""

import re
from dataclasses import dataclass
from typing import Final, Literal

FILLED: Final = frozenset(
    {"node", "peer", "address", "peer_address", "own_block", "peer_block", "peer_session", "machine", "state", "gateway", "namespace", "unit"}
)
"""Words in braces that a script may have; braces around anything else are the shell's."""


@dataclass(frozen=True, kw_only=True)
class Sabotage:
    """One fault."""

    name: str
    names: frozenset[str]
    """Ids of checks that must fail for it at the broken place, and no others."""
    says: str = ""
    """Part of what the first of them finds."""
    may: frozenset[str] = frozenset()
    """Ids of checks that may say so besides, because the fault is theirs too, depending on when they look."""
    silences: bool = False
    """The broken place answers nothing any more: whatever was to be asked there is not checked."""
    alone: bool = False
    """It touches what other faults are about: nothing else is broken meanwhile."""
    both_ends: bool = False
    """The other node says so as well: what is between two belongs to both."""
    where: Literal["node", "control plane", "cluster", "hypervisor"] = "node"
    """Who runs the commands: a worker or the control plane as root; kubectl as administrator; the lab's host with virsh."""
    at: Literal["node", "control plane", "cluster", "hypervisor"] = "node"
    """What the finding is to name."""
    breaks: str
    """Bash. What a component would put right at once is broken again each second."""
    mends: str
    """Bash; works whether or not `breaks` went well, and twice."""
    only: tuple[str, ...] = ()
    """Areas or ids to ask while it is broken, where all of them take longer than the fault lasts."""
    settings: tuple[tuple[str, str], ...] = ()
    """What the stack has to declare for it."""


def unit(fault: Sabotage) -> str:
    """Name for what a fault leaves running or keeps aside."""
    return "sabotage-" + re.sub(r"[^a-z0-9]+", "-", fault.name.lower())


def filled(script: str, **words: str) -> str:
    """The script with its words in braces."""
    for word, value in words.items():
        script = script.replace("{" + word + "}", value)
    return script


def again(command: str, pause_s: float = 1) -> str:
    """Do it over and over until `stop`: kube-proxy puts right what it finds at each sync."""
    return f"systemd-run --quiet --collect --unit {{unit}} bash -c 'while :; do {command}; sleep {pause_s:g}; done' && sleep 2"


def stop(command: str) -> str:
    """End that, and put right."""
    return "systemctl stop {unit} 2>/dev/null || true; " + command + " 2>/dev/null || true"
