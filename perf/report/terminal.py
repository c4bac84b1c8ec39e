"""What the commands share: progress, one sentence for a mistake, files."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from perf.sweep import ClusterError

MISSED, MISTAKE, INTERRUPTED = 1, 2, 130
"""Exit codes."""

PIPED_WIDTH = 200
"""Columns where the output is no terminal."""

Found = TypeVar("Found")

console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


@contextmanager
def mistakes() -> Iterator[None]:
    """Turn a mistake in the call or its files into one sentence, and Ctrl-C into another.

    Raises
    ------
    typer.Exit
        With `MISTAKE` or `INTERRUPTED`.
    """
    try:
        yield
    except (ValueError, ClusterError) as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"{error.filename}: {error.strerror}."
    except KeyboardInterrupt:
        console.print("Interrupted. What a sweep has done is kept.")
        raise typer.Exit(INTERRUPTED) from None
    else:
        return
    if sentence.partition(" ")[0].isalpha():  # else it is a file, or a parameter
        sentence = sentence[0].upper() + sentence[1:]
    console.print(sentence, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(MISTAKE)


@contextmanager
def progress(what: str) -> Iterator[Callable[..., None]]:
    """Show a bar on standard error; gives a function of done, total and, optionally, what now."""
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                  TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(what, total=None)

        def show(done: int, total: int, now: str = what) -> None:
            bars.update(bar, completed=done, total=total, description=now)

        yield show


def find(names: Sequence[str] | None, known: Mapping[str, Found], what: str) -> list[Found]:
    """Look names up; all without any.

    Raises
    ------
    ValueError
        If there is none of a name.
    """
    for name in names or ():
        if name not in known:
            raise ValueError(f"there is no {what} {name!r}; there are {', '.join(known)}")
    return [known[name] for name in names or known]


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record, with its folder; the same text for the same figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")
