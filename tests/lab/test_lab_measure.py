"""The measurements of placement and disks, as far as they need no guest."""

import html
import json
import re
from statistics import median
from typing import Any
from xml.etree import ElementTree

import pytest

from lab import kvm
from lab.measure import charts, delay, disks, picture, system
from lab.places import CHECKOUT, Lab

LAB = Lab(name="measure")
DOCS = CHECKOUT / "docs"


def test_policies_differ_in_where_the_vcpu_may_run_alone() -> None:
    found = {policy: delay.planned(LAB, policy)[1] for policy in delay.POLICIES}
    assert {policy: node.vcpu_pins for policy, node in found.items()} == {"shared": ((0,),), "dedicated": ((1,),), "emulated": ()}
    assert {node.vcpus for node in found.values()} == {1}
    assert len({node.memory_mib for node in found.values()}) == 1


def test_load_beside_a_dedicated_machine_is_held_away_from_it_in_one_scenario_and_not_in_another() -> None:
    own = set(delay.planned(LAB, "dedicated")[1].own_cpus)
    beside = [scenario for scenario in delay.SCENARIOS if scenario.policy == "dedicated"]
    assert {own.isdisjoint(scenario.cpus) for scenario in beside} == {True, False}
    assert len({scenario.others for scenario in beside}) == 1


def test_the_busy_program_never_comes_to_power_off() -> None:
    ended, busy = kvm.program(), delay.busy_program()
    assert len(busy) == len(ended)
    different = [at for at, (one, other) in enumerate(zip(ended, busy, strict=True)) if one != other]
    assert busy[different[0] : different[0] + 2] == b"\xeb\xfe", "a jump to itself"
    assert kvm.MARKER in busy


@pytest.mark.parametrize("scenario", disks.SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_plans_disk_is_driven_as_the_scenario_says(scenario: disks.Scenario) -> None:
    disk = disks.planned(LAB, scenario)[1].disk
    assert {name: getattr(disk, name) for name in scenario.driver} == scenario.driver


def told(job: str, **side: Any) -> str:
    plain = {"iops": 0.0, "bw_bytes": 0}
    text = json.dumps({"jobs": [{"jobname": job, "read": plain, "write": plain, **side}]}, indent=2)
    return f"{system.BEGIN} {job}\r\n{text}\r\n{system.END} {job}\r\n"


def percentiles(p50: int, p99: int) -> dict[str, Any]:
    return {"percentile": {"50.000000": p50, "99.000000": p99}}


def console() -> str:
    write = {"iops": 200.0, "bw_bytes": 819200, "clat_ns": percentiles(1, 2)}
    read = {"iops": 5000.0, "bw_bytes": 20480000, "clat_ns": percentiles(3000, 4000)}
    parts = [
        told("sync-write", write=write, sync={"lat_ns": percentiles(2_000_000, 9_000_000)}),
        told("random-read", read=read),
        told("sequential-read", read={**read, "bw_bytes": 100 << 20}),
        told("sequential-write", write=write),
    ]
    return "[    1.0] Linux says something\r\n" + "".join(parts)


def test_fios_words_are_found_among_the_kernels() -> None:
    found = {sample.job: sample for sample in disks.samples(console())}
    assert tuple(found) == disks.JOBS
    assert (found["sync-write"].per_s, found["sync-write"].p50_us, found["sync-write"].p99_us) == (200.0, 2000.0, 9000.0)
    assert (found["random-read"].p99_us, found["sequential-read"].mib_per_s) == (4.0, 100.0)


def test_a_job_that_said_nothing_is_no_result() -> None:
    with pytest.raises(ValueError, match="nothing of sequential-write"):
        list(disks.samples(console().replace(f"{system.END} sequential-write", "")))


def test_the_guests_script_runs_every_job_that_is_read() -> None:
    assert set(disks.JOBS) == set(re.findall(r"(?m)^job (\S+)", system.SCRIPT)) - {"warm"}


def test_a_pictures_bar_is_as_long_as_the_median_and_each_run_is_a_dot() -> None:
    chart = picture.Chart(title="a & b", unit="ms", rows=[("one", [1.0, 2.0, 9.0]), ("two", [4.0, 4.0, 4.0])])
    root = ElementTree.fromstring(picture.svg([chart], "note"))  # noqa: S314 - made here
    space = "{http://www.w3.org/2000/svg}"
    bars = [float(rect.get("width", "")) for rect in root.findall(f"{space}rect") if rect.get("x")]
    assert bars[1] == pytest.approx(2 * bars[0], rel=0.01)
    assert len(root.findall(f"{space}circle")) == 6
    assert "a & b" in [text.text for text in root.findall(f"{space}text")]


@pytest.mark.parametrize(("value", "text"), [(0, "0.00"), (0.031, "0.03"), (12.34, "12.3"), (1234.5, "1,234")])
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert picture.readable(value) == text


DRAWN = {"delay": charts.delay_charts, "disks": charts.disk_charts}


@pytest.mark.parametrize("what", DRAWN)
def test_what_the_docs_show_is_what_was_measured(what: str) -> None:
    path, page = DOCS / f"placement-{what}.json", (DOCS / "placement-measured.md").read_text()
    picture_is_shown = f"(placement-{what}.svg)" in page
    assert picture_is_shown == path.exists() == path.with_suffix(".svg").exists()
    if not picture_is_shown:
        assert f"<!-- {what} -->\nNot measured yet" in page
        return
    document, shown = json.loads(path.read_text()), html.unescape(path.with_suffix(".svg").read_text())
    samples = [len(scenario["samples"]) for scenario in document["scenarios"]]
    assert min(samples) == max(samples) >= document["runs"] >= 3
    drawn = DRAWN[what](document["scenarios"])
    assert charts.table(drawn) in page
    for chart in drawn:
        for label, values in chart.rows:
            assert label in shown
            assert f">{picture.readable(median(values))}<" in shown
