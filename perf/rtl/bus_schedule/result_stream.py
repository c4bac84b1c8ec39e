"""Results of jobs, in their order, from whoever makes them: `hw.results.result_stream`."""

from perf.rtl.bus_schedule.beats import Beats
from perf.rtl.bus_schedule.network import Cycles, Step
from perf.rtl.schedule.latencies import ENDED, NOT_YET, QUEUED


class ResultStream:
    """Let each job's beats through from the engine that makes them, until its last.

    Attributes
    ----------
    out : Beats
    ends : list of int
        When each job has ended.
    """

    def __init__(self) -> None:
        self.out = Beats()
        self.ends: Cycles = []

    def send_job(self, source: Beats, start: int) -> Step:
        """Send the beats of a job that starts in a cycle."""
        out = self.out
        since = max(start + QUEUED, out.taken[-1] + 1 if out.taken else NOT_YET)
        while True:
            place = len(source.taken)
            if len(source.offered) <= place:
                yield source.offered, place
            beat = source.beats[place]
            out.offer(beat, max(since, source.offered[place]))
            yield from out.leave()
            source.taken.append(out.taken[-1])
            since = out.taken[-1] + 1
            if beat.ends_job:
                break
        self.ends.append(out.taken[-1] + ENDED)
