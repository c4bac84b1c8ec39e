"""What the commands print: progress, numbers, and errors as sentences."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:  # importing it for real would import torch
    from quality.train import Trainer

console = Console(soft_wrap=True, highlight=False)
wide = Console(width=max(console.width, 150), soft_wrap=True, highlight=False)
"""For tables, whose lines a narrow terminal folds rather than cuts."""
errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, style="red")


EXTRAS = {"transformers": "real", "torch_fidelity": "real", "torchmetrics": "real"}
"""Packages that the extra ``quality`` does not bring."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


@contextmanager
def sentences() -> Iterator[None]:
    """Turn the errors that a user can cause into one sentence and exit code 1."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(str(error.name).partition(".")[0], "quality")
        errors.print(f"{error.name} is not installed: run `pip install '.[{extra}]'` first")
        raise typer.Exit(1) from error
    except (ValueError, OSError) as error:
        errors.print(str(error))
        raise typer.Exit(1) from error


@contextmanager
def resumable() -> Iterator[None]:
    """Say of an interrupt, and of a process that was killed, that what is done is kept."""
    try:
        yield
    except KeyboardInterrupt as error:
        errors.print("Interrupted: what is done is kept, and the same command goes on from there.")
        raise typer.Exit(INTERRUPTED) from error
    except BrokenProcessPool as error:
        errors.print(
            "A process was killed, perhaps for want of memory: what is done is kept; give the same "
            "command again, with fewer --jobs"
        )
        raise typer.Exit(1) from error


@contextmanager
def training_report(trainer: "Trainer") -> Iterator[Callable[["Trainer"], None]]:
    """Show a progress bar, and a line every 100 steps that also a log file keeps."""
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    ]
    started, first = time.monotonic(), trainer.step
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=trainer.recipe.steps, completed=first)

        def report(trainer: "Trainer") -> None:
            loss = trainer.recent_loss()
            progress.update(task, completed=trainer.step, description=f"loss {loss:.4f}")
            if trainer.step % 100 == 0 or trainer.step == first + 10:
                pace = (time.monotonic() - started) / (trainer.step - first)
                progress.console.print(
                    f"step {trainer.step} loss {loss:.4f}  {pace:.3f} s a step, "
                    f"{trainer.cpu_seconds:.0f} CPU-seconds so far"
                )

        yield report


@contextmanager
def unit_progress(is_shown: bool = True) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar of units that are done; gives a function of done, total and what the last was.

    Where the output is no terminal, a line for each policy and seed instead, which a log keeps.
    """
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    ]
    started, said = time.monotonic(), ""
    with Progress(*columns, console=console, transient=True, disable=not is_shown) as bars:
        bar = bars.add_task("loading", total=None)

        def show(done: int, total: int, what: str) -> None:
            nonlocal said
            bars.update(bar, completed=done, total=total, description=what)
            if is_shown and not console.is_terminal and what != said:
                seconds = time.monotonic() - started
                console.print(f"{what}: {done} of {total} units after {seconds:.0f} s")
            said = what

        yield show
