"""The report as JUnit XML, which CI systems show as tests: a testcase for each check and place.

Valid by the schema of Jenkins' xUnit plugin (junit-10), and by that of Ant's tasks but for `time` of a testcase: checks share what the nodes were asked, so none has a time of its own.
"""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping
from typing import Final

from ops.verify.report import words
from ops.verify.report.model import Digest, Line, Mark, Report, digest

_KINDS: Final = {Mark.FAILED: "failure", Mark.WARNING: "failure", Mark.NOT_CHECKED: "error", Mark.SKIPPED: "skipped"}
"""JUnit knows no warnings: they are failures of type `warning`."""


def write(report: Report) -> str:
    """One suite; its class names are areas, its names checks and places."""
    found = digest(report)
    places = found.places
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", _attributes(found, places))
    properties = ET.SubElement(suite, "properties")
    facts = {"environment": found.environment, "stack": found.stack, "nodes": str(found.nodes), "verdict": found.verdict.value}
    for name, value in facts.items():
        ET.SubElement(properties, "property", {"name": name, "value": value})
    for check in found.checks:
        seen: Counter[str] = Counter()
        for line in check.lines:
            seen[line.where] += 1
            _case(suite, line, seen[line.where])
    ET.SubElement(suite, "system-out").text = "\n".join([words.verdict(found), *found.notes])
    ET.SubElement(suite, "system-err").text = ""
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode", short_empty_elements=True) + "\n"


def _attributes(found: Digest, places: Mapping[Mark, int]) -> dict[str, str]:
    return {
        "id": "0",
        "name": f"verify {found.environment}",
        "package": "underlay.verify",
        "hostname": "localhost",  # the schema's word for an unknown one: findings name their own places
        "timestamp": f"{words.moment(found.started_s):%Y-%m-%dT%H:%M:%S}",
        "time": f"{found.seconds:.3f}",
        "tests": str(len(found.lines)),
        "failures": str(places.get(Mark.FAILED, 0) + places.get(Mark.WARNING, 0)),
        "errors": str(places.get(Mark.NOT_CHECKED, 0)),
        "skipped": str(places.get(Mark.SKIPPED, 0)),
    }


def _case(suite: ET.Element, line: Line, number: int) -> None:
    """One finding; CI systems take testcases of one name for one test, so a second finding at a place has its number in the name."""
    name = f"{line.check} [{line.where}]" + (f" {number}" if number > 1 else "")
    case = ET.SubElement(suite, "testcase", {"classname": f"verify.{line.area}", "name": name})
    kind = _KINDS.get(line.mark)
    if kind is None:
        return
    said = ET.SubElement(case, kind) if kind == "skipped" else ET.SubElement(case, kind, {"type": line.mark.value, "message": _message(line)})
    texts = {"expected": line.title, "declared": line.declared, "found": line.found, "remedy": line.remedy}
    said.text = "\n".join(f"{name}: {text}" for name, text in texts.items() if text)


def _message(line: Line) -> str:
    return f"declared {line.declared}, found {line.found}" if line.declared else line.found
