"""The connection table: its size and timeouts as declared, room in it, and nothing lost from it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ops.verify.model import Check, Figure, Finding, Probe, Seen
from ops.verify.reading.answers import PRELUDE, Sections, Verdict, each_node
from ops.verify.reading.document import whole
from plan import NodePlan, Plan
from render.node_files import sysctls

MAXIMUM, HASH, TIMEOUTS, HEADROOM, LOSSES = (f"conntrack.{name}" for name in ("maximum", "hash", "timeouts", "headroom", "losses"))
PREFIX = "net.netfilter."
MAX_NAME = f"{PREFIX}nf_conntrack_max"
FULL_SHARE = 0.75
"""More in use leaves no room for a burst that doubles by a third; a full table drops new connections silently."""
WINDOW_S = 5
LOST = {
    "drop": "packets dropped because the table was full",
    "early_drop": "connections thrown out of a full table",
    "insert_failed": "new connections not taken into the table",
    "chaintoolong": "new connections refused because a hash bucket was full",
}


def _declared(plan: Plan) -> dict[str, str]:
    """sysctls of connection tracking, as `prepare` sets them."""
    return {sysctl.name: sysctl.value for sysctl in sysctls(plan) if sysctl.name.startswith(f"{PREFIX}nf_conntrack_")}


def _script(plan: Plan, _node: NodePlan) -> str:
    names = " ".join(name.removeprefix(PREFIX) for name in _declared(plan))
    return f"""{PRELUDE}
values() {{
  local name value
  for name in {names} nf_conntrack_count nf_conntrack_buckets; do
    value=absent
    [[ ! -r /proc/sys/net/netfilter/$name ]] || IFS= read -r value <"/proc/sys/net/netfilter/$name"
    echo "{PREFIX}$name $value"
  done
}}
ask values values
"""


def _window(_plan: Plan, _node: NodePlan) -> str:
    return f"""{PRELUDE}
