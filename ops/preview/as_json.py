"""A summary for programs."""

import json
from typing import Any

from ops.preview import wording
from ops.preview.summary import Summary


def write(summary: Summary) -> str:
    """One document; `gate` and `exit_code` are what gates look at."""
    document: dict[str, Any] = {
        "stack": summary.stack,
        "gate": wording.GATES[summary.severity],
        "exit_code": int(summary.severity),
        "resources": dict(summary.counts),
        "refused": list(summary.refusals),
        "effects": [
            {"section": line.section.value, "subjects": line.subjects, "text": line.text, "gate": wording.GATES[line.severity]}
            for line in summary.lines
        ],
        "cost": {"work": list(summary.cost.lines), "expected_s": summary.cost.expected_s, "at_most_s": summary.cost.at_most_s},
        "outputs": None if summary.outputs is None else dict(wording.outputs(summary)),
        "warnings": list(summary.warnings),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
