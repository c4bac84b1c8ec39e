"""Run jobs on the emitted Verilog for a person who waits: progress, times, errors as sentences."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from commands import environment
from commands.tools import ToolError
from hw.contract.config import Config
from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.host.driver_errors import MachineError
from hw.host.machine import Machine
from hw.host.results import Outcome
from hw.host.work import Work
from simulation.build import BUILD, TOP, build
from simulation.machine import SimulatedMachine


class SimulationError(ToolError):
    """The model could not be built, or the machine did not do its jobs."""


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
    console: Console,
    *,
    stalls: Sequence[float] | None = None,
    counters: Sequence[str] | None = None,
    place: Path = BUILD,
) -> Simulation:
    """Run groups of works on a machine; the jobs of a group run back to back.

    Parameters
    ----------
    config : Config
        The machine; its model is built if it is not there yet.
    groups : sequence of sequence of (Work, int)
        With each work about how many cycles it takes, for the progress bar.
    console : Console
        Where progress is shown.
    stalls : sequence of float, optional
        For each group, in what share of the cycles every stream stalls at random; none by default.
    counters : sequence of str, optional
        Which are read, as for `hw.host.machine.Machine.run`.
    place : pathlib.Path
        The cache of models.

    Raises
    ------
    SimulationError
        If the machine refuses a job, hangs, or breaks a rule.
    commands.tools.ToolError
        If a tool is missing, or the model can't be built.
    ValueError
        If make cannot build where this project lies.
    KeyboardInterrupt
        When the user interrupts or terminates us.
    """
    shares = [0.0] * len(groups) if stalls is None else stalls
    started = time.perf_counter()
    with _View(console, [[cycles for _, cycles in group] for group in groups]) as view:
        library = build(config, place=place, show=view.building)
        running = time.perf_counter()
        view.running()
        outcomes: list[Outcome] = []
        try:
            with SimulatedMachine(library) as carrier:
                machine = Machine(carrier)
                for group, share in zip(groups, shares, strict=True):
                    for stream in (ACTIVATIONS, WEIGHTS, RESULTS):
                        carrier.stall(stream, share, seed=environment.seed())
                    outcomes += machine.run([work for work, _ in group], counters=counters,
                                            progress=view.jobs_after(len(outcomes)))
        except MachineError as error:
            raise SimulationError(f"The simulation failed: {error}") from error
    ended = time.perf_counter()
    return Simulation(outcomes, library.parent / f"{TOP}.v", running - started, ended - running)


class _View:
    """Progress on the console: a bar on a terminal, a line per stage elsewhere."""

    def __init__(self, console: Console, cycles: Sequence[Sequence[int]]):
        self._console, self._cycles = console, [each for group in cycles for each in group]
        self._stage = ""
        columns = [TextColumn("{task.description}"), BarColumn(),
                   TextColumn("{task.percentage:.0f} %"), TimeElapsedColumn(),
                   TimeRemainingColumn()]
        self._bar = Progress(*columns, console=console, transient=True,
                             disable=not console.is_terminal)
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *error):
        self._bar.stop()

    def building(self, stage: str, share: float | None) -> None:
        """Show how far the model is."""
        self._say("Building the Verilator model (about a minute, once)"
                  if stage.startswith("Building") else stage)
        self._bar.update(self._task, total=None if share is None else 1.0, completed=share or 0)

    def running(self) -> None:
        """Show that the model is there."""
        jobs = len(self._cycles)
        self._bar.reset(self._task, total=sum(self._cycles))
        self._say(f"Simulating {jobs} job{'s' * (jobs > 1)}")

    def jobs_after(self, before: int):
        """Make a job's progress of `Machine.run` part of the whole, of which so many have ended."""
        ended_at = [0]  # in cycles, by the jobs that have ended since

        def show(ended: int, cycles: int) -> None:
            while len(ended_at) <= ended:
                ended_at.append(cycles)
            done, jobs = before + ended, len(self._cycles)
            within = min(cycles - ended_at[ended], self._cycles[done]) if done < jobs else 0
            self._bar.update(self._task, completed=sum(self._cycles[:done]) + within,
                             description=f"Simulating: {done} of {jobs} jobs done")
        return show

    def _say(self, text: str) -> None:
        if text == self._stage:
            return
        self._stage = text
        self._bar.update(self._task, description=text)
        if not self._console.is_terminal:
            self._console.print(f"{text} …")
