"""Folders of builds: each is built by one process at a time, and whole or built anew.

A build that is killed leaves files that look finished to ``make``. So a mark stands in the folder
while something is built there; who finds one begins from nothing.
"""

import fcntl
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from commands.tools import ToolError

MARK = "unfinished"

PLAIN = re.compile(r"[\w/.+@-]+")
"""Paths that make, shells and linkers take as they are."""


def check_place(*places: Path) -> None:
    """Refuse folders that make cannot build in.

    Parameters
    ----------
    places : pathlib.Path
        Of builds; those of Python and its packages are looked at as well.

    Raises
    ------
    ValueError
        If a path has a space, or another character with a meaning for make or a shell.
    """
    for place in (*places, Path(sys.prefix)):
        if not PLAIN.fullmatch(str(place)):
            wrong = next(each for each in str(place) if not PLAIN.fullmatch(each))
            raise ValueError(f"nothing can be built in {place}: make takes no {wrong!r} in a path; "
                             "move the project, and its .venv, to one of letters, digits and "
                             ". _ - + @")


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[int]:
    """Keep other processes out of what a lock file stands for; gives its descriptor.

    The lock is the kernel's: it ends with the process, and with all that were handed the
    descriptor.

    Raises
    ------
    BlockingIOError
        If another process is in, and this one shall not wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield file.fileno()


@contextmanager
def alone(what: Path) -> Iterator[None]:
    """Work on a file or in a folder while no other call does.

    Raises
    ------
    ToolError
        If another call works on it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(what.with_name(f"{what.name}.lock"), wait=False))
        except BlockingIOError:
            raise ToolError(f"another call works on {what}: wait until it has ended") from None
        yield


@contextmanager
def building(folder: Path) -> Iterator[int]:
    """Build in a folder, alone; gives the descriptor of the lock, for the builders to inherit.

    Files that an unfinished build left are deleted first. Folders in it, of runs of the model,
    stay. An exception leaves the build unfinished.

    Raises
    ------
    OSError
        If nothing can be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f"{folder.name}.lock")) as lock:
        mark = folder / MARK
        if mark.exists():
            _empty(folder, mark)
        with mark.open("w", encoding="utf-8") as file:
            file.write("While this file stands, the build is not complete.\n")
            file.flush()
            os.fsync(file.fileno())
        _settle(folder)
        began = mark.stat().st_mtime_ns
        yield lock
        for path in folder.iterdir():
            if path.is_file() and path.stat().st_mtime_ns >= began:
                _settle(path)
        mark.unlink()
        _settle(folder)


def _empty(folder: Path, mark: Path) -> None:
    """Delete the files of a folder, its mark last."""
    for path in folder.iterdir():
        if path != mark and not path.is_dir():
            path.unlink()


def _settle(path: Path) -> None:
    """Wait until a file or a folder is on disk, so that it outlasts a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
