"""Numbers on their way through the lanes: `hw.vector.vector_pipe`, `hw.vector.tile_rows`."""

from collections.abc import Iterator

from hw.contract.config import Config
from hw.streams.memory_fifo import MemoryFIFO
from hw.vector.vector_pipe import ROUND_TRIP, TAKEN_AT
from perf.rtl.bus_schedule.groups import Groups, group_count, passes
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.operand_loader import MET, OperandLoader
from perf.rtl.bus_schedule.stages import has_residual
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule import ScheduledJob
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

THROUGH = 1 + TAKEN_AT["is_valid"] + MemoryFIFO.latency
"""Numbers start; who gathers what leaves the lanes may take them."""

ENDED = 1 + MET
"""The last numbers of a job start; nothing is on its way to its last operand any more."""


def drained_numbers(config: Config, job: ScheduledJob) -> Iterator[int]:
    """List, of each group of results that drains, how many groups of neighbours it is cut into."""
    for rows, column in passes(config, job):
        columns = min(config.cols, job.n - column * config.cols)
        for first in range(0, rows, config.drain_rows):
            yield min(config.drain_rows, rows - first) * -(-columns // config.vector_lanes)


class VectorPipe:
    """Let groups of neighbours start, one in a cycle, as soon as what they need is there.

    Parameters
    ----------
    config : Config
    loader : OperandLoader
    drained : Groups
        Of results.
    rows : Groups
        Of rows of passes: groups of neighbours.

    Attributes
    ----------
    starts, taken : list of int
        When each group of neighbours started, and when who gathers the results took it.
    """

    def __init__(self, config: Config, loader: OperandLoader, drained: Groups, rows: Groups):
        self._config, self._loader = config, loader
        self._drained, self._rows = drained, rows
        self._groups = 0  # of GEMMs before
        self._jobs = 0
        self.starts: Cycles = []
        self.taken: Cycles = []

    def skip_job(self, work: Work) -> None:
        """Pass over a job whose results do not go through the lanes."""
        if work.multiplies:
            self._groups += group_count(self._config, work.job)

    def run_job(self, work: Work) -> Step:
        """Send the numbers of a job."""
        loader = self._loader
        if len(loader.runs) <= self._jobs:
            yield loader.runs, self._jobs
        since, has_rows = loader.runs[self._jobs], has_residual(work.command)
        self._jobs += 1
        if work.is_pass:
            for _ in range(work.job.m * -(-work.job.n // self._config.vector_lanes)):
                yield from self._start(self._rows, since, has_rows)
                self._rows.taken.append(self.starts[-1])
        else:
            drained, before = self._drained, self._groups
            self._groups += group_count(self._config, work.job)
            if len(drained.taken) < before:
                yield drained.taken, before - 1
            for numbers in drained_numbers(self._config, work.job):
                for _ in range(numbers):
                    yield from self._start(drained, since, has_rows)
                drained.taken.append(self.starts[-1])
        loader.ended.append(self.starts[-1] + ENDED)

    def _start(self, source: Groups, since: int, has_rows: bool) -> Process[None]:
        """Let the numbers start that a stream offers, not before a cycle."""
        loader, starts, before = self._loader, self.starts, len(self.starts) - ROUND_TRIP
        offered, place = source.offered, len(source.taken)
        if len(offered) <= place:
            yield offered, place
        cycle = max(since, offered[place], starts[-1] + 1 if starts else NOT_YET,
                    source.taken[-1] + 1 if place else NOT_YET)
        if before >= 0:
            if len(self.taken) <= before:
                yield self.taken, before
            cycle = max(cycle, self.taken[before] + RELEASED)
        if has_rows:
            residual = len(loader.met)
            if len(loader.kept) <= residual:
                yield loader.kept, residual
            cycle = max(cycle, loader.kept[residual] + RELEASED)
            loader.met.append(cycle + MET)
        starts.append(cycle)
