"""Jobs simulated and predicted."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from hw.contract.config import Config
from hw.host.driver_errors import MachineError
from hw.host.machine import Machine
from hw.host.results import Counters
from hw.host.work import Work
from perf.rtl.checked_jobs import schedule_job
from perf.rtl.schedule import COUNTER_NAMES, JobCounters, predict
from simulation.build import build
from simulation.machine import SimulatedMachine
from simulation.running import SimulationError


@dataclass(frozen=True)
class Timed:
    """What the machine said of one job.

    Attributes
    ----------
    start : int
        Cycle in which the job was started; any origin, the same for all jobs of a machine.
    loads_order : bool
        A channel order was written before.
    counters : dict of str to int, or None
        By the names in `perf.rtl.schedule.COUNTER_NAMES`; None where the next job ended before they
        were read.
    """

    start: int
    loads_order: bool
    counters: Counters | None


@dataclass(frozen=True)
class Compared:
    """One job, as counted and as predicted.

    Attributes
    ----------
    machine : str
    config : Config
    work : Work
    timed : Timed
    predicted : JobCounters
    """

    machine: str
    config: Config
    work: Work
    timed: Timed
    predicted: JobCounters

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
    machine: str, config: Config, groups: Sequence[Sequence[Work]],
    show: Callable[[str, int], None] = lambda stage, jobs: None,
) -> list[Timed]:
    """Run groups of jobs on a machine, all streams at full rate.

    Parameters
    ----------
    machine : str
        Its name, for messages.
    config : Config
    groups : sequence of sequence of Work
        The jobs of a group run back to back, on a machine that is idle before.
    show : callable
        Called now and then with what is being done, and the jobs that have ended.

    Raises
    ------
    SimulationError
        If the machine refuses a job, hangs, or breaks a rule.
    """
    show("building", 0)
    library = build(config, show=lambda stage, share: show("building", 0))
    timed: list[Timed] = []
    try:
        with SimulatedMachine(library) as carrier:
            host = Machine(carrier)
            for group in groups:
                before = len(timed)
                ran = host.run(group, counters=COUNTER_NAMES, progress=lambda ended, cycles,
                               before=before: show("simulating", before + ended))
                timed += [Timed(each.start, "order" in each.loaded, each.counters)
                          for each in ran]
    except MachineError as error:
        raise SimulationError(f"{machine}: {error}") from error
    return timed


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