ask before conntrack -S
sleep {WINDOW_S}
ask after conntrack -S
"""


TABLE = Probe(key="conntrack", script=_script)
STATISTICS = Probe(key="conntrack-losses", script=_window, timeout_s=30)
"""It only waits: other probes may run meanwhile, and what they lose counts as well."""


@dataclass(frozen=True, kw_only=True)
class Values:
    """What the kernel says, by sysctl."""

    found: Mapping[str, str]

    def number(self, name: str) -> int | None:
        """A value as a number."""
        return whole(self.found.get(name))


def _values(said: Sections) -> Values:
    text = said.text("values") or ""
    return Values(found={words[0]: words[1] for line in text.splitlines() if len(words := line.split()) == 2})


def _remedy(name: str, value: str) -> str:
    return f"pulumi up --refresh runs `prepare` again; until then: sysctl -w {name}={value}; look for what else sets it (/etc/sysctl.d)"


def _maximum(seen: Seen) -> Iterator[Finding]:
    wanted = seen.plan.conntrack.max_entries

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        found = _values(said).number(MAX_NAME)
        verdict = Verdict(check=MAXIMUM, where=node.name, declared=f"{wanted} connections", remedy=_remedy(MAX_NAME, str(wanted)))
        if found is None:
            yield verdict.missing(f"the kernel does not say {MAX_NAME}: is nf_conntrack loaded?")
            return
        yield verdict.of([f"{MAX_NAME} is {found}, declared {wanted}"] if found != wanted else [], str(found))

    yield from each_node(MAXIMUM, TABLE, judge, seen)


def _hash(seen: Seen) -> Iterator[Finding]:
    wanted, path = seen.plan.conntrack.buckets, "/sys/module/nf_conntrack/parameters/hashsize"

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        found = _values(said).number(f"{PREFIX}nf_conntrack_buckets")
        remedy = f"echo {wanted} >{path} on {node.name}, or pulumi up --refresh; fewer buckets lose new connections (chaintoolong)"
        verdict = Verdict(check=HASH, where=node.name, declared=f"{wanted} buckets", remedy=remedy)
        if found is None:
            yield verdict.missing("the kernel does not say nf_conntrack_buckets: is nf_conntrack loaded?")
            return
        yield verdict.of([f"the hash has {found} buckets, declared {wanted}"] if found != wanted else [], f"{found} buckets")

    yield from each_node(HASH, TABLE, judge, seen)


def _timeouts(seen: Seen) -> Iterator[Finding]:
    wanted = {name: value for name, value in _declared(seen.plan).items() if name != MAX_NAME}

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        found = _values(said).found
        what = ", ".join(f"{name.removeprefix(PREFIX)} {value}" for name, value in wanted.items())
        verdict = Verdict(check=TIMEOUTS, where=node.name, declared=what, remedy="pulumi up --refresh; look for what else sets it (/etc/sysctl.d)")
        gone = [name for name in wanted if name not in found]
        if gone:
            yield verdict.missing(f"the node does not say {', '.join(gone)}")
            return
        yield verdict.of([f"{name} is {found[name]}, declared {value}" for name, value in wanted.items() if found[name] != value], "the same")

    yield from each_node(TIMEOUTS, TABLE, judge, seen)


def _headroom(seen: Seen) -> Iterator[Finding]:
    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        values = _values(said)
        used, most = values.number(f"{PREFIX}nf_conntrack_count"), values.number(MAX_NAME)
        verdict = Verdict(
            check=HEADROOM,
            where=node.name,
            declared=f"at most {FULL_SHARE:.0%} of the table in use",
            remedy=f"raise node.conntrack.max_entries ({seen.plan.conntrack.max_entries}), set in place; or see who opens so many: conntrack -L",
        )
        if used is None or not most or most < 0:
            yield verdict.missing("the kernel does not say how many connections it tracks, or how many it may")
            return
        figure = Figure(name="tracked connections", value=used, unit="entries", limit=FULL_SHARE * most)
        said_so = f"{used} of {most} in use ({used / most:.0%})"
        yield verdict.of([f"{said_so}, limit {FULL_SHARE:.0%}"] if used > FULL_SHARE * most else [], said_so, [figure])

    yield from each_node(HEADROOM, TABLE, judge, seen)


def _losses(seen: Seen) -> Iterator[Finding]:
    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        before, after = (_counters(said.text(part) or "") for part in ("before", "after"))
        verdict = Verdict(
            check=LOSSES,
            where=node.name,
            declared=f"nothing lost in {WINDOW_S} s",
            remedy="see conntrack.headroom and conntrack.hash: raise node.conntrack.max_entries; insert_failed alone: two packets of one new flow at once",
        )
        if not before or not after:
            part = "before" if not before else "after"
            yield verdict.missing(said.why(part) if said.text(part) is None else "`conntrack -S` counts nothing that is known")
            return
        grown = {name: after.get(name, 0) - before.get(name, 0) for name in LOST}
        lines = [f"{name} grew by {grown[name]} in {WINDOW_S} s: {meaning}" for name, meaning in LOST.items() if grown[name] > 0]
        since = ", ".join(f"{name} {after.get(name, 0)}" for name in LOST)
        figures = [Figure(name=f"{name} since boot", value=after.get(name, 0), unit="packets") for name in LOST]
        yield verdict.of(lines, f"nothing in {WINDOW_S} s; since boot: {since}", figures)

    yield from each_node(LOSSES, STATISTICS, judge, seen)


def _counters(text: str) -> dict[str, int]:
    """Sums over all CPUs of `conntrack -S`."""
    sums: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith("cpu="):
            for name, value in re.findall(r"\b([a-z_]+)=([0-9]{1,19})\b", line):
                sums[name] = sums.get(name, 0) + int(value)
    return {name: value for name, value in sums.items() if name in LOST}


CHECKS: tuple[Check, ...] = (
    Check(id=MAXIMUM, area="conntrack", title="The table has the declared maximum", severity="error", judge=_maximum, probes=(TABLE,)),
    Check(id=HASH, area="conntrack", title="The hash has a bucket for every four connections", severity="error", judge=_hash, probes=(TABLE,)),
    Check(id=TIMEOUTS, area="conntrack", title="Connections are kept as long as declared", severity="error", judge=_timeouts, probes=(TABLE,)),
    Check(id=HEADROOM, area="conntrack", title="The table has room", severity="warning", judge=_headroom, probes=(TABLE,)),
    Check(id=LOSSES, area="conntrack", title="No connection is lost from the table", severity="warning", judge=_losses, probes=(STATISTICS,)),
)
