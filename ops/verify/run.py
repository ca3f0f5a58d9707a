"""One verification: look at everything at once, then let every check judge."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from ops.verify import api, hypervisors
from ops.verify.access import Access, compared
from ops.verify.checks import nodes_reachable
from ops.verify.model import Check, Finding, Said, Seen, Status
from ops.verify.options import LIMIT_S
from ops.verify.reach import Fleet, Limits
from ops.verify.registry import probes
from ops.verify.report.model import Report
from plan import Plan

BEAT_S: Final = 2.0
"""Between two lines of progress."""
SECRET_LENGTH: Final = 12
"""Shorter lines of a key give nothing away, and would be found in other texts."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is verified, and how."""

    stack: str
    plan: Plan
    access: Access
    checks: tuple[Check, ...]
    limits: Limits = field(default_factory=Limits)
    within_s: float = LIMIT_S
    """For the looking; what has not answered by then counts as not checked."""
    say: Callable[[str], None] = lambda _line: None
    """Told each line of progress."""


def verify(request: Request) -> Report:
    """Look and judge. OpsError where outputs and stack file are of different environments."""
    differences = compared(request.plan, request.access)
    for sentence in differences:
        request.say(sentence)
    begun, started_s = time.monotonic(), time.time()
    with _interruptible():
        found = judged(request.checks, asyncio.run(look(request)))
        settled = tuple(_settled(request, found))
    findings = [*settled, *_undeclared(request)]
    return Report(
        environment=request.plan.settings.name,
        stack=request.stack,
        started_s=started_s,
        seconds=time.monotonic() - begun,
        checks=request.checks,
        findings=tuple(sorted(findings, key=lambda finding: (finding.check, finding.where, finding.found))),
        nodes=len(request.plan.nodes),
        notes=differences,
        secrets=secret_parts(request.access),
    )


@contextmanager
def _interruptible() -> Generator[None]:
    """SIGTERM is Ctrl-C: what was made for a moment is taken away first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


async def look(request: Request) -> Seen:
    """Ask all nodes, the API and the hypervisors what the checks want to know."""
    wanted = tuple(check for check in request.checks if _applies(check, request.plan) is True)
    asked = probes(wanted)
    paths = tuple(dict.fromkeys(path for check in wanted for path in check.api_paths))
    questions = hypervisors.questions(request.plan, wanted)
    progress = _Progress(request.say, nodes=len(request.plan.nodes) if asked else 0, paths=len(paths))
    fleet = Fleet(plan=request.plan, access=request.access, limits=request.limits, answered=progress.node)
    begun, clock_s = time.monotonic(), time.time()
    async with asyncio.TaskGroup() as group:
        beat = asyncio.create_task(progress.beat())
        nodes = group.create_task(fleet.ask(asked, request.within_s))
        read = group.create_task(api.gather(request.access.kubeconfig, paths, request.within_s, progress.path))
        hosts = group.create_task(hypervisors.gather(request.plan, questions, request.within_s))
        try:
            await asyncio.wait((nodes, read, hosts))
        finally:
            beat.cancel()
            progress.show()
    until = begun + request.within_s
    later = await hypervisors.gather(request.plan, hypervisors.counters(request.plan, wanted), until - time.monotonic())
    documents, errors = read.result()
    # They load nodes and change the cluster for a moment: nothing else is looked at meanwhile.
    tried = await _tried(request, Fleet(plan=request.plan, access=request.access, limits=request.limits), wanted, until)
    said = {name: {**answers, **tried[name]} for name, answers in nodes.result().items()}
    return Seen(plan=request.plan, nodes=said, api=documents, api_errors=errors, hypervisors=hosts.result(), hypervisors_later=later, clock_s=clock_s)


async def _tried(request: Request, fleet: Fleet, checks: Iterable[Check], until: float) -> dict[str, dict[str, Said]]:
    """What nodes say of the checks' trials, one after the other."""
    said = {node.name: dict[str, Said]() for node in request.plan.nodes}
    for check in checks:
        if check.trial is None or any(check.trial.key in answers for answers in said.values()):
            continue
        request.say(f"{check.id}: on all nodes, for some seconds")
        why = "the trial says nothing of it"
        answers: Mapping[str, Said] = {}
        try:
            answers = await check.trial.act(fleet, until - time.monotonic())
        except Exception as error:
            why = f"the trial itself failed: {type(error).__name__}: {error}"
        for name, own in said.items():
            own[check.trial.key] = answers.get(name) or Said(output="", exit_code=-1, error=why)
    return said


