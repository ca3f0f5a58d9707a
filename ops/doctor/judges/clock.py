"""Hypervisors keep time: their guests begin with it."""

import re
from collections.abc import Iterator
from typing import Final

from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen
from ops.verify.model import Status

OFFSET_S: Final = 1.0
"""etcd warns of peers whose clocks differ by more than a second (rafthttp); guests start with their hypervisor's clock."""
NAME: Final = "clock.synchronised"
KEPT: Final = "a clock that is kept"
REMEDY: Final = "on the hypervisor: apt install chrony, or timedatectl set-ntp true"


def judge(seen: Seen) -> Iterator[Finding]:
    """One finding a hypervisor."""
    for host in seen.hosts.values():
        said = host.told("time")
        if said.error:
            yield unseen(NAME, host.name, said.error, REMEDY, severity="warning")
        else:
            yield _judged(host, said.output)


def _judged(host: HostSeen, text: str) -> Finding:
    state = re.search(r"^Leap status\s*:\s*(.+)$", text, re.MULTILINE)
    offset = re.search(r"^System time\s*:\s*(\d{1,12}\.\d+) seconds", text, re.MULTILINE)
    ntp = re.search(r"^NTPSynchronized=(yes|no)$", text, re.MULTILINE)
    apart = _apart(host, text)
    if apart > OFFSET_S:
        remedy = f"see which of the two is wrong (chronyc tracking; timedatectl). {REMEDY}"
        return _wrong(host, f"{apart:.1f} s or more away from this machine's clock", remedy)
    if (state and state[1].strip() == "Not synchronised") or (not state and ntp and ntp[1] == "no"):
        return _wrong(host, "not synchronised", REMEDY)
    if offset and float(offset[1]) > OFFSET_S:
        return _wrong(host, f"{float(offset[1]):.3f} s off", "on the hypervisor: chronyc makestep")
    if not (state or ntp):
        why = "neither timedatectl nor chronyc answers there" + ("; now it agrees with this machine's clock" if host.clock_s else "")
        return unseen(NAME, host.name, why, REMEDY, severity="warning")
    return passed(NAME, host.name, f"synchronised{f', {float(offset[1]):.6f} s off' if offset else ''}", declared=KEPT)


def _apart(host: HostSeen, text: str) -> float:
    """How far its clock is from ours at the least; 0 where both may be the same, or nobody knows."""
    clock = re.search(r"^clock (\d{1,12}\.\d{1,9})$", text, re.MULTILINE)
    if clock is None or host.clock_s is None:
        return 0.0
    before, after = host.clock_s
    return max(before - float(clock[1]), float(clock[1]) - after, 0.0)


def _wrong(host: HostSeen, found: str, remedy: str) -> Finding:
    return Finding(
        id=NAME, where=host.name, status=Status.FAILED, severity="warning", declared=KEPT, found=found, limit=f"{OFFSET_S:.0f} s", remedy=remedy
    )
