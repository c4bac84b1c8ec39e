"""Random simulations of several machines: planned, run, kept, and summed up."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

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
from hw.contract.config import Config
from hw.host.driver_errors import MachineError
from sim_tests.fuzz.record import Record, Simulation, total, totals
from simulation.build import BUILD, NEEDS

Seed = Annotated[int | None, typer.Option(
    min=0, max=SEED_LIMIT // 2,
    help="Of each machine's first simulation; each further one has the next.",
    show_default="random; with a record 1")]
KeptRecord = Annotated[Path | None, typer.Option(
    "--record", help="Add each simulation to this file; those it has are not run again.")]
KeptSums = Annotated[Path | None, typer.Option(
    "--sums", help="Write the sums of the record, with its failures, as JSON.")]
"""Options of every campaign's command."""


@dataclass(frozen=True)
class Campaign:
    """What is tried at random.

    Attributes
    ----------
    command, unit : str
        Of ``mixdit check``, and of what it counts: its option's name.
    machines : dict of str to Config
    digest, build : callable
        Give the digest of a machine's text, and its model, by its name.
    simulate : callable
        ``simulate(library, machine, count, seed)`` counts what became of so many.
    per_simulation : int
    columns : sequence of str
        Of the table.
    """

    command: str
    unit: str
    machines: Mapping[str, Config]
    digest: Callable[[str], str]
    build: Callable[[str], Path]
    simulate: Callable[[Path, str, int, int], Counter[str]]
    per_simulation: int
    columns: Sequence[str]

    def names(self, given: Sequence[str]) -> list[str]:
        """Choose machines by their names; "all" stands for all.

        Raises
        ------
        typer.BadParameter
            If there is none of that name.
        """
        names = list(dict.fromkeys(given))
        names = list(self.machines) if names == ["all"] else names
        unknown = [name for name in names if name not in self.machines]
        if unknown:
            raise typer.BadParameter(
                f"there is no machine {unknown[0]!r}; there are {', '.join(self.machines)}")
        return names

    def run(self, given: Sequence[str], count: int, seed: int | None, made_by: Callable[[], str],
            record: Path | None, sums: Path | None) -> ExitCode:
        """Do what a command is asked for.

        Parameters
        ----------
        given : sequence of str
            Names of machines.
        count : int
        seed : int or None
            Drawn where it is left out, or 1 with a record.
        made_by : callable
            Gives the digest of the code that decides what a simulation gives.
        record, sums : Path or None
            Where simulations are kept, and where their sums are written.
        """
        names = self.names(given)
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
            kept, code = Record(record), made_by()
            failed = self.try_all(names, count, seed, kept, code)
            if sums is not None:
                write_text(sums, json.dumps(
                    totals(kept, code, self.machines, self.unit), indent=1) + "\n")
        return ExitCode.DIFFERENT if failed else ExitCode.DONE

    def try_all(self, names: list[str], count: int, seed: int, record: Record,
                made_by: str) -> bool:
        """Run the simulations that the record lacks, and sum up; tell whether one has failed."""
        console = make_console()
        verilogs: dict[str, str] = {}
        libraries: dict[str, Path] = {}
        columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=count)
            for name, own_seed, now in plan(names, count, seed, self.per_simulation):
                if name not in verilogs:
                    progress.update(task, description=f"emitting {name}")
                    verilogs[name] = self.digest(name)
                verilog = verilogs[name]
                is_missing = (name, own_seed, now, verilog, made_by) not in record.simulations
                if is_missing and name not in libraries:
                    progress.update(task, description=f"building {name}")
                    libraries[name] = self.build(name)
                progress.update(task, description=f"{name}, seed {own_seed}")
                if is_missing:
                    found = self._try(libraries[name], name, now, own_seed, verilog, made_by)
                    record.add(found)
                    again = f"--machine {name} --seed {own_seed} --{self.unit} {now}"
                    console.print(
                        f"{found.error}\nagain: mixdit check {self.command} {again}"
                        if found.error else f"{name}, seed {own_seed}: {now} {self.unit}")
                    if found.error and record.path is None:
                        break
                progress.advance(task, now)
        found = record.of(made_by, self.machines)
        console.print(table_of(found, self.columns))
        return any(each.error for mine in found.values() for each in mine)

    def _try(self, library: Path, name: str, count: int, seed: int, verilog: str,
             made_by: str) -> Simulation:
        """Run one simulation."""
        since, error, counts = time.monotonic(), "", Counter()
        try:
            counts = self.simulate(library, name, count, seed)
        except (AssertionError, MachineError) as fault:
            error = str(fault) or repr(fault)
        return Simulation(name, seed, count, verilog, made_by, dict(counts),
                          round(time.monotonic() - since, 3), error)


def plan(names: list[str], count: int, seed: int,
         per_simulation: int) -> Iterator[tuple[str, int, int]]:
    """Spread jobs, or lists, over machines, and cut them into simulations: machine, seed, count.

    The machines take turns. More jobs are the same simulations and further ones, but for the last
    of each machine.
    """
    left = {name: count // len(names) + (index < count % len(names))
            for index, name in enumerate(names)}
    while any(left.values()):
        for name in names:
            if now := min(left[name], per_simulation):
                yield name, seed, now
                left[name] -= now
        seed += 1


def table_of(found: dict[str, list[Simulation]], columns: Sequence[str]) -> Table:
    """Sum up the simulations of each machine."""
    table = Table("machine", *columns, box=SIMPLE_HEAD, padding=0)
    for column in table.columns[1:]:
        column.justify = "right"
    rows = {name: total(mine) for name, mine in found.items()}
    if len(rows) > 1:
        rows["all"] = sum(rows.values(), Counter())
    for name, counts in rows.items():
        table.add_row(name, *(f"{counts[column]:,}" for column in columns))
    return table
