"""A machine of software alone, whose carrier knows its lines."""

import pytest

from hw.host.machine import Machine
from sim_tests.host.lines import Lines


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def machine(lines) -> Machine:
    return Machine(lines)
