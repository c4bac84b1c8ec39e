"""Jobs simulated and predicted."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from examples.job_files import write_works
from examples.run_jobs import PROGRESS_FILE, write_config
from examples.simulation import SimulationError, simulator
from hw.contract.config import Config
from perf.check_simulation import Timed, read_timed
from perf.checked_jobs import schedule_job
from perf.schedule import Counts, predict
from sim_tests.stimuli.packets import Work

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Compared:
    """One job, as counted and as predicted.

    Attributes
    ----------
    machine : str
    config : Config
    work : Work
    timed : Timed
    predicted : Counts
    """

    machine: str
    config: Config
    work: Work
    timed: Timed
    predicted: Counts

    @cached_property
    def differences(self) -> dict[str, int]:
        """Counted less predicted, of the counters that differ; none where they were not read."""
        counted, predicted = self.timed.counters or {}, asdict(self.predicted)
        return {name: count - predicted[name] for name, count in counted.items()
                if count != predicted[name]}

    @property
    def description(self) -> str:
        """Say what the job is, for a report."""
        job = self.work.job
        order = " reordered" if job.reorder else ""
        return (f"{self.machine}: {job.kind.name} {job.m} x {job.k} x {job.n}, T={job.tiles}, "
                f"{job.float_format}, {job.output.name}, {job.selection.name}{order}")


def simulate(
    machine: str, config: Config, groups: Sequence[Sequence[Work]], folder: Path,
    show: Callable[[str, int], None] = lambda stage, jobs: None, lock: int | None = None,
) -> list[Timed]:
    """Run groups of jobs on a machine.

    Parameters
    ----------
    machine : str
        Names the model: ``accelerator_`` and this.
    config : Config
    groups : sequence of sequence of Work
        The jobs of a group run back to back, on a machine that is idle before.
    folder : pathlib.Path
        For files in between; emptied first.
    show : callable
        Called now and then with what is being done, and the jobs that have ended.
    lock : int, optional
        Descriptor of a lock that keeps others out of the folder; the simulator inherits it.

    Raises
    ------
    SimulationError
        With a sentence that names the log.
    """
    shutil.rmtree(folder, ignore_errors=True)
    write_works(folder, groups)
    write_config(folder, config, f"accelerator_{machine}")
    progress = folder / PROGRESS_FILE
    progress.touch()
    with simulator("perf.check_simulation", folder, lock) as process:
        while process.poll() is None:
            time.sleep(_POLL_SECONDS)
            said = progress.read_text(encoding="utf-8")
            show("simulating" if '"run"' in said else "building", said.count('"ended"'))
    if process.returncode:
        said = [json.loads(line) for line in progress.read_text(encoding="utf-8").splitlines()]
        cause = next((each["error"] for each in said if "error" in each), "no results")
        raise SimulationError(f"{machine}: {cause}\nIts log is {folder / 'simulation.log'}.")
    return read_timed(folder)


def compare(
    machine: str, config: Config, groups: Sequence[Sequence[Work]], timed: Sequence[Timed]
) -> list[Compared]:
    """Predict jobs that have run, group by group."""
    left, compared = iter(timed), []
    for group in groups:
        ran = [next(left) for _ in group]
        jobs = [schedule_job(config, work, each.start - ran[0].start, each.loads_order)
                for work, each in zip(group, ran, strict=True)]
        compared += [Compared(machine, config, *each)
                     for each in zip(group, ran, predict(config, jobs), strict=True)]
    return compared
