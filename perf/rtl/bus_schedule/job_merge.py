"""Whose turn it is where streams of jobs are merged: `hw.streams.job_merge`."""

from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.schedule.latencies import NOT_YET
from perf.rtl.schedule.rooms import JobReader


class JobMerge:
    """Let the payloads of each job through when those of the jobs before have gone.

    Parameters
    ----------
    is_there : bool
        Else nobody waits for a turn.

    Attributes
    ----------
    turns : list of int
        From when on each job may send its payloads, if it has any.
    ended : list of int
        When the last payload of each of them went; whoever sends it appends.
    """

    def __init__(self, is_there: bool = True):
        self._is_there, self._jobs, self._merged = is_there, JobReader(), 0
        self.turns: Cycles = []
        self.ended: Cycles = []

    def skip_job(self, start: int) -> None:
        """Pass over a job without payloads."""
        self._jobs.skip_job(start)
        self.turns.append(NOT_YET)

    def merge_job(self, start: int) -> Step:
        """Give a job its turn, and wait for its end."""
        self.turns.append(self._jobs.head(start) if self._is_there else NOT_YET)
        place, self._merged = self._merged, self._merged + 1
        if len(self.ended) <= place:
            yield self.ended, place
        self._jobs.note_taken(self.ended[place])

    def turn(self, job: int) -> Process[int]:
        """Say when a job has its turn."""
        if len(self.turns) <= job:
            yield self.turns, job
        return self.turns[job]
