"""The forms of a report: deterministic, nothing secret, and whatever a node said is text."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from ops.verify.model import Check, Figure, Finding, Status
from ops.verify.report import as_json, junit, page, table
from ops.verify.report.model import Mark, Report, digest
from tests.ops.verify import made_reports as made

GOLDEN = Path(__file__).parent / "reports"
FORMS: dict[str, Callable[[Report], str]] = {
    "80.txt": lambda report: table.write(report, 80),
    "100.txt": lambda report: table.write(report, 100),
    "json": as_json.write,
    "xml": junit.write,
    "html": page.write,
}
ALL = {**made.CASES, "fleet": made.fleet, "hostile": made.hostile, "empty": lambda: replace(made.healthy(), checks=(), findings=())}
KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{'swordfish' * 8}\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize("case", made.CASES)
@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_the_golden_one(case: str, form: str) -> None:
    path, text = GOLDEN / f"{case}.{form}", FORMS[form](made.CASES[case]())
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.is_file(), f"{path} is missing: run with UPDATE_GOLDEN=1 and read it"
    assert text == path.read_text()


@pytest.mark.parametrize("form", FORMS)
def test_the_order_of_findings_and_checks_does_not_matter(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    report = made.broken()
    turned = replace(report, findings=report.findings[::-1], checks=report.checks[::-1])
    for name, value in {"NO_COLOR": "1", "FORCE_COLOR": "1", "COLUMNS": "33", "TERM": "dumb", "TZ": "Asia/Tokyo"}.items():
        monkeypatch.setenv(name, value)
    assert FORMS[form](turned) == (GOLDEN / f"broken.{form}").read_text()


@pytest.mark.parametrize("case", ALL)
def test_the_document_is_as_its_schema_says(case: str) -> None:
    schema = json.loads(as_json.SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(as_json.write(ALL[case]()), parse_constant=pytest.fail)
    jsonschema.Draft202012Validator(schema).validate(document)  # pyright: ignore[reportUnknownMemberType]
    assert document["version"] == as_json.VERSION == schema["properties"]["version"]["const"]


@pytest.mark.parametrize("part", ["version", "verdict", "findings.0.status", "findings.0.figures.0.value", "checks.0.places", "counts.failed"])
def test_the_schema_refuses_another_document(part: str) -> None:
    document = json.loads(as_json.write(made.broken()))
    document["findings"] = [finding for finding in document["findings"] if finding["figures"]]
    *path, last = [int(word) if word.isdigit() else word for word in part.split(".")]
    inner: Any = document
    for word in path:
        inner = inner[word]
    inner[last] = "something else"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(as_json.SCHEMA.read_text())).validate(document)  # pyright: ignore[reportUnknownMemberType]
    del inner[last]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(as_json.SCHEMA.read_text())).validate(document)  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.parametrize("case", ALL)
def test_the_xml_is_what_readers_of_junit_take(case: str, tmp_path: Path) -> None:
    text = junit.write(ALL[case]())
    written = tmp_path / "junit.xml"
    written.write_text(text)
    schema = Path(__file__).with_name("junit.xsd")
    answer = subprocess.run(["xmllint", "--noout", "--schema", str(schema), str(written)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    suite = ElementTree.fromstring(text)[0]  # noqa: S314 - our own
    cases = suite.findall("testcase")
    found = {"tests": len(cases), **{name: sum(case.find(kind) is not None for case in cases) for name, kind in KINDS.items()}}
    assert {name: int(suite.attrib[name]) for name in found} == found
    names = [(case.attrib["classname"], case.attrib["name"]) for case in cases]
    assert len(names) == len(set(names))


KINDS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def test_a_second_finding_at_a_place_is_a_test_of_its_own() -> None:
    twice = [made.passed("services.mode", "a", "ipvs"), made.failed("services.mode", "a", ("ipvs", "iptables", "restart it"))]
    text = junit.write(made.report(twice, 1))
    assert 'name="services.mode [a]"' in text
    assert 'name="services.mode [a] 2"' in text


@pytest.mark.parametrize("case", ["hostile", "broken"])
@pytest.mark.parametrize("form", FORMS)
def test_nothing_in_a_form_steers_what_reads_it(case: str, form: str) -> None:
    text = FORMS[form](ALL[case]())
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    text.encode()
    if case == "hostile":
        assert "x1b[2J" in text, "what it was can be read"


def test_colour_is_all_that_a_terminal_is_told() -> None:
    text = table.write(made.hostile(), 80, colour=True)
    assert set(re.findall(r"\x1b\[[\d;]*(\w)", text)) == {"m"}
    assert len(re.findall("\x1b", text)) == len(re.findall(r"\x1b\[[\d;]*m", text)) > 5


SECRETS = (KEY, "abcdef.0123456789abcdef", "short-but-secret", "YmFzZTY0IG9mIGEgc2VjcmV0IHRoYXQgaXMgZW5jcnlwdGVk")
LEAKS = [
    KEY,
    KEY.replace("\n", "\r\n"),
    KEY.partition("-----END")[0],
    f"cat: {'swordfish' * 8}",
    "kubeadm join --token abcdef.0123456789abcdef",
    "PASSWORD=short-but-secret",
    "key short-but-secret!",
    f"client-key-data: {SECRETS[3]}",
    "Authorization: Bearer short-but-secret",
    "token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.swordfish",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("said", LEAKS)
def test_nothing_secret_is_in_a_form(form: str, said: str) -> None:
    finding = Finding(
        check="nodes.clock", where="a", status=Status.FAILED, declared=said, found=said, remedy=said, figures=(Figure(name=said, value=1, unit=said),)
    )
    text = FORMS[form](replace(made.report([finding], 1, notes=(said,)), secrets=frozenset(SECRETS)))
    assert "[secret]" in text
    for part in ("swordfish", *SECRETS[1:]):
        assert part not in re.sub(r"\s+", "", text), part


@pytest.mark.parametrize(
    "text", ["server: https://10.77.0.10:6443", "sysctl net.netfilter.nf_conntrack_max=1048576", "10.96.0.1:443", "v1.36.3", "rr"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    kubeconfig = "apiVersion: v1\nclusters:\n- cluster:\n    server: https://10.77.0.10:6443\n"
    finding = Finding(check="nodes.clock", where="a", status=Status.FAILED, found=text)
    assert text in as_json.write(replace(made.report([finding], 1), secrets=frozenset([kubeconfig, "rr", ""])))


def test_a_check_that_said_nothing_has_not_passed() -> None:
    report = replace(made.healthy(), findings=tuple(f for f in made.healthy().findings if f.check != "nodes.clock"))
    assert digest(report).verdict is Mark.NOT_CHECKED
    assert "NOT CHECKED" in table.write(report)
    assert 'errors="1"' in junit.write(report)


@pytest.mark.parametrize(
    ("status", "severity", "verdict"),
    [
        (Status.FAILED, "error", Mark.FAILED),
        (Status.FAILED, "warning", Mark.WARNING),
        (Status.NOT_CHECKED, "warning", Mark.NOT_CHECKED),
        (Status.NOT_CHECKED, "error", Mark.NOT_CHECKED),
        (Status.SKIPPED, "error", Mark.PASSED),
        (Status.PASSED, "error", Mark.PASSED),
    ],
)
def test_one_finding_makes_the_verdict(status: Status, severity: Any, verdict: Mark) -> None:
    one = Check(id="nodes.one", area="nodes", title="One", severity=severity, judge=lambda _seen: ())
    two = replace(one, id="nodes.two", severity="error")
    findings = (Finding(check="nodes.one", where="a", status=status, found="so"), Finding(check="nodes.two", where="a", status=Status.PASSED))
    report = replace(made.healthy(), checks=(one, two), findings=findings)
    assert digest(report).verdict is verdict
    assert json.loads(as_json.write(report))["verdict"] == verdict.value
    assert (f"{verdict.value.upper()}" in table.write(report)) == (verdict is not Mark.PASSED)


def test_a_finding_of_an_unknown_check_is_shown_as_an_error() -> None:
    report = made.report([Finding(check="strange.thing", where="a", status=Status.FAILED, found="so")], 1)
    assert digest(replace(report, checks=())).verdict is Mark.FAILED
    assert "strange.thing" in table.write(report)
