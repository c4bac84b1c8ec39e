"""Processes that a command starts: none outlives it."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GRACE_SECONDS = 5.0
"""Between asking a process to end and ending it."""

_running: set[subprocess.Popen] = set()


def run(command: Sequence[str | Path], *, timeout: float | None = None,
        **options: Any) -> subprocess.CompletedProcess:
    """Run a program like `subprocess.run`; whatever stops us stops it and all that it started."""
    options.setdefault("stdin", subprocess.DEVNULL)
    with subprocess.Popen(command, **options) as process:
        _running.add(process)
        try:
            output, errors = process.communicate(timeout=timeout)
        except BaseException:
            end(process)
            raise
        finally:
            _running.discard(process)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def end_all() -> None:
    """End what `run` started in other threads."""
    for process in list(_running):
        end(process)


def end(process: subprocess.Popen) -> None:
    """End a process with all its descendants, first gently."""
    family = [process.pid, *descendants(process.pid)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for each in family:
            _send(each, number)
        latest = time.monotonic() + GRACE_SECONDS
        while any(map(_is_alive, family)):
            process.poll()  # so that it does not stay as a zombie
            if time.monotonic() > latest:
                break
            time.sleep(0.02)
        else:
            return


def descendants(parent: int) -> list[int]:
    """List the processes that a process has started, and those that they have; Linux alone."""
    found = []
    for path in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            children = path.read_text(encoding="ascii").split()
        except OSError:  # it has just ended
            continue
        for child in map(int, children):
            found += [child, *descendants(child)]
    return found


def _is_alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state != b"Z"


def _send(number: int, what: signal.Signals) -> None:
    try:
        os.kill(number, what)
    except ProcessLookupError:
        pass


def end_with_parent(pipe: int = 0) -> None:
    """End this process, and all of its group, as soon as the process that started it is gone.

    Parameters
    ----------
    pipe : int
        A descriptor whose other end only the parent holds, and never writes to: standard input.
        This process must lead its group.
    """
    def watch() -> None:
        try:
            while os.read(pipe, 1):
                pass
        except OSError:
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
