"""Random jobs on whole machines, good ones and bad ones: ``mixdit check fuzz``.

Each simulation has a seed of its own. One that failed is run again by its machine and seed alone.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
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
from commands.outputs import check_file, check_folder, write_text
from commands.running import sentences
from commands.terminal import make_console
from hw.host.driver_errors import MachineError
from sim_tests.fuzz.jobs import Fuzzer
from sim_tests.fuzz.models import MACHINES, build, counting, digest
from sim_tests.fuzz.record import Record, Simulation, code, total, totals
from simulation.build import BUILD, NEEDS
from simulation.machine import SimulatedMachine
from simulation.machines import QUICK

PER_SIMULATION = 125

COLUMNS = ("good", "broken", "refused", "aborted", "reset", "counters", "meddled", "simulations",
           "cycles")


def simulate(library: Path, name: str, jobs: int, seed: int) -> Counter[str]:
    """Try random jobs on a machine; count what became of them.

    Raises
    ------
    AssertionError, MachineError
        When the machine did anything wrong, or hung.
    """
    with SimulatedMachine(library) as machine:
        rng = np.random.default_rng([seed, *name.encode()])
        fuzzer = Fuzzer(machine, MACHINES[name], rng, counting(name))
        fuzzer.run(jobs)
        return Counter({**fuzzer.rig.tally, "cycles": machine.cycles})


def plan(names: list[str], jobs: int, seed: int) -> Iterator[tuple[str, int, int]]:
    """Spread jobs over machines, and cut them into simulations: machine, seed, jobs.

    The machines take turns. More jobs are the same simulations and further ones, but for the last
    of each machine.
    """
    left = {name: jobs // len(names) + (index < jobs % len(names))
            for index, name in enumerate(names)}
    while any(left.values()):
        for name in names:
            if now := min(left[name], PER_SIMULATION):
                yield name, seed, now
                left[name] -= now
        seed += 1


def table_of(found: dict[str, list[Simulation]]) -> Table:
    """Sum up the simulations of each machine."""
    table = Table("machine", *COLUMNS, box=SIMPLE_HEAD, padding=0)
    for column in table.columns[1:]:
        column.justify = "right"
    rows = {name: total(mine) for name, mine in found.items()}
    if len(rows) > 1:
        rows["all"] = sum(rows.values(), Counter())
    for name, counts in rows.items():
        table.add_row(name, *(f"{counts[column]:,}" for column in COLUMNS))
    return table


def main(
    jobs: Annotated[int, typer.Option(min=1, help="Jobs in all.")] = 2000,
    seed: Annotated[int | None, typer.Option(
        min=0, max=SEED_LIMIT // 2,
        help="Of each machine's first simulation; each further one has the next.",
        show_default="random; with a record 1")] = None,
    machine: Annotated[list[str] | None, typer.Option(
        help=f"Repeatable; of {', '.join(MACHINES)}; or all.",
        show_default=", ".join(QUICK))] = None,
    record: Annotated[Path | None, typer.Option(
        help="Add each simulation to this file; those it has are not run again.")] = None,
    sums: Annotated[Path | None, typer.Option(
        help="Write the sums of the record, with its failures, as JSON.")] = None,
) -> ExitCode:
    """Mix good jobs, bad jobs, broken packets, abuse, resets and aborts; check every bit.

    2,000 jobs take less than a minute; a machine is built once. The exit code is 1 after a fault,
    and the call that shows it again is printed. Without a record the first one ends the run.

    Example: mixdit check fuzz --jobs 100 --machine 4x4 --seed 7
    """
    names = list(dict.fromkeys(machine or QUICK))
    names = list(MACHINES) if names == ["all"] else names
    unknown = [name for name in names if name not in MACHINES]
    if unknown:
        raise typer.BadParameter(
            f"there is no machine {unknown[0]!r}; there are {', '.join(MACHINES)}")
    with sentences("Interrupted: the simulator was stopped."):
        builds.check_place(BUILD)
        tools.require(NEEDS)
        check_folder(BUILD)
        if record is not None and record == sums:
            raise ValueError("--record and --sums are one file: give two")
        for path in (record, sums):
            if path is not None:
                check_file(path)
        if seed is None:
            seed = int.from_bytes(os.urandom(3), "little") if record is None else 1
        kept = Record(record)
        failed = _try_all(names, jobs, seed, kept)
        if sums is not None:
            write_text(sums, json.dumps(totals(kept, code()), indent=1) + "\n")
    return ExitCode.DIFFERENT if failed else ExitCode.DONE


def _try_all(names: list[str], jobs: int, seed: int, record: Record) -> bool:
    """Run the simulations that the record lacks, and sum up; tell whether one has failed."""
    console, made_by = make_console(), code()
    verilogs: dict[str, str] = {}
    libraries: dict[str, Path] = {}
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=jobs)
        for name, own_seed, count in plan(names, jobs, seed):
            if name not in verilogs:
                progress.update(task, description=f"emitting {name}")
                verilogs[name] = digest(name)
            verilog = verilogs[name]
            is_missing = (name, own_seed, count, verilog, made_by) not in record.simulations
            if is_missing and name not in libraries:
                progress.update(task, description=f"building {name}")
                libraries[name] = build(name)
            progress.update(task, description=f"{name}, seed {own_seed}")
            if is_missing:
                found = _try(libraries[name], name, count, own_seed, verilog, made_by)
                record.add(found)
                again = f"--machine {name} --seed {own_seed} --jobs {count}"
                console.print(f"{found.error}\nagain: mixdit check fuzz {again}" if found.error
                              else f"{name}, seed {own_seed}: {count} jobs")
                if found.error and record.path is None:
                    break
            progress.advance(task, count)
    found = record.of(made_by)
    console.print(table_of(found))
    return any(each.error for mine in found.values() for each in mine)


def _try(library: Path, name: str, count: int, seed: int, verilog: str, made_by: str) -> Simulation:
    """Run one simulation."""
    since, error, counts = time.monotonic(), "", Counter()
    try:
        counts = simulate(library, name, count, seed)
    except (AssertionError, MachineError) as fault:
        error = str(fault) or repr(fault)
    return Simulation(name, seed, count, verilog, made_by, dict(counts),
                      round(time.monotonic() - since, 3), error)
