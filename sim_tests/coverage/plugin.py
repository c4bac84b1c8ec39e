"""A plugin of pytest: benches run with counters, and a file takes what they reach.

``pytest -p sim_tests.coverage.plugin --coverage-to FILE TESTS``
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sim_tests import simulators
from sim_tests.coverage.constants import Constants, constants
from sim_tests.coverage.places import Places, read_places
from sim_tests.coverage.points import Point, read_counts
from sim_tests.coverage.record import write_counts
from sim_tests.coverage.running import FAILED
from sim_tests.coverage.simulator import CoverageVerilator


class Counts:
    """Adds up what the simulations of a session reach.

    Parameters
    ----------
    file : pathlib.Path
        Written when all tests have passed, and something was simulated.
    """

    def __init__(self, file: Path):
        self.file = file
        self.reached: Counter[Point] = Counter()

    def take(self, verilog: Path, found: Path) -> None:
        """Add what a simulation of a Verilog file has counted."""
        text, made_at = found.read_text(encoding="latin-1"), verilog.stat().st_mtime_ns
        for point, count in read_counts(text, *_known(verilog, made_at)).items():
            self.reached[point] += count
        found.unlink()  # so that no later simulation that writes none seems to have done so

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the file; where a test failed, tell whether anything was simulated."""
        if not self.reached:
            return
        if exitstatus == pytest.ExitCode.OK:
            write_counts(self.file, self.reached)
        elif exitstatus == pytest.ExitCode.TESTS_FAILED:
            session.exitstatus = FAILED


@cache
def _known(verilog: Path, made_at: int) -> tuple[Places, Constants]:
    return read_places(verilog.read_text(encoding="utf-8")), constants(verilog)


def pytest_addoption(parser: Any) -> None:
    """Take the name of the file."""
    parser.addoption("--coverage-to", type=Path, required=True, help="takes what benches reach")


def pytest_configure(config: Any) -> None:
    """Put counters into Verilator."""
    counts = Counts(config.getoption("--coverage-to"))
    config.pluginmanager.register(counts, "coverage_counts")
    simulators.SIMULATORS["verilator"] = CoverageVerilator(counts.take)
