"""Verilator that counts which lines, branches and bits of the Verilog a bench reaches."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from amaranth.lib.wiring import Component
from cocotb_tools.runner import Runner

from commands.outputs import write_if_changed
from sim_tests.coverage.emission import emit
from sim_tests.simulators import CocotbVerilator, VerilatorSimulator
from simulation.runtime import verilator

FOUND = "coverage.dat"
"""What a simulation leaves in its folder."""

HEADER = "verilated_cov.h"
"""What counts, of Verilator's runtime."""

TOO_FAR, FAR = (f"j < {end}width - i * VL_EDATASIZE;" for end in ("", "VL_EDATASIZE && j < "))
"""Verilator 5.48 does not stop at the end of a word of 32 bits: where a bit of a signal wider than
64 turns, it counts those 32, 64, ... places above it too."""


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

    def runner(self) -> Runner:
        super().runner()
        return _Runner(self.optimise)

    def made_of(self, *parts: str) -> str:
        return super().made_of(_header(), *parts)

    def emitted(self, component: Component, name: str, known: Mapping[str, str] | None
                ) -> Mapping[str, str]:
        return emit(component, name)

    def control(self, top: str, ports: Iterable[str]) -> str:
        # Counting a bit makes Verilator look at a whole struct where it looked at its fields, and
        # what goes from one field to another is then a loop to it. The simulation settles.
        return f"{super().control(top, ports)}lint_off -rule UNOPTFLAT\n"

    def ended(self, verilog: Path, directory: Path) -> None:
        self._take(verilog, directory / FOUND)


class _Runner(CocotbVerilator):
    """Models include the header of their own folder."""

    def _build_command(self) -> list[list[str]]:
        write_if_changed(Path(self.build_dir) / HEADER, _header())
        return super()._build_command()


def _header() -> str:
    """Return Verilator's header, mended."""
    text = (verilator().parent / "include" / HEADER).read_text(encoding="utf-8")
    return text.replace(TOO_FAR, FAR)
