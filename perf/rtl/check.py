"""Hold the schedule against the emitted Verilog: ``mixdit check cycles``.

Random jobs of every kind run on several machines in Verilator, streams at full rate. The schedule
predicts each job's counters; every one must be equal. Then lists of commands run on machines with a
bus: see `perf.rtl.check_lists`. Exit codes: 0 when all are, 1 when one is
not, else as `commands.exit_codes` has them. MIXDIT_SEED seeds the jobs (default 1).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from commands.checkout import ROOT
from commands.environment import seed
from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.outputs import write_text
from hw.contract.config import Config
from perf.rtl import check_lists
from perf.rtl.bench_program import run_program
from perf.rtl.checked_jobs import draw_groups
from perf.rtl.checked_runs import Compared, compare, simulate
from perf.rtl.schedule import COUNTER_NAMES
from simulation.machines import MATRIX

FOLDER = ROOT / "build" / "perf-check"

MACHINES = {name: MATRIX[name] for name in (
    "4x4", "3x5", "2x32", "16x2", "4x4_narrow", "8x8_attention")} | {
    # Sums so long that a packet has several beats of precision bits.
    "2x2_long": Config.sized(rows=2, cols=2, k_max=512, act_bytes=8, weight_bytes=2),
}
"""One and several rows drained per cycle, parts of a block and several blocks per column tile,
streams that are narrow and that are wide."""

JOBS = 50
"""Per machine."""

LEAST = 200
"""Jobs whose counters must have been read, of all machines together."""


def check(
    console: Console, machines: Mapping[str, Config], jobs: int
) -> list[Compared]:
    """Draw, run and predict jobs on all machines."""
    compared = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        for index, (machine, config) in enumerate(machines.items()):
            task = bar.add_task(machine, total=jobs)
            groups = draw_groups(config, np.random.default_rng([seed(), index]), jobs)

            def show(stage: str, ended: int, task: int = task, machine: str = machine) -> None:
                bar.update(task, description=f"{machine}: {stage}", completed=ended)

            timed = simulate(machine, config, groups, show)
            compared += compare(machine, config, groups, timed)
            bar.update(task, description=machine, completed=jobs)
            if not console.is_terminal:
                console.print(f"{machine}: {jobs} jobs simulated")
    return compared


def _summary(compared: Sequence[Compared]) -> list[dict[str, int | str]]:
    """Count, for each counter, the jobs whose prediction is exact, and find the largest miss."""
    read = [each for each in compared if each.timed.counters is not None]
    rows: list[dict[str, int | str]] = []
    for name in COUNTER_NAMES:
        missed = [each.differences[name] for each in read if name in each.differences]
        rows.append({"counter": name, "jobs": len(read), "exact": len(read) - len(missed),
                     "largest difference": max(missed, key=abs, default=0),
                     "counted in all": sum(each.timed.counters[name] for each in read)})
    return rows


def _by_kind(compared: Sequence[Compared]) -> list[dict[str, int | str]]:
    """Count the exact jobs of each machine and kind."""
    read = [each for each in compared if each.timed.counters is not None]
    kinds = sorted({(each.machine, each.work.job.kind.name) for each in read})
    return [{"machine": machine, "kind": kind, "jobs": len(own),
             "exact": sum(not each.differences for each in own)}
            for machine, kind in kinds
            for own in [[each for each in read
                         if (each.machine, each.work.job.kind.name) == (machine, kind)]]]


def conclude(
    console: Console, compared: Sequence[Compared], folder: Path, least: int = 1
) -> int:
    """Print and write what was found; return the exit code.

    Parameters
    ----------
    console : Console
    compared : sequence of Compared
    folder : pathlib.Path
        For the report.
    least : int
        Jobs whose counters must have been read, to say anything.
    """
    wrong = [each for each in compared if each.differences]
    unread = sum(each.timed.counters is None for each in compared)
    passed = not wrong and len(compared) - unread >= least
    summary, kinds = _summary(compared), _by_kind(compared)
    for title, rows in (("Counters", summary), ("Jobs", kinds)):
        table = Table(title=title, title_justify="left")
        for name in rows[0] if rows else ():
            table.add_column(name, justify="left" if name in ("counter", "machine", "kind")
                             else "right")
        for row in rows:
            table.add_row(*(f"{each:,}" if isinstance(each, int) else each
                            for each in row.values()))
        console.print(table)
    folder.mkdir(parents=True, exist_ok=True)
    different = [{"job": each.description, "start": each.timed.start,
                  "counted": each.timed.counters, "difference": each.differences}
                 for each in wrong]
    machines = {each.machine: each.config.describe() for each in compared}
    write_text(folder / "report.json", json.dumps({
        "seed": seed(), "bound": 0, "passed": passed, "jobs": len(compared), "unread": unread,
        "machines": machines, "counters": summary, "kinds": kinds, "different": different,
    }, indent=2) + "\n")
    console.print(f"Seed {seed()} (MIXDIT_SEED). {unread} jobs ended before the counters of the "
                  f"one before were read. Report: {folder}/report.json", soft_wrap=True)
    for each in different:
        console.print(f"{each['job']}: counted less predicted {each['difference']}",
                      style="bold red", soft_wrap=True)
    if not passed:
        console.print(f"{len(wrong)} of {len(compared) - unread} jobs differ from the schedule; "
                      f"none may, of {least} at least.", style="bold red")
        return ExitCode.DIFFERENT
    console.print(f"All counters of {len(compared) - unread} jobs are as predicted.", style="green")
    return 0


def main() -> Figures:
    """Hold the cycle model against the emitted Verilog.

    350 random jobs of every kind run on seven machines in Verilator, streams at full rate. The
    model predicts each job's counters. 390 random lists of commands run on thirteen machines with a
    bus, four of which have a vector unit, beside a memory of fixed or random latencies. The model
    predicts when jobs begin and end in the array, when jobs and commands have ended, and all
    counters of both and of the bus.
    The exit code is 1 unless all are equal. MIXDIT_SEED seeds all.

    Example: MIXDIT_SEED=7 mixdit check cycles
    """
    code = run_program(run, width=120, folder=FOLDER)
    return Figures(FOLDER / "report.json", code)


def run(console: Console) -> int:
    """Check, print and write; return the exit code."""
    of_jobs = conclude(console, check(console, MACHINES, JOBS), FOLDER, LEAST)
    lists = check_lists.check(console, check_lists.MACHINES, check_lists.LISTS)
    least = len(check_lists.MACHINES) * check_lists.LISTS
    return max(of_jobs, check_lists.conclude(console, lists, FOLDER, least))
