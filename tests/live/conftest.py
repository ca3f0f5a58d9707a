"""The lab under test: made once, walked through in the order of the tests, taken down at the end."""

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from environment import Live


def _lab(name: str) -> Generator[Live]:
    lab = Live(name=name)
    if not os.environ.get("UNDERLAY_AGAIN"):
        subprocess.run(lab.words("down"), check=True, timeout=120)
    yield lab
    sys.stdout.write("\n\nmeasured:\n" + "".join(f"  {what}: {seconds:.0f} s\n" for what, seconds in lab.times))


@pytest.fixture(scope="session")
def live() -> Generator[Live]:
    """A lab that begins from nothing; UNDERLAY_KEEP=1 leaves it up for a look."""
    yield from _lab("live")


@pytest.fixture(scope="session")
def trio() -> Generator[Live]:
    """A lab for three control planes."""
    yield from _lab("trio")


@pytest.fixture(scope="session")
def fabric() -> Generator[Live]:
    """A lab for BGP between its nodes and with its router."""
    yield from _lab("fabric")


@pytest.fixture(scope="session")
def proof() -> Generator[Live]:
    """A lab to be verified, whole and broken; with UNDERLAY_AGAIN=1 UNDERLAY_LAB may name one that is up."""
    yield from _lab(os.environ.get("UNDERLAY_LAB", "proof"))


_failed: list[str] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Remember the first failure, as what comes after it would only fail for it; show it at once, as the end is far away."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if report.failed:
        _failed.append(item.name)
        sys.stdout.write(f"\n{item.name}\n{report.longreprtext}\n")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Steps build on each other, but for faults, each of which is put right."""
    if (
        _failed
        and not item.get_closest_marker("proof")
        and item.name not in ("test_down_leaves_nothing_behind", "test_the_fabric_leaves_nothing_behind")
    ):
        pytest.fail(f"not run: {_failed[0]} failed before", pytrace=False)
