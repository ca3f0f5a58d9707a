"""What is drawn of each measurement, from its JSON."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from lab.measure.picture import Chart, readable

Scenarios = Sequence[dict[str, Any]]
JOBS = {
    "sync-write": "4 KiB random writes, each synchronised (as etcd writes)",
    "random-read": "4 KiB random reads, 32 at once",
    "sequential-read": "1 MiB reads in order, 4 at once",
    "sequential-write": "1 MiB writes in order, 4 at once",
}


def delay_charts(scenarios: Scenarios) -> list[Chart]:
    """Run delay, and what is left to run."""
    return [
        Chart(title=title, unit="% of the time", rows=_rows(scenarios, key), top=100)
        for key, title in (("waited", "A busy vCPU was ready and waited for a CPU (run delay)"), ("ran", "It ran"))
    ]


def _rows(scenarios: Scenarios, key: str) -> list[tuple[str, list[float]]]:
    return [(scenario["name"], [100 * sample[key] for sample in scenario["samples"]]) for scenario in scenarios]


def disk_charts(scenarios: Scenarios) -> list[Chart]:
    """Operations or bytes of each job, and how long a synchronised write takes at the slow end."""
    return list(_disk_charts(scenarios))


def _disk_charts(scenarios: Scenarios) -> Iterator[Chart]:
    for job, title in JOBS.items():
        key, unit = ("mib_per_s", "MiB/s") if job.startswith("sequential") else ("per_s", "a second")
        yield Chart(title=title, unit=unit, rows=job_rows(scenarios, job, key))
        if job == "sync-write":
            late = [(name, [value / 1000 for value in values]) for name, values in job_rows(scenarios, job, "p99_us")]
            yield Chart(title="The slowest hundredth of those synchronisations takes at least", unit="ms", rows=late)


def job_rows(scenarios: Scenarios, job: str, key: str) -> list[tuple[str, list[float]]]:
    """One figure of a job in every run, by scenario."""
    return [(scenario["name"], [sample[key] for sample in scenario["samples"] if sample["job"] == job]) for scenario in scenarios]


def table(charts: Sequence[Chart]) -> str:
    """The same figures in Markdown: a row for each scenario, a column for each chart; medians, and the smallest and largest run."""
    head = ["", *(f"{chart.title}, {chart.unit}" for chart in charts)]
    rows = [[label, *(_cell(dict(chart.rows)[label]) for chart in charts)] for label, _ in charts[0].rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _cell(values: Sequence[float]) -> str:
    return f"{readable(median(values))} ({readable(min(values))} to {readable(max(values))})"
