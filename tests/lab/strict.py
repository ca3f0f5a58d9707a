"""A pytest plugin (`-p tests.lab.strict`): where `make test` runs, nothing may be missing, so a skipped test is a failed one.

Alone published manifests may be missing: they are nobody's to copy into the checkout.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "data"
NEEDS_PUBLISHED = "as published"
"""Words in the reason of each test that needs a manifest."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure that names what is missing; an expected failure stays one."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if NEEDS_PUBLISHED in reason and not PUBLISHED.exists():
            return report
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {reason}"
    return report
