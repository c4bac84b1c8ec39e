"""What the commands print: progress, numbers, and errors as sentences."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:  # importing it for real would import torch
    from quality.train import Trainer

console = Console(soft_wrap=True, highlight=False)
errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, style="red")


@contextmanager
def sentences() -> Iterator[None]:
    """Turn the errors that a user can cause into one sentence and exit code 1."""
    try:
        yield
    except ModuleNotFoundError as error:
        errors.print(f"{error.name} is not installed: run `pip install '.[quality]'` first")
        raise typer.Exit(1) from error
    except (ValueError, OSError) as error:
        errors.print(str(error))
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


def mean_and_spread(values: list[float], style: str) -> str:
    """Format the mean and, for more than one value, the standard deviation over seeds."""
    text = f"{statistics.mean(values):{style}}"
    return text if len(values) < 2 else f"{text} ± {statistics.stdev(values):{style}}"
