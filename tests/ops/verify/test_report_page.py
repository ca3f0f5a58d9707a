"""The HTML page: complete in itself, no script, well formed, everything escaped, and bounded for a fleet."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ops.verify.model import Figure
from ops.verify.report import page
from ops.verify.report.model import Report, digest
from ops.verify.report.plots import plots
from tests.ops.verify import made_reports as made

CASES = {"healthy": made.healthy, "broken": made.broken, "fleet": made.fleet, "hostile": made.hostile}
VOID = {"meta", "br", "rect", "line", "path"}
"""Elements that hold nothing: HTML's, and SVG's as they are written here."""
ELEMENTS = (
    "html head meta title style body header h1 h2 h3 p ul li b span section table thead tbody tr th td article code figure figcaption svg rect line path "
    "div details summary br"
)
ATTRIBUTES = (
    "lang charset http-equiv content name class id scope rowspan colspan title data-name role aria-label width height x y x1 x2 y1 y2 viewbox "
    "preserveaspectratio d"
)


class Reader(HTMLParser):
    """What a browser would see; raises where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open, f"</{tag}> of nothing"
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("case", CASES)
def test_the_page_is_well_formed_and_needs_nothing_else(case: str) -> None:
    text = page.write(CASES[case]())
    found = Reader(text)
    assert set(found.elements) <= set(ELEMENTS.split())
    assert found.attributes <= set(ATTRIBUTES.split())
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import|expression", style)
    assert not re.search(r"https?:", text)
    assert "default-src 'none'" in text


def test_what_a_node_says_is_text() -> None:
    found = Reader(page.write(made.hostile()))
    assert found.elements["style"] == found.elements["title"] == 1
    assert "<script>alert(1)</script>" in found.text
    assert "{{ 7*7 }}" in found.text


def test_what_is_wrong_stands_before_what_passed_which_is_folded() -> None:
    text = page.write(made.fleet())
    unfolded = re.sub(r"(?s)<details.*?</details>", "", text)
    body = unfolded.partition("<body>")[2]
    assert (
        body.index("What is not as declared") < body.index("What could not be looked at") < body.index("What is as declared") < body.index("Figures")
    )
    assert "kube-proxy runs in the declared mode" not in body
    assert "kube-proxy runs in the declared mode" in text
    for words in ("rr at 10.96.0.1:443", "oslo-worker-197", "no route to host", "no answer from"):
        assert words in body
    assert "58 more places" in text


@pytest.mark.parametrize("make", [made.healthy, made.fleet])
def test_a_fleet_of_nodes_makes_a_page_that_opens(make: Callable[[int], Report]) -> None:
    small, large = len(page.write(make(20))), len(page.write(make(400)))
    assert large < 120_000
    assert large < small * 5


def test_every_wrong_place_of_a_fleet_is_named() -> None:
    values = [made.failed("nodes.clock", name, ("in step", f"{n} ms off", "chronyc makestep")) for n, name in enumerate(made.node_names(700))]
    text = Reader(page.write(made.report(values, 700))).text
    assert all(name in text for name in made.node_names(310))
    assert "oslo-worker-310 ... oslo-worker-697 (388)" in text


def test_the_strips_of_a_fleet_show_each_place_once() -> None:
    text = page.write(made.fleet())
    strips = re.findall(r'<svg viewBox="0 0 (\d+) 1".*?</svg>', text)
    assert set(strips) == {"200"}
    for strip in re.findall(r'<svg viewBox="0 0 200 1".*?</svg>', text):
        places = [int(number) for number in re.findall(r"M(\d+) 0h", strip)]
        assert sorted(places) == sorted(set(places))
        assert max(places) == 199


def figures(report: Report) -> dict[str, list[Figure]]:
    return {check.id: [figure for line in check.lines for figure in line.figures] for check in digest(report).checks}


