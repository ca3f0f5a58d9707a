"""The node's clock against the declared servers, asked directly, and chrony's own word."""

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from ops.verify.model import Check, Figure, Finding, Probe, Seen
from ops.verify.reading.answers import PRELUDE, Sections, Verdict, each_node
from ops.verify.reading.document import number
from ops.verify.reading.emulation import allowance
from plan import NodePlan, Plan

CHECK = "nodes.clock"
LIMIT_S = 0.5
"""Two nodes that keep it differ by less than the second at which etcd complains of its peers' clocks (server/etcdserver/api/rafthttp). Emulated guests lag behind by more
while their host is busy."""
ASKED = 4
"""Servers that are asked; four outvote a wrong one."""
SYNCHRONISED = ("Normal", "Insert second", "Delete second")
LEAP_FIELD, FIELDS = 13, 14

# RFC 4330: the best of three, by the shortest way there and back
_ASK = """
import json, socket, struct, sys, time
def ask(name):
    best = None
    for _ in range(3):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.settimeout(2)
            link.connect((name, 123))
            sent = time.time()
            link.send(b"\\x23" + bytes(39) + struct.pack("!II", int(sent) + 2208988800 & 0xFFFFFFFF, int(sent % 1 * 2**32)))
            answer = link.recv(512)
            back = time.time()
        if len(answer) < 48 or answer[0] & 7 != 4 or answer[1] == 0 or answer[0] >> 6 == 3:
            raise OSError("it is not synchronised itself")
        received, replied = (high - 2208988800 + low / 2**32 for high, low in (struct.unpack("!II", answer[at:at + 8]) for at in (32, 40)))
        delay = back - sent - (replied - received)
        if best is None or delay < best[1]:
            best = ((received - sent + replied - back) / 2, delay)
    return best
for name in json.loads(sys.argv[1]):
    try:
        print(name, "%.6f %.6f" % ask(name))
    except OSError as error:
        print(name, "failed", error)
"""


def _script(plan: Plan, _node: NodePlan) -> str:
    servers = json.dumps([str(server) for server in plan.settings.node.time.servers[:ASKED]])
    return f"""{PRELUDE}
servers() {{ python3 - '{servers}' <<'UNDERLAY_PYTHON'
{_ASK}
UNDERLAY_PYTHON
}}
ask servers servers
ask tracking chronyc -c tracking
"""


PROBE = Probe(key="node-clock", script=_script, timeout_s=60)


@dataclass(frozen=True, kw_only=True)
class Offset:
    """What one server says: how far the node is behind it, and how long the way there and back took, s."""

    server: str
    offset_s: float
    delay_s: float


def _offsets(text: str) -> tuple[list[Offset], list[str]]:
    """Measured servers, and why the others are not."""
    found, failed = list[Offset](), list[str]()
    for line in text.splitlines():
        words = line.split(maxsplit=2)
        offset, delay = (number(word) for word in words[1:3]) if len(words) == 3 else (None, None)
        if offset is not None and delay is not None:
            found.append(Offset(server=words[0], offset_s=offset, delay_s=delay))
        elif len(words) > 1 and words[1] == "failed":
            failed.append(f"{words[0]} does not answer{f' ({words[2]})' if len(words) > 2 else ''}")
    return found, failed


def _clock(seen: Seen) -> Iterator[Finding]:
    servers = ", ".join(str(server) for server in seen.plan.settings.node.time.servers)

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        limit_s = LIMIT_S * allowance(seen.plan, node)
        verdict = Verdict(
            check=CHECK,
            where=node.name,
            declared=f"within {limit_s * 1000:g} ms of {servers}{'' if limit_s == LIMIT_S else ' (emulated)'}",
            remedy="`chronyc sources` and `chronyc makestep` on the node; whether it reaches node.time.servers at UDP port 123",
        )
        text = said.text("servers")
        found, failed = _offsets(text or "")
        if text is None or not (found or failed):
            yield verdict.missing(said.why("servers") if text is None else "the node did not ask its time servers")
            return
        lines = [] if found else failed
        lines += _tracking(said)
        if not found:
            yield verdict.of(lines, "")
            return
        offset = statistics.median(one.offset_s for one in found)
        sure = abs(offset) - min(one.delay_s for one in found) / 2
        side = "behind" if offset > 0 else "ahead of"
        said_so = f"{_readable(abs(offset))} {side} {', '.join(one.server for one in found)}"
        lines += [f"{said_so}, limit {limit_s * 1000:g} ms"] if sure > limit_s else []
        yield verdict.of(lines, said_so, [Figure(name="clock offset", value=abs(offset) * 1000, unit="ms", limit=limit_s * 1000)])

    yield from each_node(CHECK, PROBE, judge, seen)


def _readable(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _tracking(said: Sections) -> list[str]:
    """What chrony finds wrong with itself."""
    text = said.text("tracking")
    if text is None:
        return [f"chrony: {said.why('tracking')}"]
    fields = text.strip().split(",")
    if len(fields) < FIELDS:
        return [f"chrony says {text.strip()[:60]!r} of itself"]
    return [] if fields[LEAP_FIELD] in SYNCHRONISED else [f"chrony is {fields[LEAP_FIELD].lower()}"]


CHECKS: tuple[Check, ...] = (
    Check(
        id=CHECK,
        area="nodes",
        title="Clocks agree with the declared time servers",
        severity="error",
        judge=_clock,
        probes=(PROBE,),
    ),
)
