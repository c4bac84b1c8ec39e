"""What leaves the lanes, laid side by side: `hw.vector.lane_results`."""

from collections.abc import Iterator

from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from perf.rtl.bus_schedule.groups import Groups
from perf.rtl.bus_schedule.network import Cycles, Step
from perf.rtl.bus_schedule.vector_pipe import THROUGH, drained_numbers
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import NOT_YET
from perf.rtl.schedule.rooms import JobReader

WHOLE = 1
"""The last numbers of a group are taken; it is offered in the next cycle."""


def neighbours(config: Config, work: Work) -> Iterator[int]:
    """List, of each group or block that leaves, how many groups of neighbours it is made of."""
    job, lanes = work.job, config.vector_lanes
    if not work.is_pass:
        return drained_numbers(config, job)
    columns = BLOCK_SIZE if job.packs_results else config.cols
    return iter([-(-min(columns, job.n - first) // lanes)
                 for first in range(0, job.n, columns)] * job.m)


class LaneResults:
    """Gather groups of neighbours.

    Parameters
    ----------
    config : Config
    starts, taken : list of int
        As of `VectorPipe`.
    news : list of int
        As of `PassGate`.

    Attributes
    ----------
    rows, blocks : Groups
        What is whole: groups of rows of results, and blocks of passes.
    """

    def __init__(self, config: Config, starts: Cycles, taken: Cycles, news: Cycles):
        self._config, self._starts, self._taken, self._news = config, starts, taken, news
        self._jobs = JobReader()
        self.rows, self.blocks = Groups(), Groups()

    def skip_job(self, start: int) -> None:
        """Pass over a job whose results do not go through the lanes."""
        self._jobs.skip_job(start)

    def gather_job(self, work: Work, start: int) -> Step:
        """Gather a job's results."""
        starts, taken = self._starts, self._taken
        packs = work.is_pass and work.job.packs_results
        wholes = self.blocks if packs else self.rows
        free = self._jobs.head(start)
        for numbers in neighbours(self._config, work):
            for _ in range(numbers):
                if len(starts) <= len(taken):
                    yield starts, len(taken)
                cycle = max(free, starts[len(taken)] + THROUGH, taken[-1] + 1 if taken else NOT_YET)
                taken.append(cycle)
            wholes.offered.append(cycle + WHOLE)
            if packs:
                self._news.append(cycle + WHOLE)
            if len(wholes.taken) < len(wholes.offered):
                yield wholes.taken, len(wholes.offered) - 1
            free = wholes.taken[-1]
        self._jobs.note_taken(free)
