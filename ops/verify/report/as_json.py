"""The report for programs; verify-1.schema.json beside this file says what is in it."""

import json
import math
from pathlib import Path
from typing import Any, Final

from ops.verify.model import Figure
from ops.verify.report.model import CheckLine, Line, Mark, Report, digest
from ops.verify.report.words import moment

VERSION: Final = 1
"""Rises when something that was there goes or changes its meaning; new properties may come within a version."""
SCHEMA: Final = Path(__file__).parent / f"verify-{VERSION}.schema.json"


def write(report: Report) -> str:
    """One document; checks by area and name, findings the worst first."""
    found = digest(report)
    document: dict[str, Any] = {
        "version": VERSION,
        "environment": found.environment,
        "stack": found.stack,
        "started": f"{moment(found.started_s):%Y-%m-%dT%H:%M:%SZ}",
        "seconds": round(found.seconds, 3),
        "nodes": found.nodes,
        "notes": list(found.notes),
        "verdict": found.verdict.value,
        "counts": {mark.value.replace(" ", "_"): found.marks.get(mark, 0) for mark in Mark},
        "checks": [_check(check) for check in found.checks],
        "findings": [_finding(line) for line in found.lines],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _check(check: CheckLine) -> dict[str, Any]:
    return {
        "id": check.id,
        "area": check.area,
        "title": check.title,
        "severity": check.severity,
        "status": check.mark.value,
        "places": len(check.lines),
    }


def _finding(line: Line) -> dict[str, Any]:
    return {
        "check": line.check,
        "where": line.where,
        "status": line.mark.value,
        "severity": line.severity,
        "declared": line.declared,
        "found": line.found,
        "remedy": line.remedy,
        "figures": [_figure(figure) for figure in line.figures],
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "value": _finite(figure.value),
        "unit": figure.unit,
        "limit": None if figure.limit is None else _finite(figure.limit),
    }


def _finite(value: float) -> float | None:
    """JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else None
