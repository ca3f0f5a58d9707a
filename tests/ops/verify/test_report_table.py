"""The table: what failed, where, what was declared and found, what to do; and it fits."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.cells import cell_len

from ops.verify.model import Finding, Status, missing
from ops.verify.report import table
from ops.verify.report.model import Report
from tests.ops.verify import made_reports as made


@pytest.mark.parametrize("width", [40, 80, 100, 200])
@pytest.mark.parametrize("make", [made.healthy, made.broken, made.fleet, made.hostile])
def test_no_line_is_wider_than_the_terminal(width: int, make: Callable[[], Report]) -> None:
    assert max(map(cell_len, table.write(make(), width).splitlines())) <= width


@pytest.mark.parametrize("width", [80, 100])
def test_all_of_what_is_wrong_can_be_read(width: int) -> None:
    report = made.broken()
    text = re.sub(r"\s+", "", table.write(report, width))
    for finding in report.findings:
        if finding.status is Status.FAILED:
            for part in (finding.check, finding.where, finding.declared, finding.found):
                assert re.sub(r"\s+", "", part) in text
    assert text.index("services.scheduler") < text.index("machines.steal") < text.index("NOTCHECKED") < text.index("4of12checksfailed")


def test_what_passed_is_a_line_for_each_area() -> None:
    lines = table.write(made.healthy()).splitlines()
    assert [line.split("  ")[0] for line in lines if line.startswith("✓")] == ["✓"] * 6
    assert sum(bool(line) for line in lines) == 9, "circumstances, an area each with the one that does not apply, the verdict"
    assert lines[-1] == "oslo: all 12 checks passed"


def test_the_same_at_many_nodes_is_one_row() -> None:
    text = table.write(made.fleet())
    assert len(re.findall("found +262144", text)) == 1
    assert "sysctl net.netfilter.nf_conntrack_max=1048576" in re.sub(r"\s+", " ", text)
    assert "on <node>:" in text
    assert len(text.splitlines()) < 100


@pytest.mark.parametrize("text", ["{}0", "{}-b", "x-{}", "{}.lab", "lab.{}", "_{}"])
def test_a_name_within_another_word_is_not_the_place(text: str) -> None:
    said = [made.failed("services.mode", name, ("ipvs", text.format(name), "")) for name in ("n", "m")]
    lines = table.write(made.report(said, 2))
    assert text.format("n") in lines
    assert text.format("m") in lines
    assert "<node>" not in lines


@pytest.mark.parametrize("text", ["on {}.", "({})", "{}:22 is closed", "ssh root@{} true"])
def test_a_name_that_stands_alone_is_the_place(text: str) -> None:
    said = [made.failed("services.mode", name, ("ipvs", text.format(name), "")) for name in ("n", "m")]
    assert text.format("<node>") in table.write(made.report(said, 2))
    assert text.format("n") in table.write(made.report(said[:1], 2))


def test_pairs_keep_both_ends() -> None:
    said = [made.failed("pods.path-mtu", f"{a} -> {b}", ("1500", f"1450 from {a} to {b}", f"see {b}")) for a, b in (("a", "b"), ("c", "d"))]
    text = re.sub(r"\s+", " ", table.write(made.report(said, 4)))
    assert "1450 from <from> to <to>" in text
    assert "→ see <to>" in text


def test_a_lost_node_is_one_line() -> None:
    text = table.write(made.broken())
    assert text.count("no answer from oslo-worker-2") == 1
    assert "10 checks:" in text


def test_what_cannot_be_looked_at_for_another_reason_is_not_hidden() -> None:
    said = [missing("nodes.clock", "a", "timeout"), missing("nodes.clock", "b", "refused"), missing("pods.path-mtu", "a -> b", "timeout of b")]
    text = table.write(made.report(said, 2))
    assert all(part in text for part in ("a  timeout", "b  refused", "a -> b  timeout of b"))


def test_a_warning_is_seen_beside_a_lost_node() -> None:
    said = [Finding(check="machines.steal", where="a", status=Status.FAILED, found="much"), missing("machines.steal", "b", "gone")]
    text = table.write(replace(made.report(said, 2), checks=(made.check("machines.steal"),)))
    assert "WARNING machines.steal" in text
    assert "1 of 1 check could not look everywhere, 1 warned" in text
