"""The table of what was computed and what was measured, shown when a file's experiments are over."""

from collections.abc import Callable, Iterator

import pytest

HEAD = ("EXPERIMENT", "SETTING", "COMPUTED", "MEASURED", "BEYOND")
WIDTHS = (31, 30, 8, 22, 34)

Row = Callable[[str, str, str, str, str], None]


@pytest.fixture(scope="module")
def row(pytestconfig: pytest.Config) -> Iterator[Row]:
    """Takes a row; what pytest captures does not hide the table."""
    rows: list[tuple[str, ...]] = [HEAD]

    def add(experiment: str, setting: str, computed: str, measured: str, beyond: str) -> None:
        rows.append((experiment, setting, computed, measured, beyond))

    yield add
    capture = pytestconfig.pluginmanager.get_plugin("capturemanager")
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    if len(rows) == 1 or reporter is None or capture is None:
        return
    with capture.global_and_fixture_disabled():
        reporter.write_line("")
        for cells in rows:
            reporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip())
