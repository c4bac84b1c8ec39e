"""Vectors and residuals on their way to the lanes: `hw.vector.operand_loader`."""

from hw.contract.config import Config
from hw.vector.operand_loader import RESIDUALS_AHEAD
from hw.vector.vector_pipe import TAKEN_AT
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.queues import Queue
from perf.rtl.bus_schedule.stages import has_residual, vectors
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import TAKEN
from perf.rtl.schedule.rooms import JobReader

MET = 1 + TAKEN_AT["residual"]
"""Numbers start; they meet their residual, which nobody needs any more."""


class OperandLoader:
    """Load the vectors of each job, then let it run, and keep its residual ready.

    Parameters
    ----------
    config : Config
    beats, taken : list of int
        Of the stream of what lies beside, as of `Aligner`.

    Attributes
    ----------
    runs, ended : list of int
        When the vectors of each job that goes through the lanes are there, and when all of its
        numbers have met all of their operands; who sends these appends that.
    kept, met : list of int
        When each group of a residual came, and when it met its numbers; who sends these appends
        that.
    """

    def __init__(self, config: Config, beats: Cycles, taken: Cycles):
        self._lanes, self._beats, self._taken = config.vector_lanes, beats, taken
        self._jobs, self._queue = JobReader(), Queue(RESIDUALS_AHEAD)
        self.runs: Cycles = []
        self.ended: Cycles = []
        self.kept: Cycles = []
        self.met = self._queue.taken

    def skip_job(self, start: int) -> None:
        """Pass over a job whose results do not go through the lanes."""
        self._jobs.skip_job(start)

    def load_job(self, work: Work, start: int, groups: int) -> Step:
        """Load what lies beside a job whose numbers are so many groups."""
        place, cycle = len(self.runs), self._jobs.head(start) + TAKEN
        of_row = -(-work.job.n // self._lanes)
        for is_there in vectors(work.command):
            for _ in range(of_row * is_there):
                cycle = 1 + (yield from self._take(cycle))
            cycle += not is_there
        self.runs.append(cycle)
        for _ in range(groups * has_residual(work.command)):
            cycle = yield from self._take(max(cycle, (yield from self._queue.room())))
            self._queue.put.append(cycle)
            self.kept.append(cycle)
            cycle += 1
        if len(self.ended) <= place:
            yield self.ended, place
        self._jobs.note_taken(self.ended[place])

    def _take(self, since: int) -> Process[int]:
        """Take a beat, not before a cycle."""
        beats, taken = self._beats, self._taken
        if len(beats) <= len(taken):
            yield beats, len(taken)
        taken.append(max(since, beats[len(taken)]))
        return taken[-1]
