"""Prometheus' text format, as far as kube-proxy's metrics need it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ops.verify.reading.document import number

LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One line."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How long something took, so far."""

    count: float
    total: float
    buckets: tuple[tuple[float, float], ...]
    """Upper bound and how many took at most that, rising."""

    @property
    def mean(self) -> float:
        """The mean; 0 where nothing was measured."""
        return self.total / self.count if self.count else 0.0

    def bound(self, quantile: float) -> float:
        """The bucket's upper bound below which this share lies; infinite where it is beyond the last."""
        return next((bound for bound, below in self.buckets if below >= quantile * self.count), math.inf) if self.count else 0.0


def samples(text: str) -> list[Sample]:
    """All lines that are samples of IPv4, or of no family."""
    found = [
        Sample(name=parts[1], labels=dict(LABEL.findall(parts[2] or "")), value=value)
        for line in text.splitlines()
        if (parts := LINE.fullmatch(line.strip())) and (value := number(parts[3])) is not None
    ]
    return [sample for sample in found if sample.labels.get("ip_family", "IPv4") == "IPv4"]


def total(found: list[Sample], name: str) -> float | None:
    """The sum over all labels; None where there is none."""
    values = [sample.value for sample in found if sample.name == name]
    return sum(values) if values else None


def histogram(found: list[Sample], name: str) -> Histogram | None:
    """A histogram; None where there is none."""
    count, amount = total(found, f"{name}_count"), total(found, f"{name}_sum")
    if count is None or amount is None:
        return None
    buckets = [(number(sample.labels.get("le")), sample.value) for sample in found if sample.name == f"{name}_bucket"]
    finite = sorted((bound, below) for bound, below in buckets if bound is not None)
    return Histogram(count=count, total=amount, buckets=tuple(finite))
