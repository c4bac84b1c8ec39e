"""Measure the machine with a command ring in the emitted Verilog: ``mixdit bench ring``.

Exit codes: 0 when every target is met and every byte equal to the golden model's, 1 when not, else
as `commands.exit_codes` has them. MIXDIT_SEED seeds all data (default 1).
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from commands.checkout import ROOT
from commands.environment import seed
from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.outputs import write_text
from hw.contract.config import Config
from perf.rtl.bench_program import run_program
from perf.rtl.ring_measured import BASE, SIZE, RingMeasured, run_scenario
from perf.rtl.ring_scenarios import MACHINES, Scenario, make_scenarios
from simulation.build import build
from simulation.memory_machine import SimulatedMemoryMachine

FOLDER = ROOT / "build" / "bench-ring"

SCHEMA = 1
"""Of ``report.json``; grows when a key changes its meaning or leaves."""

COLUMNS = ("Commands", "M x K x N", "Parts", "Cycles", "Array", "Read", "Write", "Drain", "Act",
           "Weight", "Result", "Whole", "Figure", "Target", "Met")

CAPTION = (
    "Of a part, a command or an iteration of one, between others: its cycles; those in which "
    "array, read port, write port and drain work; those without a beat, by what was waited for. "
    "Whole: share of all cycles, from the first register access to the last answer, in which a "
    "beat entered the array.")


@dataclass(frozen=True)
class RingReport:
    """All that one run found.

    Attributes
    ----------
    measured : list of RingMeasured
    machines : dict of str to Config
    seed : int
    seconds : dict of str to float
        Wall-clock time of each step.
    """

    measured: Sequence[RingMeasured]
    machines: Mapping[str, Config]
    seed: int
    seconds: Mapping[str, float]

    @property
    def speed(self) -> float:
        """Cycles that were simulated per second of processor time."""
        return (sum(each.total.cycle - each.began for each in self.measured)
                / sum(each.seconds for each in self.measured))

    @property
    def differences(self) -> list[str]:
        """Say where golden has other bytes."""
        return [f"{each.wrong_bytes} bytes of memory are wrong after {each.scenario.name}"
                for each in self.measured if each.wrong_bytes]

    @property
    def passed(self) -> bool:
        """Whether every target is met and every byte equal."""
        return not self.differences and all(each.judge()[2] for each in self.measured)

    def as_json(self) -> dict:
        """Give every number."""
        return {
            "schema": SCHEMA, "passed": self.passed, "seed": self.seed,
            "bits_equal": not self.differences, "differences": self.differences,
            "machines": {name: asdict(config) for name, config in self.machines.items()},
            "rows": [each.as_json() for each in self.measured],
            "cycles_per_second": round(self.speed),
            "seconds": {name: round(each, 1) for name, each in self.seconds.items()}}


def run_scenarios(console: Console, machines: Mapping[str, Config],
                  scenarios: Sequence[Scenario]) -> RingReport:
    """Build the machines, run all scenarios on them, and compare."""
    measured: list[RingMeasured] = []
    seconds: dict[str, float] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[cycles]}"),
               TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True,
                  disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=len(scenarios), cycles="")

        def say(text: str) -> None:
            bar.update(task, description=text)
            if not console.is_terminal:
                console.print(f"{text} …")

        for machine, config in machines.items():
            own = [each for each in scenarios if each.machine == machine]
            if not own:
                continue
            console.print(f"Machine {machine}: {config.describe()}", soft_wrap=True)
            say(f"Building the machine {machine} (minutes, once)")
            began = time.perf_counter()
            library = build(config)
            seconds[f"build {machine}"] = time.perf_counter() - began
            began = time.perf_counter()
            with SimulatedMemoryMachine(
                    library, BASE, SIZE, outstanding=config.outstanding,
                    progress=lambda count: bar.update(task, cycles=f"cycle {count:,}")) as device:
                for scenario in own:
                    say(f"{scenario.name}, latency {scenario.latency}")
                    measured.append(run_scenario(
                        device, config, scenario, np.random.default_rng(seed())))
                    bar.advance(task)
            seconds[f"run {machine}"] = time.perf_counter() - began
    order = {id(scenario): place for place, scenario in enumerate(scenarios)}
    measured.sort(key=lambda each: order[id(each.scenario)])
    return RingReport(measured, machines, seed(), seconds)


def cells(measured: RingMeasured) -> list[str]:
    """Give a row of the table."""
    scenario, shape = measured.scenario, measured.scenario.shape
    figure, target, met = measured.judge()
    verdict = ("yes" if met else "NO") if target else ""
    return [scenario.name, f"{shape.m} x {shape.k} x {shape.n}", str(scenario.parts),
            f"{measured.cycles:,.0f}",
            *(f"{measured.channels[name]:,.0f}" for name in (
                "array", "read port", "write port", "drain")),
            *(f"{measured.stalls[name]:,.0f}" for name in ("act", "weight", "result")),
            f"{measured.whole_share:.1%}", figure, target, verdict]


def print_table(console: Console, report: RingReport) -> None:
    """Print the rows, section by section."""
    table = Table(caption=CAPTION, caption_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in COLUMNS[1:12] else "left")
    section = None
    for each in report.measured:
        if each.scenario.section != section:
            section = each.scenario.section
            table.add_section()
            table.add_row(Text(section, "bold"))
        row = cells(each)
        table.add_row(*row, style=None if row[-1] != "NO" else "bold red")
    console.print(table)


def markdown(report: RingReport) -> str:
    """Give the table as it stands in the documentation."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    section = None
    for each in report.measured:
        if each.scenario.section != section:
            section = each.scenario.section
            lines.append(f"| **{section}** |" + " |" * (len(COLUMNS) - 1))
        lines.append("| " + " | ".join(cells(each)) + " |")
    return "\n".join([*lines, "", CAPTION]) + "\n"


def conclude(console: Console, report: RingReport, folder: Path) -> int:
    """Print and write what was found; return the exit code."""
    print_table(console, report)
    write_text(folder / "report.json", json.dumps(report.as_json(), indent=2) + "\n")
    write_text(folder / "report.md", markdown(report))
    spent = ", ".join(f"{name} {each:.0f} s" for name, each in report.seconds.items())
    console.print(f"Seed {report.seed} (MIXDIT_SEED). {spent}; {report.speed:,.0f} cycles per "
                  f"second.\nReport: {folder}/report.{{json,md}}", soft_wrap=True)
    for difference in report.differences:
        console.print(difference, style="bold red")
    if report.passed:
        console.print(f"Every target is met, and after {len(report.measured)} lists all of memory "
                      "equals the golden model's.", style="green")
        return ExitCode.DONE
    console.print("Targets are missed or bits differ.", style="bold red")
    return ExitCode.DIFFERENT


def main() -> Figures:
    """Measure the machine with a command ring, beside a memory on its bus.

    Lists of commands as a DiT's layers and heads make them, on an AXI4 port of 256 bits, at 100 and
    400 cycles of latency: how busy array, read port, write port and drain are. The exit code is 1
    unless every target is met and every byte of memory is the golden model's. MIXDIT_SEED seeds all
    data.

    Example: mixdit bench ring --json > ring.json
    """
    code = run_program(
        lambda console: conclude(console, run_scenarios(console, MACHINES, make_scenarios()),
                                 FOLDER), width=200, folder=FOLDER)
    return Figures(FOLDER / "report.json", code)
