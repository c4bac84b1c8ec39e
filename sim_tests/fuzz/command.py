"""Random jobs on whole machines, good ones and bad ones: ``mixdit check fuzz``.

Each simulation has a seed of its own. One that failed is run again by its machine and seed alone.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from commands import builds
from commands.environment import SEED_LIMIT
from commands.exit_codes import ExitCode
from commands.outputs import check_folder
from commands.running import sentences
from commands.terminal import make_console
from sim_tests import accelerators, bench
from sim_tests.simulators import choose

SUMMARY = "summary.json"
"""What a simulation counted, in its folder."""

PER_SIMULATION = 125

COLUMNS = ("good", "broken", "refused", "aborted", "flags", "counters", "simulations",
           "cycles")


def simulate(built: bench.Build, jobs: int) -> Counter[str]:
    """Try random jobs on a machine, with the seed of MIXDIT_SEED; count what became of them.

    Raises
    ------
    AssertionError
        When the machine did anything wrong, or hung.
    """
    summary = built.directory / "fuzz" / SUMMARY
    summary.unlink(missing_ok=True)
    accelerators.run(built, "sim_tests.fuzz.test_fuzz", label="fuzz", jobs=jobs)
    return Counter(json.loads(summary.read_text(encoding="utf-8")))


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
        help=f"Repeatable; of {', '.join(accelerators.MATRIX)}.",
        show_default=", ".join(accelerators.QUICK))] = None,
) -> ExitCode:
    """Mix good jobs, bad jobs, broken packets, stalls and aborts; check every bit.

    2,000 jobs take ten minutes. The exit code is 1 at the first fault, with the call that shows it
    again.

    Example: mixdit check fuzz --jobs 100 --machine 4x4 --seed 7
    """
    names = machine or list(accelerators.QUICK)
    unknown = [name for name in names if name not in accelerators.MATRIX]
    if unknown:
        raise typer.BadParameter(f"there is no machine {unknown[0]!r}")
    with sentences("Interrupted: the simulator was stopped."):
        builds.check_place(bench.BUILD)
        choose()
        check_folder(bench.BUILD)
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
                built, found[name] = accelerators.build(name), []
            progress.update(task, description=f"{name}, seed {own_seed}")
            os.environ["MIXDIT_SEED"] = str(own_seed)
            try:
                found[name].append(simulate(built, count))
            except AssertionError as error:
                again = f"--machine {name} --seed {own_seed} --jobs {count}"
                console.print(f"{error}\nagain: mixdit check fuzz {again}")
                failed = True
                break
            console.print(f"{name}, seed {own_seed}: {count} jobs")
            progress.advance(task, count)
    console.print(table_of(found))
    return failed
