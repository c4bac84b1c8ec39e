"""One small machine, compiled once through the cache, fresh out of its reset for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sim_tests.fuzz import command as fuzz
from simulation.build import Flags, compile_verilog
from simulation.machine import SimulatedMachine
from simulation.tests.machines import FAULTY


@pytest.fixture(scope="session")
def library() -> Path:
    """Build the machine whose memories hold garbage after a reset, which other tests build too."""
    return fuzz.build("4x4")


@pytest.fixture
def machine(library: Path) -> Iterator[SimulatedMachine]:
    with SimulatedMachine(library) as made:
        yield made


@pytest.fixture(scope="session")
def faulty_library() -> Path:
    return compile_verilog(FAULTY.read_text(encoding="utf-8"), flags=Flags(optimise="-O1"))


@pytest.fixture
def faulty(faulty_library: Path) -> Iterator[SimulatedMachine]:
    with SimulatedMachine(faulty_library) as made:
        yield made
