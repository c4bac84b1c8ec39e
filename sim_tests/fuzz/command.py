"""Random jobs on whole machines, good ones and bad ones: ``mixdit check fuzz``.

Each simulation has a seed of its own. One that failed is run again by its machine and seed alone.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from commands import builds, tools
from commands.environment import SEED_LIMIT
from commands.exit_codes import ExitCode
from commands.outputs import check_folder
from commands.running import sentences
from commands.terminal import make_console
from hw.host.driver_errors import MachineError
from hw.parts.sram import MODULE
from sim_tests.bench import POISONED_SRAM
from sim_tests.fuzz.jobs import Fuzzer
from simulation.build import BUILD, NEEDS, TOP, Flags, compile_verilog, emitted
from simulation.machine import SimulatedMachine
from simulation.machines import MATRIX, QUICK

PER_SIMULATION = 125

COLUMNS = ("good", "broken", "refused", "aborted", "flags", "counters", "simulations",
           "cycles")


def build(name: str) -> Path:
    """Build a machine by its name in `MATRIX`; its memories hold garbage after every reset."""
    memory = f"{TOP}_{MODULE}"
    poisoned = POISONED_SRAM.read_text(encoding="utf-8").replace(MODULE, memory)
    verilog, count = re.subn(rf"^module {memory}\b.*?^endmodule\n", lambda _: poisoned,
                             emitted(MATRIX[name]), flags=re.MULTILINE | re.DOTALL)
    if count != 1:
        raise ValueError(f"the Verilog holds {count} modules {memory}, not one")
    flags = Flags()
    return compile_verilog(verilog, flags=replace(
        flags, verilate=(*flags.verilate, f"-DSRAM_RESET=!{TOP}.aresetn")))


def simulate(library: Path, name: str, jobs: int, seed: int) -> Counter[str]:
    """Try random jobs on a machine; count what became of them.

    Raises
    ------
    AssertionError, MachineError
        When the machine did anything wrong, or hung.
    """
    with SimulatedMachine(library) as machine:
        fuzzer = Fuzzer(machine, MATRIX[name], np.random.default_rng(seed))
        fuzzer.run(jobs)
        return Counter({**fuzzer.tally, "cycles": machine.cycles})


def plan(names: list[str], jobs: int, seed: int) -> Iterator[tuple[str, int, int]]:
    """Spread jobs over machines, and cut them into simulations: machine, seed, jobs."""
    for index, name in enumerate(names):
        left = jobs // len(names) + (index < jobs % len(names))
        while left:
            now = min(left, PER_SIMULATION)
            yield name, seed, now
            seed, left = seed + 1, left - now


def table_of(found: dict[str, list[Counter[str]]]) -> Table:
    """Sum up the simulations of each machine."""
    table = Table("machine", *COLUMNS, box=SIMPLE_HEAD, padding=0)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, each in found.items():
        total = sum(each, Counter())
        total["simulations"] = len(each)
        table.add_row(name, *(f"{total[column]:,}" for column in COLUMNS))
    return table


def main(
    jobs: Annotated[int, typer.Option(min=1, help="Jobs in all.")] = 2000,
    seed: Annotated[int | None, typer.Option(
        min=0, max=SEED_LIMIT // 2, help="Of the first simulation; each further one has the next.",
        show_default="random")] = None,
    machine: Annotated[list[str] | None, typer.Option(
        help=f"Repeatable; of {', '.join(MATRIX)}.",
        show_default=", ".join(QUICK))] = None,
) -> ExitCode:
    """Mix good jobs, bad jobs, broken packets, stalls and aborts; check every bit.

    2,000 jobs take half a minute; a machine is built once. The exit code is 1 at the first fault,
    with the call that shows it again.

    Example: mixdit check fuzz --jobs 100 --machine 4x4 --seed 7
    """
    names = machine or list(QUICK)
    unknown = [name for name in names if name not in MATRIX]
    if unknown:
        raise typer.BadParameter(
            f"there is no machine {unknown[0]!r}; there are {', '.join(MATRIX)}")
    with sentences("Interrupted: the simulator was stopped."):
        builds.check_place(BUILD)
        tools.require(NEEDS)
        check_folder(BUILD)
        seed = int.from_bytes(os.urandom(3), "little") if seed is None else seed
        failed = _try_all(names, jobs, seed)
    return ExitCode.DIFFERENT if failed else ExitCode.DONE


def _try_all(names: list[str], jobs: int, seed: int) -> bool:
    """Run the simulations until one fails, and sum up; tell whether one did."""
    console = make_console()
    found: dict[str, list[Counter[str]]] = {}
    failed = False
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=jobs)
        for name, own_seed, count in plan(names, jobs, seed):
            if name not in found:
                progress.update(task, description=f"building {name}")
                library, found[name] = build(name), []
            progress.update(task, description=f"{name}, seed {own_seed}")
            try:
                found[name].append(simulate(library, name, count, own_seed))
            except (AssertionError, MachineError) as error:
                again = f"--machine {name} --seed {own_seed} --jobs {count}"
                console.print(f"{error}\nagain: mixdit check fuzz {again}")
                failed = True
                break
            console.print(f"{name}, seed {own_seed}: {count} jobs")
            progress.advance(task, count)
    console.print(table_of(found))
    return failed