def judged(checks: Iterable[Check], seen: Seen) -> tuple[Finding, ...]:
    """What all checks find; one that cannot judge says so."""
    return tuple(finding for check in checks for finding in _of(check, seen))


def _settled(request: Request, findings: Sequence[Finding]) -> Iterator[Finding]:
    """The same, with a second look at what failed and may only have been late."""
    failed = {finding.check for finding in findings if finding.status is Status.FAILED}
    late = tuple(check for check in request.checks if check.settles_s and check.id in failed)
    if not late:
        yield from findings
        return
    pause_s = max(check.settles_s for check in late)
    request.say(f"{', '.join(check.id for check in late)}: a second look in {pause_s:g} s, as it may have been on its way")
    time.sleep(pause_s)
    seen = asyncio.run(look(replace(request, checks=late)))
    later = {(finding.check, finding.where): finding for finding in judged(late, seen)}
    for finding in findings:
        yield later.get((finding.check, finding.where), finding) if finding.status is Status.FAILED else finding


def _of(check: Check, seen: Seen) -> Sequence[Finding]:
    applies = _applies(check, seen.plan)
    if not isinstance(applies, bool):
        return [applies]
    try:
        return list(check.judge(seen))
    except Exception as error:
        return [_broken(check, error)]


def _applies(check: Check, plan: Plan) -> Finding | Literal[True]:
    """True, or the finding in its place."""
    try:
        if check.applies(plan):
            return True
    except Exception as error:
        return _broken(check, error)
    return Finding(check=check.id, where="cluster", status=Status.SKIPPED, found="the stack declares nothing that it is about")


def _broken(check: Check, error: Exception) -> Finding:
    words = f"the check itself failed: {type(error).__name__}: {error}"
    return Finding(
        check=check.id,
        where="cluster",
        status=Status.NOT_CHECKED,
        found=words,
        remedy="report it with `--json`: a check must judge whatever a node says",
    )


def _undeclared(request: Request) -> Iterable[Finding]:
    """Nodes that were brought up and are no longer declared."""
    if nodes_reachable.ID not in {check.id for check in request.checks}:
        return
    for name in sorted(request.access.nodes.keys() - {node.name for node in request.plan.nodes}):
        yield Finding(
            check=nodes_reachable.ID,
            where=name,
            status=Status.FAILED,
            declared="no such node",
            found="it is in the stack's outputs",
            remedy="run `pulumi up`, or declare it again",
        )


def secret_parts(access: Access) -> frozenset[str]:
    """What no report may show: key and kubeconfig, whole and line by line."""
    whole = {access.private_key, access.kubeconfig}
    try:
        known = api.credentials(access.kubeconfig)
        whole.add(known.key.decode(errors="replace"))
    except api.ApiError:
        pass
    lines = {line.strip() for text in (access.private_key, *whole - {access.kubeconfig}) for line in text.splitlines() if "-----" not in line}
    embedded = {line.rpartition(" ")[2] for line in access.kubeconfig.splitlines() if "client-key-data" in line}
    return frozenset(part for part in whole | lines | embedded if len(part) >= SECRET_LENGTH)


class _Progress:
    """How far the looking is, as lines."""

    def __init__(self, say: Callable[[str], None], *, nodes: int, paths: int) -> None:
        self._say = say
        self._wanted: Mapping[str, int] = {"nodes": nodes, "paths of the API": paths}
        self._done = dict.fromkeys(self._wanted, 0)
        self._begun = time.monotonic()
        self._said = ""

    def node(self, name: str, error: str) -> None:
        """A node is done."""
        self._done["nodes"] += 1
        if error:
            self._say(f"{name}: {error}")

    def path(self, _path: str) -> None:
        """A path of the API is done."""
        self._done["paths of the API"] += 1

    async def beat(self) -> None:
        """A line every few seconds, where something is new."""
        while True:
            self.show()
            await asyncio.sleep(BEAT_S)

    def show(self) -> None:
        """Say it, where something is new."""
        counts = ", ".join(f"{self._done[what]} of {wanted} {what}" for what, wanted in self._wanted.items() if wanted)
        if counts != self._said:
            self._said = counts
            self._say(f"{counts} · {time.monotonic() - self._begun:.0f} s")
