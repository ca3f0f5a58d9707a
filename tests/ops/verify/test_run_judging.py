"""From what was seen to findings: every check is heard, and one that breaks hides no other."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from ops.stack import OpsError
from ops.verify.access import Access, compared
from ops.verify.checks.nodes_reachable import CHECKS, HERE
from ops.verify.model import Check, Finding, Said, Seen, Status
from ops.verify.run import Request, judged, secret_parts, verify
from plan import Plan, make
from settings import load
from tests.settings.documents import minimal

PLAN = make(load(minimal()))
NAMES = [node.name for node in PLAN.nodes]
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAA\n-----END OPENSSH PRIVATE KEY-----\n"


def access(**fields: Any) -> Access:
    nodes = {node.name: str(node.address) for node in PLAN.nodes}
    return replace(Access(environment=PLAN.settings.name, nodes=nodes, user="root", private_key=KEY, known_hosts="", kubeconfig="{}"), **fields)


def seen(first: Said | None = None) -> Seen:
    """Every node answers, the first as it is said."""
    good = Said(output="here\n", exit_code=0)
    return Seen(plan=PLAN, nodes={name: {HERE.key: (first or good) if name == NAMES[0] else good} for name in NAMES}, api={}, api_errors={})


def check(name: str, judge: Callable[[Seen], Iterable[Finding]], **fields: Any) -> Check:
    return Check(id=f"nodes.{name}", area="nodes", title=name, severity="warning", judge=judge, **fields)


def passing(name: str) -> Check:
    return check(name, lambda _seen: [Finding(check=f"nodes.{name}", where="cluster", status=Status.PASSED)])


def breaking(_seen: Seen) -> Iterable[Finding]:
    yield Finding(check="nodes.b", where="cluster", status=Status.PASSED)
    raise KeyError("forgotten")


def never(_plan: Plan) -> bool:
    return False


def unsure(_plan: Plan) -> bool:
    raise RuntimeError("unsure")


def test_a_check_that_breaks_is_not_checked_and_hides_no_other() -> None:
    checks = [
        passing("a"),
        check("b", breaking),
        check("c", breaking, applies=never),
        check("d", breaking, applies=unsure),
        passing("e"),
    ]
    found = judged(checks, seen())
    assert [(finding.check, finding.status) for finding in found] == [
        ("nodes.a", Status.PASSED),
        ("nodes.b", Status.NOT_CHECKED),
        ("nodes.c", Status.SKIPPED),
        ("nodes.d", Status.NOT_CHECKED),
        ("nodes.e", Status.PASSED),
    ]
    assert "KeyError: 'forgotten'" in found[1].found
    assert "RuntimeError: unsure" in found[3].found


def of_two_looks(monkeypatch: pytest.MonkeyPatch, *looks: Mapping[str, Status], settles_s: float = 5.0) -> tuple[dict[str, Status], list[float]]:
    """What one check says of two places that are seen so, look after look, and the pauses before each further look."""
    pauses, left = list[float](), iter(looks)

    async def look(_request: Request) -> Seen:
        statuses = next(left)
        return replace(seen(), api={"statuses": statuses})

    def judge(seen: Seen) -> Iterable[Finding]:
        return [Finding(check="nodes.late", where=where, status=status) for where, status in seen.api["statuses"].items()]

    monkeypatch.setattr("ops.verify.run.look", look)
    monkeypatch.setattr("ops.verify.run.time.sleep", pauses.append)
    request = Request(stack="test", plan=PLAN, access=access(), checks=(check("late", judge, settles_s=settles_s),))
    report = verify(request)
    assert next(left, None) is None, "it looked less often"
    return {finding.where: finding.status for finding in report.findings}, pauses


def test_what_was_only_on_its_way_passes_at_the_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = {"a": Status.FAILED, "b": Status.PASSED}, {"a": Status.PASSED, "b": Status.FAILED}
    assert of_two_looks(monkeypatch, first, second) == ({"a": Status.PASSED, "b": Status.PASSED}, [5.0])


def test_what_fails_twice_fails_and_what_is_gone_by_then_still_does(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {"a": Status.FAILED, "b": Status.FAILED}
    assert of_two_looks(monkeypatch, first, {"a": Status.FAILED}) == (first, [5.0])


@pytest.mark.parametrize(("status", "settles_s"), [(Status.FAILED, 0.0), (Status.NOT_CHECKED, 5.0), (Status.PASSED, 5.0)])
def test_one_look_is_enough_for_what_does_not_settle_or_did_not_fail(monkeypatch: pytest.MonkeyPatch, status: Status, settles_s: float) -> None:
    assert of_two_looks(monkeypatch, {"a": status}, settles_s=settles_s) == ({"a": status}, [])


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        (Said(output="here\n", exit_code=0), Status.PASSED, "answers"),
        (Said(output="", exit_code=-1, error="no answer in time"), Status.FAILED, "no answer in time"),
        (Said(output="\0garbage", exit_code=0), Status.FAILED, "answers, and runs no script"),
    ],
)
def test_a_node_that_does_not_answer_is_a_finding_at_that_node_alone(said: Said, status: Status, words: str) -> None:
    found = {finding.where: finding for finding in judged(CHECKS, seen(said))}
    assert (found[NAMES[0]].status, found[NAMES[0]].found) == (status, words)
    assert bool(found[NAMES[0]].remedy) == (status is Status.FAILED)
    assert {found[name].status for name in NAMES[1:]} <= {Status.PASSED}


def test_outputs_of_another_environment_are_refused_and_other_nodes_are_named() -> None:
    with pytest.raises(OpsError, match="of environment 'other'"):
        compared(PLAN, access(environment="other"))
    assert compared(PLAN, access()) == ()
    nodes = {NAMES[0]: "192.0.2.1", "old-1": "192.0.2.2"}
    sentences = compared(PLAN, access(nodes=nodes))
    assert [sentence.split()[0] for sentence in sentences] == sorted([*NAMES, "old-1"])
    assert all("run `pulumi up`" in sentence for sentence in sentences)


def test_a_run_without_anybody_there_is_a_report_and_no_crash() -> None:
    lines: list[str] = []
    api = check(
        "api",
        lambda seen: [Finding(check="nodes.api", where="cluster", status=Status.NOT_CHECKED, found=seen.api_errors["/version"])],
        api_paths=("/version",),
    )
    request = Request(stack="s", plan=PLAN, access=access(nodes={"old-1": "192.0.2.2"}), checks=(*CHECKS, api), say=lines.append)
    report = verify(request)
    assert [(finding.check, finding.where, finding.status) for finding in report.findings] == [
        ("nodes.api", "cluster", Status.NOT_CHECKED),
        *(("nodes.reachable", name, Status.FAILED) for name in sorted([*NAMES, "old-1"])),
    ]
    assert "the kubeconfig has no server" in report.findings[0].found
    assert "no usable SSH key" in report.findings[-1].found
    assert report.notes
    assert any("is not looked at" in line for line in lines)


def test_what_is_secret_is_named_as_such_line_by_line() -> None:
    parts = secret_parts(access())
    assert {KEY, "b3BlbnNzaC1rZXktdjEAAA"} <= parts
    assert not any(part.startswith("-----") and part != KEY for part in parts)
    assert KEY.splitlines()[1] not in repr(access())
