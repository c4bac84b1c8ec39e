"""Hold the schedule of a machine with a bus against the emitted Verilog, list by list.

The second part of ``mixdit check cycles``. Random lists of commands run on several machines beside
a memory whose latencies are fixed, or drawn for each burst, and whose channels may pause; every
cycle and counter that is predicted must be the Verilog's.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from commands.environment import seed
from commands.exit_codes import ExitCode
from commands.outputs import write_text
from golden.memory.descriptor import JobFlag
from hw.contract.config import Config
from perf.rtl.bus_schedule import Latencies
from perf.rtl.compared_lists import ComparedList, RanList, compare, run
from perf.rtl.drawn_lists import BASE, SIZE
from perf.rtl.list_drawer import draw_list
from simulation.build import build
from simulation.memory_machine import SimulatedMemoryMachine

_SMALL = {"rows": 4, "cols": 4, "k_max": 256}

_SCARCE = {**_SMALL, "bus_bytes": 16, "act_depth": 96, "weight_depth": 24, "tile_slots": 8,
           "drain_lanes": 8, "burst_beats": 8, "read_depth": 24, "outstanding": 6}
"""Little room everywhere: whoever waits for whom shows."""

MACHINES = {
    "4x4": Config.sized(**_SMALL, bus_bytes=32),
    "4x4_scarce": Config.sized(**_SCARCE),
    "3x5": Config.sized(rows=3, cols=5, k_max=256, bus_bytes=32),
    "2x2_short_words": Config.sized(rows=2, cols=2, k_max=256, bus_bytes=8, burst_beats=4,
                                    read_depth=9, outstanding=3),
    "4x4_no_bursts": Config.sized(**_SMALL, bus_bytes=16, burst_beats=1, read_depth=40,
                                  outstanding=5),
    "4x8_long_rows": Config.sized(rows=4, cols=8, k_max=256, bus_bytes=16, drain_lanes=32),
    "8x8": Config.sized(k_max=256, bus_bytes=32, drain_lanes=16),
    # Beats that are parts of a word, and a column tile that is a block, or several.
    "3x16_short_beats": Config.sized(rows=3, cols=16, k_max=256, bus_bytes=64, drain_lanes=32,
                                     act_bytes=16),
    "2x32": Config.sized(rows=2, cols=32, k_max=96, bus_bytes=64, float_formats=("fp16", "fp32")),
    "4x4_vector": Config.sized(**_SMALL, bus_bytes=32, vector_lanes=4),
    "5x8_vector": Config.sized(rows=5, cols=8, k_max=256, bus_bytes=32, drain_lanes=16,
                               vector_lanes=2),
    "3x5_vector_one_lane": Config.sized(rows=3, cols=5, k_max=256, bus_bytes=32, vector_lanes=1),
    "4x4_vector_scarce": Config.sized(**_SCARCE, vector_lanes=2),
}
"""Words of 8 to 64 bytes, rows within a word and over several, deep and shallow queues; and some
with a vector unit."""

LISTS = 30
"""Per machine."""

LATENCIES = (1, 2, 5, 20, 60, 100, 200, 400)

MOST_JITTER = 150
"""Cycles that a burst may be answered later than another of its kind."""

PAUSES = (0.0, 0.1, 0.5)
"""Shares of cycles in which each channel of the bus does nothing."""

Show = Callable[[str, int], None]


def simulate(machine: str, config: Config, rng: np.random.Generator, lists: int,
             show: Show = lambda stage, ended: None, *, library: Path | None = None,
             ) -> list[RanList]:
    """Draw lists and run them on a machine.

    Parameters
    ----------
    machine : str
        Its name, for messages.
    config : Config
    rng : numpy.random.Generator
    lists : int
    show : callable
        Called now and then with what is being done, and the lists that have run.
    library : pathlib.Path, optional
        The compiled model; built by default.
    """
    show("building", 0)
    library = library or build(config, show=lambda stage, share: show("building", 0))
    ran = []
    with SimulatedMemoryMachine(library, BASE, SIZE, outstanding=config.outstanding) as device:
        for number in range(lists):
            show("simulating", number)
            drawn = draw_list(config, rng)
            latencies = draw_latencies(rng)
            if any(command.flags & JobFlag.TAGGED for command in drawn.commands):
                latencies = Latencies(latencies.read, latencies.write)
            ran.append(run(device, f"{machine}, list {number}", drawn, latencies))
    return ran


def draw_latencies(rng: np.random.Generator) -> Latencies:
    """Draw a memory: of fixed latencies for every other list, else of random ones, or pausing."""
    read, write = (int(each) for each in rng.choice(LATENCIES, 2))
    if rng.integers(2):
        return Latencies(read, write)
    jitter, pause = int(rng.integers(1, MOST_JITTER + 1)), float(rng.choice(PAUSES))
    if pause and rng.integers(2):
        jitter = 0
    return Latencies(read, write, jitter=jitter, pause=pause, seed=int(rng.integers(1 << 32)))


def check(console: Console, machines: Mapping[str, Config], lists: int) -> list[ComparedList]:
    """Draw, run and predict lists on all machines."""
    compared = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        for index, (machine, config) in enumerate(machines.items()):
            task = bar.add_task(machine, total=lists)

            def show(stage: str, ended: int, task: int = task, machine: str = machine) -> None:
                bar.update(task, description=f"{machine}: {stage}", completed=ended)

            rng = np.random.default_rng([seed(), 1, index])
            compared += [compare(each) for each in simulate(machine, config, rng, lists, show)]
            bar.update(task, description=machine, completed=lists)
            if not console.is_terminal:
                console.print(f"{machine}: {lists} lists simulated")
    return compared


def _by_machine(compared: Sequence[ComparedList]) -> list[dict[str, int | str]]:
    """Count the lists of each machine, and those that are exact."""
    rows: list[dict[str, int | str]] = []
    for machine in dict.fromkeys(each.machine for each in compared):
        own = [each for each in compared if each.machine == machine]
        rows.append({
            "machine": machine, "lists": len(own), "exact": sum(each.is_exact for each in own),
            "commands": sum(len(each.ran.commands) for each in own),
            "jobs": sum(each.jobs for each in own),
            "random": sum(each.ran.latencies.is_random for each in own),
            "cycles": sum(each.cycles for each in own)})
    return rows


def conclude(console: Console, compared: Sequence[ComparedList], folder: Path,
             least: int = 1) -> int:
    """Print what was found, and add it to the report; return the exit code.

    Parameters
    ----------
    console : Console
    compared : sequence of ComparedList
    folder : pathlib.Path
        Of the report.
    least : int
        Lists that must have run, to say anything.
    """
    wrong = [each for each in compared if not each.is_exact]
    passed, rows = not wrong and len(compared) >= least, _by_machine(compared)
    table = Table(title="Lists of commands", title_justify="left")
    for name in rows[0] if rows else ():
        table.add_column(name, justify="left" if name == "machine" else "right")
    for row in rows:
        table.add_row(*(f"{each:,}" if isinstance(each, int) else each for each in row.values()))
    console.print(table)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.json"
    report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    different = [{"list": each.ran.name, "latencies": asdict(each.ran.latencies),
                  "wrong_bytes": each.ran.wrong_bytes, "counted_and_predicted": each.differences}
                 for each in wrong]
    lists = {"seed": seed(), "bound": 0, "passed": passed, "lists": len(compared),
             "machines": rows, "different": different}
    report |= {"passed": report.get("passed", True) and passed, "lists": lists}
    write_text(path, json.dumps(report, indent=2) + "\n")
    for each in different:
        console.print(f"{each['list']}, {each['latencies']}: counted and predicted "
                      f"{each['counted_and_predicted']}, {each['wrong_bytes']} wrong bytes",
                      style="bold red", soft_wrap=True)
    if not passed:
        console.print(f"{len(wrong)} of {len(compared)} lists differ from the schedule; none may, "
                      f"of {least} at least.", style="bold red")
        return ExitCode.DIFFERENT
    console.print(f"All cycles and counters of {len(compared)} lists are as predicted.",
                  style="green")
    return 0