def test_bars_are_as_long_as_their_values_and_the_limit_is_where_it_is() -> None:
    values = (0.0, 2.0, 4.0, 10.0)
    said = [made.passed("machines.steal", f"n{n}", "so", Figure(name="steal", value=value, unit="%", limit=5)) for n, value in enumerate(values)]
    (drawn,) = plots(next(check for check in digest(made.report(said, 4)).checks if check.id == "machines.steal"))
    lengths = [float(bar.length.rstrip("%")) for bar in drawn.bars]
    assert lengths[0] == 0
    assert lengths[2] == pytest.approx(2 * lengths[1], abs=0.02)
    assert float(drawn.bars[0].limit.rstrip("%")) == pytest.approx(lengths[3] / 2, abs=0.02)
    assert {bar.start for bar in drawn.bars} == {"0.00%"}
    assert [bar.shown for bar in drawn.bars] == ["0%", "2%", "4%", "10%"]


def test_bars_of_both_signs_begin_at_zero() -> None:
    said = [made.passed("nodes.clock", f"n{n}", "so", Figure(name="offset", value=value, unit="ms")) for n, value in enumerate((-3.0, 3.0))]
    (drawn,) = plots(next(check for check in digest(made.report(said, 2)).checks if check.id == "nodes.clock"))
    left, right = drawn.bars
    assert left.length == right.length
    assert float(left.start.rstrip("%")) + float(left.length.rstrip("%")) == pytest.approx(float(right.start.rstrip("%")), abs=0.02)
    assert drawn.limit == drawn.bars[0].limit == ""


def test_one_bad_node_among_hundreds_is_seen() -> None:
    values = [*([1.0] * 300), 9.0]
    said = [made.passed("nodes.clock", f"n{n}", "so", Figure(name="offset", value=value, unit="ms", limit=5)) for n, value in enumerate(values[:-1])]
    said.append(made.failed("nodes.clock", "n300", ("a", "b", "c"), Figure(name="offset", value=9.0, unit="ms", limit=5)))
    (drawn,) = plots(next(check for check in digest(made.report(said, 301)).checks if check.id == "nodes.clock"))
    assert not drawn.bars
    assert [column.mark.value for column in drawn.columns] == ["passed", "failed"]
    assert float(drawn.columns[1].height.rstrip("%")) >= 5
    starts = [float(column.start.rstrip("%")) for column in drawn.columns]
    assert starts[0] < float(drawn.limit.rstrip("%")) < starts[1]
    assert "301 places, median 1 ms, limit 5 ms" in drawn.said
    assert "highest 9 ms (n300)" in drawn.extremes


def test_a_limit_far_from_every_value_is_told_and_not_drawn() -> None:
    said = [made.passed("conntrack.headroom", f"n{n}", "so", Figure(name="used", value=100.0 + n, unit="", limit=1e6)) for n in range(40)]
    (drawn,) = plots(next(check for check in digest(made.report(said, 40)).checks if check.id == "conntrack.headroom"))
    assert drawn.limit == ""
    assert "limit 1,000,000, beyond what is drawn" in drawn.said
    assert len(drawn.columns) > 10


@pytest.mark.parametrize(
    "values", [[0.0] * 20, [5.0] * 20, [-5.0] * 20, [0.0], [-1.0], [float("nan"), 1.0], [float("inf")], [1e300, -1e300], [1e-9] * 30]
)
def test_strange_values_are_drawn_or_left_out(values: list[float]) -> None:
    said = [made.passed("nodes.clock", f"n{n}", "so", Figure(name="offset", value=value, unit="ms")) for n, value in enumerate(values)]
    report = made.report(said, len(values))
    text = page.write(report)
    Reader(text)
    for number in re.findall(r'(?:x|y|x1|x2|width|height)="([^"]*)%"', text):
        assert 0 <= float(number) <= 100
    assert len(figures(replace(report, checks=()))["nodes.clock"]) == len(values)
