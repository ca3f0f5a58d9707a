"""What every form of a report is made from: findings in the order of their weight, with their checks' words, fit to be shown."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Final, get_args

from ops.preview.effects import natural
from ops.verify.model import Area, Check, Figure, Finding, Severity, Status
from ops.verify.report.clean import Cleaner


class Mark(StrEnum):
    """How something ended, the worst first."""

    FAILED = "failed"
    NOT_CHECKED = "not checked"
    WARNING = "warning"
    """Failed, and the check's severity is warning."""
    PASSED = "passed"
    SKIPPED = "does not apply"


MARKS: Final = tuple(Mark)
WRONG: Final = frozenset({Mark.FAILED, Mark.NOT_CHECKED, Mark.WARNING})
AREAS: Final[tuple[Area, ...]] = get_args(Area)
SILENT: Final = "the check said nothing of any place"
_REPORT_IT: Final = "report it: a check gives a finding for each place"


@dataclass(frozen=True, kw_only=True)
class Report:
    """One verification. Every check that was asked gives at least one finding; one without counts as not checked."""

    environment: str
    stack: str
    started_s: float
    """Unix seconds."""
    seconds: float
    checks: tuple[Check, ...]
    """Those that were chosen, also where they do not apply."""
    findings: tuple[Finding, ...]
    nodes: int
    notes: tuple[str, ...] = ()
    """Sentences about the run itself: what limits what it says."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """Values that no form may show, whatever a node said: a key, a kubeconfig, a token."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A finding with its check's words, fit to be shown."""

    check: str
    area: str
    title: str
    severity: Severity
    mark: Mark
    where: str
    declared: str
    found: str
    remedy: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, kw_only=True)
class CheckLine:
    """A check, its worst finding's mark and how many places it looked at."""

    id: str
    area: str
    title: str
    severity: Severity
    mark: Mark
    lines: tuple[Line, ...]

    def marked(self, mark: Mark) -> tuple[Line, ...]:
        """Its findings that ended so."""
        return tuple(line for line in self.lines if line.mark is mark)


@dataclass(frozen=True, kw_only=True)
class Digest:
    """A report in order: checks by area and name, places by their natural order."""

    environment: str
    stack: str
    started_s: float
    seconds: float
    nodes: int
    notes: tuple[str, ...]
    checks: tuple[CheckLine, ...]

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """All findings, the worst first."""
        found = [line for check in self.checks for line in check.lines]
        return tuple(sorted(found, key=lambda line: MARKS.index(line.mark)))

    @cached_property
    def marks(self) -> Mapping[Mark, int]:
        """How many checks have a finding of each mark that is wrong, and how many passed or do not apply as a whole."""
        return counted(self.checks)

    @cached_property
    def places(self) -> Mapping[Mark, int]:
        """How many findings have each mark."""
        counts = Counter(line.mark for line in self.lines)
        return {mark: counts[mark] for mark in MARKS if counts[mark]}

    @property
    def verdict(self) -> Mark:
        """The worst mark of all; passed where nothing applies."""
        return min((check.mark for check in self.checks if check.mark is not Mark.SKIPPED), key=MARKS.index, default=Mark.PASSED)

    @property
    def areas(self) -> tuple[str, ...]:
        """Areas that have checks, in the order of `Area`, then others by name."""
        return tuple(dict.fromkeys(check.area for check in self.checks))

    def having(self, mark: Mark) -> tuple[CheckLine, ...]:
        """Checks that have such a finding; of several, one may have others too."""
        return tuple(check for check in self.checks if any(line.mark is mark for line in check.lines))

    @property
    def wrong(self) -> tuple[CheckLine, ...]:
        """Checks of which something failed, with those findings alone: errors, then warnings."""
        return tuple(replace(check, mark=mark, lines=check.marked(mark)) for mark in (Mark.FAILED, Mark.WARNING) for check in self.having(mark))


def counted(checks: Iterable[CheckLine]) -> Mapping[Mark, int]:
    """How many checks have a finding of each mark that is wrong, and how many passed or do not apply as a whole."""
    counts = Counter(mark for check in checks for mark in ({line.mark for line in check.lines} & WRONG or {check.mark}))
    return {mark: counts[mark] for mark in MARKS if counts[mark]}


def digest(report: Report) -> Digest:
    """The report in order, every text cleaned. A finding of a check that is not among the report's is kept, as an error of the area in its name."""
    clean = Cleaner(report.secrets)
    known = {check.id: check for check in report.checks}
    by_check: dict[str, list[Finding]] = {check.id: [] for check in report.checks}
    for finding in report.findings:
        by_check.setdefault(finding.check, []).append(finding)
    checks = [_check_line(id_, known.get(id_), findings, clean) for id_, findings in by_check.items()]
    order = {area: number for number, area in enumerate(AREAS)}
    return Digest(
        environment=clean.text(report.environment),
        stack=clean.text(report.stack),
        started_s=report.started_s,
        seconds=report.seconds,
        nodes=report.nodes,
        notes=tuple(map(clean.text, report.notes)),
        checks=tuple(sorted(checks, key=lambda check: (order.get(check.area, len(order)), check.area, check.id))),
    )


def _check_line(id_: str, check: Check | None, findings: Iterable[Finding], clean: Cleaner) -> CheckLine:
    severity: Severity = check.severity if check else "error"
    empty = Line(
        check=clean.text(id_),
        area=check.area if check else clean.text(id_.partition(".")[0]),
        title=clean.text(check.title if check else id_),
        severity=severity,
        mark=Mark.NOT_CHECKED,
        where="cluster",
        declared="",
        found=SILENT,
        remedy=_REPORT_IT,
        figures=(),
    )
    lines = sorted((_line(empty, finding, clean) for finding in findings), key=lambda line: (MARKS.index(line.mark), natural(line.where), line.found))
    shown = tuple(lines) or (empty,)
    return CheckLine(id=empty.check, area=empty.area, title=empty.title, severity=severity, mark=shown[0].mark, lines=shown)


def _line(empty: Line, finding: Finding, clean: Cleaner) -> Line:
    return replace(
        empty,
        mark=_mark(finding.status, empty.severity),
        where=clean.text(finding.where),
        declared=clean.text(finding.declared),
        found=clean.text(finding.found),
        remedy=clean.text(finding.remedy),
        figures=tuple(replace(figure, name=clean.text(figure.name), unit=clean.text(figure.unit)) for figure in finding.figures),
    )


def _mark(status: Status, severity: Severity) -> Mark:
    if status is Status.FAILED:
        return Mark.FAILED if severity == "error" else Mark.WARNING
    return {Status.NOT_CHECKED: Mark.NOT_CHECKED, Status.PASSED: Mark.PASSED, Status.SKIPPED: Mark.SKIPPED}[status]
