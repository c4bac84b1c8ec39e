"""What the commands print: progress, numbers, and errors as sentences."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from commands.running import sentences
from commands.terminal import make_console

if TYPE_CHECKING:  # importing it for real would import torch
    from quality.train import Trainer

__all__ = ["KEPT", "console", "sentences", "training_report", "unit_progress", "wide"]

console = make_console(soft_wrap=True)
wide = make_console(soft_wrap=True, width=150)
"""For tables, whose lines a narrow terminal folds rather than cuts."""
if wide.width < 150:
    wide.width = 150


KEPT = "Interrupted: what is done is kept, and the same command goes on from there."
"""What `sentences` say of an interrupt where that is so."""


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
