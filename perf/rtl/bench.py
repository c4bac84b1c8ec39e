"""Measure the machine in the emitted Verilog: ``mixdit bench rtl``.

Exit codes: 0 when every target is met and every bit equal to the golden model's, 1 when not, else
as `commands.exit_codes` has them. MIXDIT_SEED seeds all data and stalls (default 1).
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from commands.checkout import ROOT
from commands.environment import seed
from commands.exit_codes import ExitCode
from commands.figures import Figures
from hw.contract.config import Config
from hw.host.results import Outcome
from hw.machine_options import machine_options
from perf.rtl.bench_program import run_program
from perf.rtl.bench_rows import make_rows
from perf.rtl.measured import Measured, expected_cycles, pair_outcomes
from perf.rtl.scenarios import WIDE, Group, Sizes, machines_of, make_groups
from perf.rtl.table import Report, print_table, write_json, write_markdown
from perf.rtl.verilog_size import measure_verilog
from simulation.running import simulate

FOLDER = ROOT / "build" / "bench-rtl"


def run_groups(
    machines: Mapping[str, Config],
    groups: Sequence[Group],
    console: Console,
) -> tuple[list[Measured], dict[str, float]]:
    """Simulate all groups, machine by machine, and pair jobs with their outcomes.

    Parameters
    ----------
    machines : mapping of str to Config
    groups : sequence of Group
    console : Console
        Where progress is shown.

    Returns
    -------
    list of Measured
        All jobs, neighbours included.
    dict of str to float
        Seconds of building and simulating each machine.
    """
    outcomes: dict[str, list[Outcome]] = {}
    seconds = {}
    for machine, config in machines.items():
        own = [group for group in groups if group.machine == machine]
        if not own:
            continue
        console.print(f"Machine {machine}: {config.describe()}", soft_wrap=True)
        jobs = [[(case.work, expected_cycles(config, case.work, group.stall))
                 for case in group.cases] for group in own]
        simulation = simulate(config, jobs, console, stalls=[group.stall for group in own])
        outcomes[machine] = simulation.outcomes
        seconds |= {f"build {machine}": simulation.build_seconds,
                    f"simulate {machine}": simulation.run_seconds}
    return pair_outcomes(dict(machines), groups, outcomes), seconds


def named(jobs: Sequence[Measured]) -> dict[str, Measured]:
    """Pick the jobs that are measured."""
    return {each.case.name: each for each in jobs if each.case.name}


def measure(console: Console, machines: Mapping[str, Config]) -> Report:
    """Run everything, and compare every job with golden."""
    sizes = Sizes.of(machines[WIDE])
    groups = make_groups(machines, sizes, np.random.default_rng(seed()))
    jobs, seconds = run_groups(machines, groups, console)
    started = time.perf_counter()
    with console.status("Comparing with the golden model"):
        differences = [each.difference for each in jobs if each.difference is not None]
    seconds["compare"] = time.perf_counter() - started
    with console.status("Emitting 64 x 64 cells"):
        verilog = measure_verilog()
    return Report(make_rows(named(jobs)), verilog, machines, seed(), differences, len(jobs),
                  seconds | {"emit": verilog.seconds})


def conclude(console: Console, report: Report, folder: Path) -> int:
    """Print and write what was found; return the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    print_table(console, report)
    write_json(folder / "report.json", report)
    write_markdown(folder / "report.md", report)
    if not report.verilog.met:
        for name, size in report.verilog.largest():
            console.print(f"  {size / 1e6:6.2f} MB  {name}")
    spent = ", ".join(f"{name} {each:.0f} s" for name, each in report.seconds.items())
    console.print(f"Seed {report.seed} (MIXDIT_SEED). {spent}.\n"
                  f"Report: {folder}/report.{{json,md}}", soft_wrap=True)
    for difference in report.differences:
        console.print(difference, style="bold red")
    if report.passed:
        console.print(f"Every target is met, and {report.jobs} jobs equal the golden model to the "
                      "bit.", style="green")
        return 0
    console.print("Targets are missed or bits differ.", style="bold red")
    return ExitCode.DIFFERENT


@machine_options("rows", "cols")
def main(machine: Mapping[str, Any]) -> Figures:
    """Measure the machine in the emitted Verilog.

    Utilisation, cost of precision and stalls, from the machine's own counters. The exit code is 1
    unless every target is met and every bit is the golden model's. The targets are for arrays of
    4x4 to 16x16. MIXDIT_SEED seeds all data and stalls.

    Example: mixdit bench rtl --json > rtl.json
    """
    code = run_program(
        lambda console: conclude(console, measure(console, machines_of(**machine)), FOLDER),
        width=190, folder=FOLDER)
    return Figures(FOLDER / "report.json", code)
