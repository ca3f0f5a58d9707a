"""The lab's stack, run once under the recorder."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from recorder import PASSWORDS, Registered, document, run_program, with_calico, with_external_network


@pytest.fixture(scope="session")
def lab() -> Registered:
    """What the program registers for stack lab."""
    return run_program(document("lab"))


@pytest.fixture(scope="session")
def oslo() -> Registered:
    """What the program registers for three control planes and six workers on three hypervisors, without a pods' network of its own."""
    return run_program(with_external_network(document("example-oslo")))


@pytest.fixture(scope="session")
def calico() -> Registered:
    """The same with Calico, route reflectors and routers."""
    return run_program(with_calico(document("example-oslo")), passwords=PASSWORDS)
