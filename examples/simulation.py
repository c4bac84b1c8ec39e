"""Run jobs on the emitted Verilog from ordinary Python, with progress, and stop when told to."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from commands import builds, children, environment, tools
from commands.tools import ToolError
from examples.job_files import Outcome, read_outcomes, write_stalls, write_works
from examples.run_jobs import PROGRESS_FILE, read_config, write_config
from hw.contract.config import Config
from sim_tests.bench import BUILD, ROOT
from sim_tests.machine import Work

_POLL_SECONDS = 0.2


class SimulationError(ToolError):
    """The model could not be built, or the simulation ended without results."""


@dataclass(frozen=True)
class Simulation:
    """The outcomes of jobs, and what it took to get them.

    Attributes
    ----------
    outcomes : list of Outcome
        One per work, in order.
    verilog : pathlib.Path
        What was simulated.
    build_seconds, run_seconds : float
        Wall-clock time.
    """

    outcomes: list[Outcome]
    verilog: Path
    build_seconds: float
    run_seconds: float


def simulate(
    config: Config,
    groups: Sequence[Sequence[tuple[Work, int]]],
    folder: Path,
    console: Console,
    *,
    stalls: Sequence[float] | None = None,
    name: str | None = None,
) -> Simulation:
    """Run groups of works on a machine; the jobs of a group run back to back.

    The simulator is a process of its own, whose output goes to ``simulation.log`` in `folder`.

    Parameters
    ----------
    config : Config
        The machine; its model is built if it is not there yet.
    groups : sequence of sequence of (Work, int)
        With each work about how many cycles it takes, for the progress bar.
    folder : pathlib.Path
        For files in between; emptied first.
    console : Console
        Where progress is shown.
    stalls : sequence of float, optional
        For each group, in what share of the cycles every stream stalls at random; none by default.
    name : str, optional
        Of the Verilog module and its model, where that of another bench shall serve.

    Raises
    ------
    SimulationError
        With a sentence that names the log, or if another run uses the folder.
    commands.tools.ToolError
        If a tool is missing.
    ValueError
        If make cannot build where this project lies.
    KeyboardInterrupt
        When the user interrupts or terminates us; the simulator is stopped first.
    """
    try:
        builds.check_place(BUILD)
        tools.require(tools.VERILATOR)
        with builds.locked(folder.with_suffix(".lock"), wait=False) as lock:
            shutil.rmtree(folder, ignore_errors=True)
            write_works(folder, [[work for work, _ in group] for group in groups])
            write_stalls(folder, [0.0] * len(groups) if stalls is None else stalls)
            write_config(folder, config, name)
            return _simulate(groups, folder, console, lock)
    except BlockingIOError:
        raise SimulationError(f"Another run is using {folder}; start this one when it has ended."
                              ) from None


def _simulate(
    groups: Sequence[Sequence[tuple[Work, int]]], folder: Path, console: Console, lock: int
) -> Simulation:
    (folder / PROGRESS_FILE).touch()
    log = folder / "simulation.log"
    started = time.perf_counter()
    with simulator("examples.run_jobs", folder, lock) as process:
        view = _View(console, [cycles for group in groups for _, cycles in group])
        running = view.show(_follow(process, folder / PROGRESS_FILE))
    if process.returncode != 0:
        last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
        cause = view.error or last or f"the simulator ended with code {process.returncode}"
        raise SimulationError(f"The simulation failed: {cause}\nIts log is {log}.")
    _, name = read_config(folder)
    ended = time.perf_counter()
    return Simulation(read_outcomes(folder), BUILD / name / f"{name}.v",
                      running - started, ended - running)


@contextmanager
def simulator(program: str, folder: Path, lock: int | None) -> Iterator[subprocess.Popen]:
    """Start the process that builds and simulates; it, and all that it starts, end with us.

    Parameters
    ----------
    program : str
        Module that takes a folder, see `examples.run_jobs.run_folder`.
    folder : pathlib.Path
        Its output goes to ``simulation.log`` in there.
    lock : int, optional
        Descriptor of the folder's lock, which the process inherits.
    """
    with (folder / "simulation.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", program, str(folder)], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=log, stderr=subprocess.STDOUT, env=environment.of_simulator(),
            pass_fds=[] if lock is None else [lock],
            start_new_session=True)  # so that Ctrl-C reaches us alone
    try:
        yield process
    finally:
        if process.poll() is None:
            children.end(process)
        process.stdin.close()


def _follow(process: subprocess.Popen, path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of a progress file as they are written, until the process ends."""
    with path.open(encoding="utf-8") as file:
        partial = ""
        while True:
            alive = process.poll() is None
            partial += file.read()
            *lines, partial = partial.split("\n")
            yield from map(json.loads, lines)
            if not alive:
                return
            time.sleep(_POLL_SECONDS)


class _View:
    """Progress on the console: a bar on a terminal, a line per stage elsewhere."""

    def __init__(self, console: Console, cycles: Sequence[int]):
        self.console, self.cycles = console, list(cycles)
        self.error: str | None = None

    def show(self, entries: Iterator[dict[str, Any]]) -> float:
        """Show entries until there are no more; return when the model was ready."""
        ready = time.perf_counter()
        jobs, ended, ended_at = len(self.cycles), 0, 0
        columns = [TextColumn("{task.description}"), BarColumn(),
                   TextColumn("{task.percentage:.0f} %"), TimeElapsedColumn(),
                   TimeRemainingColumn()]
        with Progress(*columns, console=self.console, transient=True,
                      disable=not self.console.is_terminal) as bar:
            task = bar.add_task("starting", total=None)
            for entry in entries:
                self.error = entry.get("error", self.error)
                if entry.get("stage") == "build":
                    self._say(bar, task, "Building the Verilator model (about a minute, once)")
                if entry.get("stage") == "run":
                    ready = time.perf_counter()
                    self._say(bar, task, f"Simulating {jobs} job{'s' * (jobs > 1)}")
                    bar.update(task, total=sum(self.cycles))
                if entry.get("ended"):
                    ended, ended_at = ended + 1, entry["cycle"]
                    bar.update(task, description=f"Simulating: {ended} of {jobs} jobs done")
                if "cycle" in entry and ended < jobs:
                    within = min(entry["cycle"] - ended_at, self.cycles[ended])
                    bar.update(task, completed=sum(self.cycles[:ended]) + within)
        return ready

    def _say(self, bar: Progress, task: Any, text: str) -> None:
        bar.update(task, description=text)
        if not self.console.is_terminal:
            self.console.print(f"{text} …")
