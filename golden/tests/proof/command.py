"""All of golden beside second formulations: ``mixdit check golden``."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import MofNCompleteColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from commands import builds
from commands.exit_codes import ExitCode
from commands.outputs import check_file
from commands.running import sentences
from commands.terminal import complain, make_console
from golden.tests.proof.progress import Progress
from golden.tests.proof.sweep import Sweep

SAVED_SECONDS = 5.0
"""Between two writes of the record."""


def main(
    words: Annotated[list[str] | None, typer.Argument(
        metavar="[WORD]...", help="Only sweeps whose name has one of these.")] = None,
    record: Annotated[Path, typer.Option(
        help="What is done stands here; another call goes on.")] = Path("build/golden_proof.json"),
) -> ExitCode:  # fmt: skip
    """Compare all that golden computes with second formulations, as far as can be every case.

    All of it takes about two hours on one core; what an interrupted call has done is not
    done again, unless the code has changed. The exit code is 1 after a difference.

    Example: mixdit check golden narrow
    """
    with sentences("Interrupted: the next call goes on."):
        from golden.tests.proof.table import SWEEPS

        check_file(record)
        sweeps = [each for each in SWEEPS
                  if not words or any(word in each.name for word in words)]  # fmt: skip
        if not sweeps:
            raise ValueError(f"no sweep's name has one of {', '.join(words or ())}; there are "
                             f"{', '.join(each.name for each in SWEEPS)}")
        with builds.alone(record):
            return run(sweeps, Progress(record), make_console())


def run(sweeps: list[Sweep], progress: Progress, console: Console) -> ExitCode:
    """Check what is left of sweeps, and sum up."""
    failed = False
    sweeps = sorted(sweeps, key=lambda sweep: sweep.chunks)  # what is soon done comes first
    columns = (*Bar.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console) as bar:
        for sweep in sweeps:
            if sweep.needs and not _is_there(sweep.needs):
                complain(f"{sweep.name}: left out, since {sweep.needs} is not installed")
                continue
            done = progress.of(sweep.name)
            task = bar.add_task(sweep.name, total=sweep.chunks, completed=done.chunks)
            saved = time.monotonic()
            try:
                for chunk in range(done.chunks, sweep.chunks):
                    since = time.monotonic()
                    done.cases += sweep.check(chunk)
                    done.chunks += 1
                    done.seconds += time.monotonic() - since
                    bar.advance(task)
                    if time.monotonic() - saved > SAVED_SECONDS:
                        progress.save()
                        saved = time.monotonic()
            except AssertionError as difference:
                complain(f"{sweep.name}, chunk {done.chunks}: {difference}")
                failed = True
            finally:
                progress.save()
    console.print(table_of(sweeps, progress))
    return ExitCode.DIFFERENT if failed else ExitCode.DONE


def table_of(sweeps: list[Sweep], progress: Progress) -> Table:
    """Show how far sweeps are."""
    table = Table("sweep", "chunks", "cases", "seconds", box=SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for sweep in sweeps:
        done = progress.of(sweep.name)
        table.add_row(sweep.name, f"{done.chunks:,} of {sweep.chunks:,}", f"{done.cases:,}",
                      f"{done.seconds:,.0f}")  # fmt: skip
    return table


def _is_there(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None
