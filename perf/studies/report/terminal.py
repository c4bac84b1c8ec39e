"""What the commands share: progress, one sentence for a mistake, files."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from commands.outputs import write_text
from commands.terminal import make_console

PIPED_WIDTH = 200
"""Columns where the output is no terminal."""

KEPT = "Interrupted. What a sweep has done is kept."

Found = TypeVar("Found")

console = make_console(width=PIPED_WIDTH)


@contextmanager
def progress(what: str) -> Iterator[Callable[..., None]]:
    """Show a bar on standard error; gives a function of done, total and, optionally, what now."""
    errors = make_console(stderr=True)
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                  TimeElapsedColumn(), console=errors, transient=True,
                  disable=not errors.is_terminal) as bars:
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
    write_text(path, json.dumps(record, indent=2) + "\n")
