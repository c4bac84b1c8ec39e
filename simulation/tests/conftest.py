"""One small machine, compiled once through the cache, fresh out of its reset for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulation.build import Flags, build, compile_verilog
from simulation.machine import SimulatedMachine
from simulation.tests.machines import FAULTY, TINY


@pytest.fixture(scope="session")
def library() -> Path:
    return build(TINY)


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
