"""The lab's stack, run once under the recorder."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from recorder import Registered, document, run_program


@pytest.fixture(scope="session")
def lab() -> Registered:
    """What the program registers for stack lab."""
    return run_program(document("lab"))


@pytest.fixture(scope="session")
def oslo() -> Registered:
    """What the program registers for three control planes and six workers on three hypervisors."""
    return run_program(document("example-oslo"))
