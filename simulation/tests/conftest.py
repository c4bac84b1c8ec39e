"""One small machine, compiled once through the cache, fresh out of its reset for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulation.build import build
from simulation.machine import SimulatedMachine
from simulation.tests.machines import TINY


@pytest.fixture(scope="session")
def library() -> Path:
    return build(TINY)


@pytest.fixture
def machine(library: Path) -> Iterator[SimulatedMachine]:
    with SimulatedMachine(library) as made:
        yield made
