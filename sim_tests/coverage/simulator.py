"""Verilator that counts which lines, branches and bits of the Verilog a bench reaches."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from amaranth.lib.wiring import Component

from sim_tests.coverage.emission import emit
from sim_tests.simulators import VerilatorSimulator

FOUND = "coverage.dat"
"""What a simulation leaves in its folder."""


class CoverageVerilator(VerilatorSimulator):
    """Verilator with counters at every line, branch and bit.

    Parameters
    ----------
    take : callable
        Called after every simulation with its Verilog file and the file of its counts.
    """

    suffix = "_coverage"
    build_args = (*VerilatorSimulator.build_args, "--coverage-line", "--coverage-toggle",
                  "--coverage-max-width", "100000")

    def __init__(self, take: Callable[[Path, Path], None]):
        self._take = take

    def emitted(self, component: Component, name: str, known: Mapping[str, str] | None
                ) -> Mapping[str, str]:
        return emit(component, name)

    def control(self, top: str, ports: Iterable[str]) -> str:
        # Counting a bit makes Verilator look at a whole struct where it looked at its fields, and
        # what goes from one field to another is then a loop to it. The simulation settles.
        return f"{super().control(top, ports)}lint_off -rule UNOPTFLAT\n"

    def ended(self, verilog: Path, directory: Path) -> None:
        self._take(verilog, directory / FOUND)
